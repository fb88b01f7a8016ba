//! What responses say is left, and what came too late to be given back: both are counted by the
//! server, over all clients.

use std::time::Duration;

use super::client::Tenant;
use super::world::World;
use crate::backend::Buckets as _;
use crate::limits::Amounts;

const SECOND: u64 = 1_000_000_000;

/// A world with two clients that have had a response.
fn two() -> (World, Tenant, Tenant) {
    let (world, mut one, mut other) = World::of_two();
    for client in [&mut one, &mut other] {
        assert_eq!(client.slots.granted_since(0, client.taken[0].0), None);
    }
    (world, one, other)
}

/// Has a call granted. Returns its charge.
fn charge(world: &mut World, client: &mut Tenant, amounts: [u64; 2]) -> u64 {
    world.call(client, amounts);
    client.taken.last().expect("it was granted").0
}

#[test]
fn the_grants_of_all_clients_count_since_each_call() {
    let (mut world, mut one, mut other) = two();
    let first = charge(&mut world, &mut one, [5, 100]);
    // Several in one batch.
    for amounts in [[7, 0], [20, 1_000], [3, 0]] {
        one.join(amounts);
    }
    world.exchange(&mut one);
    one.all_go();
    let [second, third, fourth] = [3, 2, 1].map(|from_end| one.taken[one.taken.len() - from_end].0);
    charge(&mut world, &mut other, [40, 0]);
    let since =
        |one: &mut Tenant, charge| [0, 1].map(|place| one.slots.granted_since(place, charge).unwrap());
    // As of the last reply.
    assert_eq!(since(&mut one, fourth), [0, 0]);
    world.learn(&mut one);
    for (charge, expected) in
        [(first, [70, 1_000]), (second, [63, 1_000]), (third, [43, 0]), (fourth, [40, 0])]
    {
        assert_eq!(since(&mut one, charge), expected);
    }
    assert_eq!(one.slots.granted_since(0, fourth + 1), None);
}

#[test]
fn a_level_is_raised_by_what_others_were_granted_since_the_last_reply() {
    let (mut world, mut one, mut other) = two();
    charge(&mut world, &mut other, [40, 0]);
    // 100 of the 180 that fit are left.
    one.slots.cap(0, 100, world.clock);
    let level = world.exchange(&mut one).buckets[0].level;
    // And the first call of the other one.
    assert!((120_000_000..=121_000_000).contains(&level), "{level}");
    // The same while a batch is in flight that does not contain it.
    let (mut world, mut one, mut other) = two();
    one.join([1, 0]);
    world.exchange_while(&mut one, |world, one| {
        one.slots.cap(0, 100, world.clock);
        charge(world, &mut other, [40, 0]);
    });
    let level = world.exchange(&mut one).buckets[0].level;
    // And one call of its own.
    assert!((121_000_000..=122_000_000).contains(&level), "{level}");
}

#[test]
fn a_response_to_a_call_before_a_loss_of_data_counts_what_this_client_was_granted_only() {
    let (mut world, mut one, _) = two();
    let before = charge(&mut world, &mut one, [5, 0]);
    world.lose_the_state(&[]);
    one.slots.cap(0, 100, world.clock);
    let level = world.exchange(&mut one).buckets[0].level;
    assert!((79_000_000..=80_000_000).contains(&level), "{level}");
    assert_eq!(one.slots.granted_since(0, before), None);
    let after = charge(&mut world, &mut one, [5, 0]);
    assert_eq!(one.slots.granted_since(0, after), Some(0));
}

#[test]
fn slots_are_granted_shortly_ahead_after_a_response_took_something_away() {
    let (world, mut one, _) = two();
    one.looks_ahead(300_000_000);
    let before = one.slots.look_ahead(world.clock);
    one.slots.cap(0, 180, world.clock);
    assert_eq!(one.slots.look_ahead(world.clock), before, "there is no more room than that");
    one.slots.cap(0, 100, world.clock);
    assert!(one.slots.look_ahead(world.clock) < before / 4);
    assert_eq!(one.slots.look_ahead(world.clock + SECOND), before);
}

#[test]
fn slots_are_granted_further_ahead_if_the_provider_shows_that_the_burst_is_longer() {
    let (world, mut one, _) = two();
    // Half of what calls may fill of it.
    assert_eq!(one.slots.look_ahead(world.clock), 90_000_000);
    one.slots.widen(0, 1_000);
    assert_eq!(one.slots.look_ahead(world.clock), 90_000_000, "the burst of the other limit is as short");
    one.slots.widen(1, 60_000);
    assert_eq!(one.slots.look_ahead(world.clock), 300_000_000);
}

#[test]
fn what_admitted_calls_gave_back_too_late_is_counted() {
    let (mut world, mut one, mut other) = two();
    let charge = charge(&mut world, &mut one, [100, 1_000]);
    world.clock += 40_000_000;
    one.slots.refund(&Amounts::Few([90, 0, 0]), charge, world.clock, |_, _| panic!("it is known later"));
    assert_eq!(one.slots.late(0), 0);
    world.exchange(&mut one);
    // About 62 of the 102 are left.
    assert!((27..=29).contains(&one.slots.late(0)), "{}", one.slots.late(0));
    assert_eq!((one.slots.late(1), other.slots.late(0)), (0, 0));
    // Slots that no call takes are nobody's waste.
    other.join([100, 0]);
    world.exchange(&mut other);
    world.clock += 150_000_000;
    other.all_leave();
    let reply = world.exchange(&mut other);
    assert!(reply.buckets[0].given < 100_000_000);
    assert_eq!(other.slots.late(0), 0);
}

#[test]
fn all_of_a_refund_of_a_lost_state_comes_too_late() {
    let (mut world, mut one, _) = two();
    let charge = charge(&mut world, &mut one, [100, 0]);
    world.lose_the_state(&[]);
    one.slots.refund(&Amounts::Few([90, 0, 0]), charge, world.clock, |_, _| ());
    world.exchange(&mut one);
    assert_eq!(one.slots.late(0), 90);
}

#[test]
fn a_client_notices_what_others_give_back_but_not_what_leaks_or_what_it_gives_back_itself() {
    let (mut world, mut one, mut other) = two();
    world.call(&mut one, [50, 0]);
    world.call(&mut other, [100, 0]);
    world.call(&mut one, [1, 0]);
    world.pass(Duration::from_millis(40));
    one.give_back(&Amounts::Few([49, 0, 0]), one.taken[1].0, world.clock);
    world.exchange(&mut one);
    assert_eq!(one.slots.given_at, None);
    other.give_back(&Amounts::Few([50, 0, 0]), other.taken[1].0, world.clock);
    world.exchange(&mut other);
    assert_eq!(other.slots.given_at, Some(world.clock));
    world.call(&mut one, [1, 0]);
    assert_eq!(one.slots.given_at, Some(world.clock));
}
