//! Calls of stacks: which slots are requested while the head waits for other limiters.

use std::time::Duration;

use super::client::Tenant;
use super::crowd::{Crowd, JITTER, SECOND};
use super::world::{FAST, World};
use crate::backend::Buckets as _;
use crate::bucket::Metering;
use crate::limits::{Amounts, Priority, Rate};
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

const MS: u64 = 1_000_000;
/// By how much longer the slot of [`patient`] lasts.
const LATE_BY: u64 = 50 * MS;
/// What its call takes of the first limit. Of the second one, it takes nothing.
const TAKES: u64 = 100 * MS;

/// Creates a client whose head asks elsewhere for longer than a slot lasts, and has a slot here.
fn patient(world: &mut World) -> (Tenant, Key) {
    let mut client = world.client();
    let call = Waiter::new(Amounts::Few([800, 0, 0]), 0, Urgency::default());
    let head = client.queue.join(Waiter { turn: Turn::REPORTS, late_by: LATE_BY, ..call });
    let reply = world.exchange(&mut client);
    let levels: Vec<_> = reply.buckets.iter().map(|bucket| bucket.level).collect();
    assert_eq!(levels, [TAKES + LATE_BY, 0]);
    let slot = &client.slots.slots[0];
    assert_eq!((slot.due, slot.expires), (world.clock, world.clock + 10 * MS + LATE_BY));
    (client, head)
}

/// Returns what is in the first bucket after all that is pending was sent, `since` the grant.
fn level_after(world: &mut World, client: &mut Tenant, since: u64) -> u64 {
    world.exchange(client).buckets[0].level + (world.clock - since)
}

#[test]
fn a_call_that_departs_in_time_gives_back_what_its_slot_was_charged_to_last_longer() {
    for time in [0, 5 * MS, 10 * MS] {
        let mut world = World::start(FAST);
        let (mut client, _) = patient(&mut world);
        let since = world.clock;
        assert!(client.goes_in_time(since + time));
        assert_eq!(level_after(&mut world, &mut client, since), TAKES);
    }
}

#[test]
fn a_call_that_departs_late_is_charged_for_that_time() {
    for late in [MS, 20 * MS, LATE_BY - MS] {
        let mut world = World::start(FAST);
        let (mut client, _) = patient(&mut world);
        let since = world.clock;
        world.clock += 10 * MS + late;
        assert!(client.goes_in_time(world.clock));
        // All of its amount is in the bucket as it departs, as if it had been granted just then.
        assert_eq!(level_after(&mut world, &mut client, since), TAKES + late);
    }
}

#[test]
fn a_smaller_call_that_takes_such_a_slot_gives_back_the_rest() {
    let mut world = World::start(FAST);
    let (mut client, head) = patient(&mut world);
    let since = world.clock;
    client.queue.leave(head);
    client.join([400, 0]);
    assert!(client.goes_in_time(since + 30 * MS));
    assert_eq!(level_after(&mut world, &mut client, since), TAKES / 2 + 20 * MS);
}

#[test]
fn a_slot_that_lasts_longer_expires_too_and_is_given_back_with_the_next_request() {
    let mut world = World::start(FAST);
    let (mut client, head) = patient(&mut world);
    client.queue.report(head);
    client.join([1, 1]);
    // It is the last one that is requested.
    rests(&world, &mut client);
    let last = client.slots.slots[0].expires;
    assert!(client.slot_due(&Amounts::Few([800, 0, 0]), 1, last).is_some());
    world.clock = last + 1;
    client.looks_at_head(world.clock);
    assert!(client.slots.slots.is_empty());
    // Its call asks again soon, so nothing is sent until then.
    rests(&world, &mut client);
    client.queue.retract(head, u64::MAX, true, LATE_BY);
    let reply = world.exchange(&mut client);
    assert_eq!((reply.calls.len(), reply.buckets[0].level), (1, TAKES + LATE_BY));
}

#[test]
fn a_slot_that_lasts_longer_is_given_back_when_its_call_leaves_or_the_limiter_is_closed() {
    for (trip, is_closed) in [(MS, false), (100 * MS, false), (100 * MS, true)] {
        let mut world = World::start(FAST);
        let (mut client, _) = patient(&mut world);
        client.slots.usual_trip = trip;
        if is_closed {
            client.slots.close(world.clock);
        }
        client.all_leave();
        let next = client.slots.collect(&client.queue, false, world.clock).unwrap_err();
        assert!(next.is_some_and(|next| next <= world.clock + 10 * MS), "it is not told soon: {next:?}");
        assert_eq!(world.exchange(&mut client).buckets[0].level, 0);
    }
}

#[test]
fn after_a_slot_has_expired_the_next_one_lasts_twice_as_long() {
    let metering = Metering::new(Rate::per_second(1_000), Duration::from_secs(1), JITTER, (0, 100));
    let mut crowd = Crowd::new(metering, &[100 * MS]);
    let call = Waiter::new(Amounts::Few([10, 0, 0]), crowd.now, Urgency::default().of(Priority::High));
    let now = crowd.now;
    let key = crowd.clients[0].admission.join_stacked(call, 20 * MS, now, &mut Vec::new()).expect("room");
    let mut lasts = Vec::new();
    for _ in 0..3 {
        crowd.pass(5 * MS);
        let slot = &crowd.clients[0].slots().slots[0];
        lasts.push(slot.expires - slot.due);
        crowd.pass(SECOND);
        let now = crowd.now;
        assert!(crowd.clients[0].admission.retract(key, 20 * MS, now), "it has expired");
    }
    assert_eq!(lasts, [30, 60, 120].map(|time| time * MS));
}

#[test]
fn a_call_of_next_to_nothing_gives_back_what_its_slot_was_charged_to_last_longer() {
    let mut world = World::start([Rate::per_second(1_000_000_000_000), FAST[1]]);
    let mut client = world.client();
    let call = Waiter::new(Amounts::Few([1, 0, 0]), 0, Urgency::default());
    client.queue.join(Waiter { turn: Turn::REPORTS, late_by: LATE_BY, ..call });
    // It weighs less than a nanosecond.
    assert_eq!(world.exchange(&mut client).buckets[0].level, 1 + LATE_BY);
    assert!(client.goes_in_time(world.clock));
    assert!(world.exchange(&mut client).buckets[0].level <= 1);
}

#[test]
fn once_the_slot_of_the_head_has_expired_nothing_is_requested_until_it_asks_again() {
    for lease in [None, Some(20 * MS)] {
        let mut world = World::start(FAST);
        let (mut client, head) = elsewhere(&mut world);
        client.slots.terms.lease = lease;
        (0..5).for_each(|_| _ = client.join([1, 1]));
        world.pass(Duration::from_secs(1));
        rests(&world, &mut client);
        client.slots.drop_all(world.clock);
        // What was given back.
        world.exchange(&mut client);
        rests(&world, &mut client);
        client.queue.retract(head, u64::MAX, true, 0);
        world.exchange(&mut client);
        let leases = usize::from(lease.is_some());
        assert_eq!(client.slots.slots.len(), 6 + leases);
    }
}
