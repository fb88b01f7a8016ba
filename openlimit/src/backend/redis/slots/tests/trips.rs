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

#[test]
fn slots_of_a_batch_that_was_sent_again_are_given_back_if_the_clock_was_set_back_meanwhile() {
    for (set_back, granted) in [(0, 1), (80, 0), (3_600_000, 0)] {
        let mut world = World::start(SLOW);
        let mut client = world.client();
        world.call(&mut client, [180, 0]);
        client.join([150, 0]);
        let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
        // The reply is lost.
        let decided = world.run(&mut client, &batch);
        let due = world.clock + decided.calls[0].wait;
        world.pass(Duration::from_millis(100));
        world.set_server_back(Duration::from_millis(set_back));
        let reply = world.run(&mut client, &batch);
        client.slots.apply(&reply, &client.queue, world.clock, world.clock);
        assert_eq!((reply.granted(), client.slots.slots.len()), (1, granted), "{set_back} ms");
        assert!(client.slots.slots.iter().all(|slot| slot.due == due));
        if granted == 0 {
            // The call goes with the next one.
            let batch = client.slots.collect(&client.queue, false, world.clock).unwrap();
            let reply = world.run(&mut client, &batch);
            client.slots.apply(&reply, &client.queue, world.clock, world.clock);
            assert_eq!(client.slots.slots.len(), 1);
        }
    }
}
