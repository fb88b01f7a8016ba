//! What is given back is there for others, and is never more than was there all the time since it was taken.

use super::world::{SLOW, World};
use crate::backend::Buckets as _;
use crate::limits::Amounts;

#[test]
fn a_call_is_granted_what_another_one_gave_back() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    one.join([150, 0]);
    world.exchange(&mut one);
    one.all_leave();
    world.exchange(&mut one);
    other.join([180, 0]);
    world.exchange(&mut other);
    assert_eq!(world.granted.last().map(|call| call.wait), Some(0));
}

#[test]
fn what_is_given_back_while_a_reply_is_on_its_way_is_bounded_by_what_that_says() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [150, 0]);
    // Granted for when the first one's has all leaked.
    other.join([180, 0]);
    world.exchange(&mut other);
    one.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange_while(&mut one, |world, one| {
        let (charge, amounts) = one.taken[0].clone();
        one.slots.give_back(amounts.as_slice(), charge, world.clock);
    });
    let reply = world.exchange(&mut one);
    assert!(reply.buckets.iter().all(|bucket| bucket.given == 0), "{reply:?}");
}

#[test]
fn what_is_about_to_be_given_back_counts_for_the_calls_that_are_granted_meanwhile() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    for _ in 0..2 {
        world.call(&mut client, [60, 0]);
    }
    client.join([80, 0]);
    // The bucket will have been down to 100 just before the last call: that much can be given back of those before it.
    world.exchange_while(&mut client, |world, client| {
        client.slots.give_back(&[60, 0, 0], client.taken[0].0, world.clock);
    });
    client.slots.give_back(&[60, 0, 0], client.taken[1].0, world.clock);
    let given = world.exchange(&mut client).buckets[0].given;
    assert!((99_000_000..=100_000_000).contains(&given), "{given}");
}

#[test]
fn what_others_gave_back_meanwhile_leaves_less_to_give_back() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    for (client, requests) in [(0, 100), (1, 50), (2, 60), (2, 100)] {
        world.call(&mut clients[client], [requests, 0]);
    }
    let [first, second, _] = &mut clients;
    // It learns that the bucket will have been down to 80 just before the last charge.
    second.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    let seen = world.exchange(second);
    assert!((79_000_000..=80_000_000).contains(&seen.buckets[0].low), "{seen:?}");
    world.give_all_back(first);
    let given = world.exchange(first).buckets[0].given;
    assert!((79_000_000..=80_000_000).contains(&given), "{given}");
    world.give_all_back(second);
    assert_eq!(world.exchange(second).buckets[0].given, given);
}
