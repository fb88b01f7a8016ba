//! Refunds: others can use them, and they never exceed the lowest level since the charge.

use std::time::Duration;

use super::world::{SLOW, World};
use crate::backend::Buckets as _;
use crate::limits::{Amounts, Priority};

#[test]
fn a_refund_is_granted_to_another_client() {
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
fn a_refund_during_a_round_trip_is_bounded_by_the_reply() {
    let mut world = World::start(SLOW);
    let (mut one, mut other) = (world.client(), world.client());
    world.call(&mut one, [150, 0]);
    // It is granted for the moment when the first call has leaked.
    other.join([180, 0]);
    world.exchange(&mut other);
    one.slots.owe(&Amounts::Few([0, 1, 0]), world.clock);
    world.exchange_while(&mut one, |world, one| {
        let (charge, amounts) = one.taken[0].clone();
        one.give_back(&amounts, charge, world.clock);
    });
    let reply = world.exchange(&mut one);
    assert!(reply.buckets.iter().all(|bucket| bucket.given == 0), "{reply:?}");
}

#[test]
fn a_pending_refund_lowers_the_levels_before_calls_granted_meanwhile() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    for _ in 0..2 {
        world.call(&mut client, [60, 0]);
    }
    client.join([80, 0]);
    // Just before the last call the level is 100, so that much can be refunded of the calls before
    // it.
    world.exchange_while(&mut client, |world, client| {
        client.give_back(&Amounts::Few([60, 0, 0]), client.taken[0].0, world.clock);
    });
    client.give_back(&Amounts::Few([60, 0, 0]), client.taken[1].0, world.clock);
    let given = world.exchange(&mut client).buckets[0].given;
    assert!((99_000_000..=100_000_000).contains(&given), "{given}");
}

#[test]
fn refunds_of_others_leave_less_to_refund() {
    let mut world = World::start(SLOW);
    let mut clients = [world.client(), world.client(), world.client()];
    for (client, requests) in [(0, 100), (1, 50), (2, 60), (2, 100)] {
        world.call(&mut clients[client], [requests, 0]);
    }
    let [first, second, _] = &mut clients;
    world.give_all_back(first);
    let given = world.exchange(first).buckets[0].given;
    // The level is 80 just before the last charge.
    assert!((79_000_000..=80_000_000).contains(&given), "{given}");
    world.give_all_back(second);
    assert_eq!(world.exchange(second).buckets[0].given, 0);
}

#[test]
fn small_urgent_calls_that_take_the_slots_of_large_ones_cost_nothing_of_the_rate() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.looks_ahead(90_000_000);
    for step in 0..2_500_u64 {
        world.pass(Duration::from_millis(4));
        while client.queue.len() < 3 {
            client.join([135, 0]);
        }
        if step % 10 == 0 {
            client.join_as(Priority::High, [8, 0]);
        }
        client.looks_at_head(world.clock);
        world.exchange(&mut client);
        while client.goes_in_time(world.clock) {}
    }
    let used: u64 = client.taken.iter().map(|(_, amounts)| amounts.as_slice()[0]).sum();
    let most = world.clock / 1_000_000;
    assert!(used >= most / 100 * 97, "{used} of {most} are used");
    world.check();
}
