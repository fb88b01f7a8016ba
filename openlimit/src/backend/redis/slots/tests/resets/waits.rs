//! What waits for a reset, and what departs before it.

use std::time::Duration;

use super::super::client::Tenant;
use super::super::world::World;
use super::{AMOUNT, HOUR, LEAD, RESET, SECOND, assert_left, charge, is_full, learn, leave, look, start};
use crate::backend::redis::wire::Decision;
use crate::backend::{Buckets as _, Due};
use crate::limits::Amounts;

#[test]
fn a_call_that_does_not_fit_is_asked_for_at_the_reset_and_once_a_second_before() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 40);
    let given = charge(&mut world, &mut other, 60);
    // Returns when the client asks again.
    let ask = |world: &mut World, one: &mut Tenant| {
        assert!(world.exchange(one).calls.is_empty());
        let (_, head) = one.queue.head().unwrap();
        assert_eq!(one.slots.due(head, world.clock), None);
        one.slots.next_work([1, 0], world.clock)
    };
    one.join([30, 0]);
    assert_eq!(ask(&mut world, &mut one), one.slots.seen_at + SECOND);
    // What another client gives back is noticed then.
    other.give_back(&Amounts::Few([60, 0, 0]), given, world.clock);
    world.exchange(&mut other);
    world.pass(Duration::from_secs(1));
    assert!(world.exchange(&mut one).calls[0].granted);
    one.all_go();
    one.join([31, 0]);
    world.clock = RESET - SECOND / 2;
    assert_eq!(ask(&mut world, &mut one), RESET);
    world.clock = RESET;
    assert!(world.exchange(&mut one).calls[0].granted);
}

#[test]
fn nothing_is_granted_in_the_last_jitter_nor_for_a_moment_in_it() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    // The first two are granted by the other limit too late.
    world.clock = RESET - LEAD - 100_000_000;
    for tokens in [9_000, 5_000] {
        client.join([1, tokens]);
    }
    let reply = world.exchange(&mut client);
    assert_eq!(reply.calls.len(), 1);
    client.all_go();
    assert_eq!(client.queue.len(), 1);
    // A call that takes nothing from it is.
    leave(&mut world, &mut client);
    client.join([0, 5_000]);
    assert!(world.exchange(&mut client).calls[0].granted);
    client.all_go();
    world.clock = RESET - LEAD;
    assert!(is_full(&mut world, &mut client, 1));
    world.clock = RESET;
    assert!(!is_full(&mut world, &mut client, AMOUNT));
}

#[test]
fn a_slot_and_a_lease_expire_before_the_last_jitter() {
    let mut world = start();
    let mut client = world.client();
    client.slots.terms.lease = Some(5 * SECOND);
    charge(&mut world, &mut client, 1);
    world.clock = RESET - LEAD - SECOND / 1_000;
    client.join([1, 0]);
    world.exchange(&mut client);
    let slots: Vec<_> = client.slots.slots.iter().map(|slot| (slot.is_lease(), slot.expires)).collect();
    assert_eq!(slots.len(), 2, "{slots:?}");
    assert!(slots.iter().all(|(_, expires)| *expires < RESET - LEAD), "{slots:?}");
    assert!(slots.iter().all(|(_, expires)| *expires > world.clock), "{slots:?}");
    world.clock = RESET - LEAD;
    let (_, head) = client.queue.head().unwrap();
    assert_eq!(client.slots.due(head, world.clock), None);
    assert!(client.slots.take(&[1, 0], world.clock).is_none());
}

#[test]
fn a_lease_takes_no_more_of_a_window_than_the_next_call_or_a_part_of_it() {
    let mut world = start();
    let mut client = world.client();
    // An hour has 100, and so 36 seconds have 1.
    client.slots.terms.lease = Some(40 * SECOND);
    client.slots.lease_for = Some(Amounts::Few([3, 1, 0]));
    world.exchange(&mut client);
    assert_eq!(client.slots.slots[0].amounts.as_slice()[0], 3);
    client.slots.drop_all(world.clock);
    client.slots.terms.lease = Some(360 * SECOND);
    client.slots.lease_for = Some(Amounts::Few([3, 1, 0]));
    world.exchange(&mut client);
    assert_eq!(client.slots.slots[0].amounts.as_slice()[0], 10);
}

#[test]
fn a_call_that_cannot_wait_for_the_reset_is_refused_at_once() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, AMOUNT);
    other.wait_at_most = 600 * SECOND;
    other.join([1, 0]);
    let reply = world.exchange(&mut other);
    let wait = (RESET - world.clock) / 1_000 * 1_000;
    assert_eq!(reply.calls[0], Decision { wait, limit: Some(0), granted: false });
    assert_eq!(other.slots.wait_of_next(&[1, 0], world.clock), (wait, 0));
    // It waits in vain in the last jitter, too.
    world.clock = RESET - LEAD;
    leave(&mut world, &mut other);
    learn(&mut world, &mut other);
    assert_eq!(other.slots.wait_of_next(&[1, 0], world.clock), (RESET - world.clock, 0));
}

#[test]
fn a_larger_call_than_what_is_in_force_needs_a_whole_window_and_leaves_a_debt() {
    let mut world = start();
    let (mut one, mut other) = (world.client(), world.client());
    charge(&mut world, &mut one, 1);
    one.slots.set_rate(0, 25, 100, world.clock);
    world.exchange(&mut one);
    learn(&mut world, &mut other);
    assert!(is_full(&mut world, &mut other, 60));
    assert_left(&mut world, &mut other, 24);
    world.clock = RESET;
    charge(&mut world, &mut other, 60);
    assert_eq!(look(&world, &other), (0, 35));
    world.clock = RESET + HOUR;
    assert!(is_full(&mut world, &mut one, 1));
    world.clock = RESET + 2 * HOUR;
    assert_left(&mut world, &mut one, 15);
}

#[test]
fn a_call_beyond_a_hold_that_ends_after_the_reset_waits_for_both() {
    let mut world = start();
    let mut client = world.client();
    charge(&mut world, &mut client, 1);
    world.clock = RESET - SECOND;
    client.slots.hold(RESET + 50_000_000, world.clock);
    world.exchange(&mut client);
    world.clock = RESET - 100_000_000;
    client.join([AMOUNT, 0]);
    assert!(world.exchange(&mut client).calls.is_empty());
    world.clock = RESET;
    let reply = world.exchange(&mut client);
    assert!(reply.calls[0].granted && reply.calls[0].wait > 40_000_000, "{reply:?}");
    let (_, head) = client.queue.head().unwrap();
    let due = client.slots.due(head, world.clock);
    assert!(due.is_some_and(|Due { at, .. }| at >= RESET + 50_000_000), "{due:?}");
}
