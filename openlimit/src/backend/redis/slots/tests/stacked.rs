//! Calls of stacks: which slots are requested while the head waits for other limiters.

use std::time::Duration;

use super::client::Tenant;
use super::world::{FAST, World};
use crate::limits::Amounts;
use crate::queue::{Key, Turn, Urgency, Waiter};

/// Creates a client whose head waits for other limiters, and has a slot here. Returns its key.
fn elsewhere(world: &mut World) -> (Tenant, Key) {
    let mut client = world.client();
    let call = Waiter::new(Amounts::Few([1, 1, 0]), 0, Urgency::default());
    let head = client.queue.join(Waiter { turn: Turn::REPORTS, ..call });
    world.exchange(&mut client);
    client.queue.report(head);
    (client, head)
}

/// Asserts that there is nothing to send before some time has passed.
#[track_caller]
fn rests(world: &World, client: &mut Tenant) {
    let next = client.slots.collect(&client.queue, false, world.clock).unwrap_err();
    assert!(next.is_none_or(|next| next > world.clock), "the driver would look again and again");
}

#[test]
fn the_next_three_calls_have_slots_ready_and_no_others_have() {
    let mut world = World::start(FAST);
    let (mut client, head) = elsewhere(&mut world);
    rests(&world, &mut client);
    (0..5).for_each(|_| _ = client.join([1, 1]));
    world.exchange(&mut client);
    assert_eq!(client.slots.slots.len(), 4);
    rests(&world, &mut client);
    // When the head departs, the next one can report at once.
    assert!(client.one_goes());
    assert_ne!(client.queue.head().map(|(key, _)| key), Some(head));
    assert_eq!(client.slots.slots.len(), 3);
}

#[test]
fn no_other_call_has_a_slot_ready_if_a_round_trip_takes_longer_than_a_slot_lasts() {
    let mut world = World::start(FAST);
    let (mut client, _) = elsewhere(&mut world);
    client.slots.usual_trip = client.slots.terms.slack() + 1;
    (0..5).for_each(|_| _ = client.join([1, 1]));
    rests(&world, &mut client);
    client.slots.usual_trip -= 1;
    world.exchange(&mut client);
    assert_eq!(client.slots.slots.len(), 4);
}

#[test]
fn once_the_slot_of_the_head_has_expired_nothing_is_requested_until_it_asks_again() {
    let mut world = World::start(FAST);
    let (mut client, head) = elsewhere(&mut world);
    (0..5).for_each(|_| _ = client.join([1, 1]));
    world.pass(Duration::from_secs(1));
    rests(&world, &mut client);
    client.slots.drop_all(world.clock);
    // What was given back.
    world.exchange(&mut client);
    rests(&world, &mut client);
    client.queue.retract(head, u64::MAX, true);
    world.exchange(&mut client);
    assert_eq!(client.slots.slots.len(), 6);
}
