//! Replies that were held up.

use std::time::Duration;

use super::world::{SLOW, World};

#[test]
fn slots_of_the_first_reply_for_a_new_key_are_given_back_if_the_replies_for_others_were_quicker() {
    let mut world = World::start(SLOW);
    let mut known = world.client();
    world.call(&mut known, [1, 0]);
    for (delay, granted) in [(10, 1), (50, 0)] {
        let mut new = world.client();
        new.join([1, 0]);
        let delayed = |world: &mut World| world.pass(Duration::from_millis(delay));
        let reply = world.exchange_while(&mut new, |world, _| delayed(world));
        assert_eq!((reply.granted(), new.slots.slots.len()), (1, granted));
        // It goes with the next reply, which comes in time.
        world.exchange(&mut new);
        new.all_go();
        assert_eq!(new.taken.len(), 1);
    }
}

#[test]
fn of_the_first_reply_of_all_nothing_is_known() {
    let mut world = World::start(SLOW);
    let mut first = world.client();
    first.join([1, 0]);
    world.exchange_while(&mut first, |world, _| world.pass(Duration::from_millis(50)));
    assert_eq!(first.slots.slots.len(), 1);
}
