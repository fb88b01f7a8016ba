//! Holds that are announced: what the next reply says decides, whenever it comes.

use std::time::Duration;

use super::client::Tenant;
use super::world::World;
use crate::backend::Buckets as _;
use crate::backend::redis::wire::{Announcement, BatchReply};

const SECOND: u64 = 1_000_000_000;
const REQUESTS: usize = 0;
const TOKENS: usize = 1;

impl Announcement {
    /// What the script publishes with a reply.
    pub(super) fn of(reply: &BatchReply) -> Self {
        let shut_for = reply.buckets.iter().map(|bucket| bucket.shut_for).collect();
        let BatchReply { decided, epoch, held_for, is_exhausted, .. } = *reply;
        Self { decided, epoch, held_for, is_exhausted, shut_for }
    }

    pub(super) fn holds(&self) -> bool {
        self.held_for > 0 || self.shut_for.iter().any(|time| *time > 0)
    }
}

/// Has a client begin a hold of a second, and returns what is announced.
fn hold(world: &mut World, client: &mut Tenant) -> Announcement {
    hold_of(world, client, None)
}

/// The same of one limit, or of all calls.
fn hold_of(world: &mut World, client: &mut Tenant, limit: Option<usize>) -> Announcement {
    let until = world.clock + SECOND;
    match limit {
        Some(place) => client.slots.hold_limit(place, until, world.clock),
        None => client.slots.hold(until, world.clock),
    }
    Announcement::of(&world.exchange(client))
}

#[test]
fn a_hold_that_is_announced_gives_back_the_slots() {
    let (mut world, mut one, mut other) = World::of_two();
    other.join([1, 0]);
    world.exchange(&mut other);
    assert_eq!(other.slots.slots.len(), 1);
    let announcement = hold(&mut world, &mut one);
    other.slots.hear(&announcement, world.clock);
    assert!(other.slots.slots.is_empty() && other.slots.is_held(world.clock));
    assert!(other.slots.ledger.is_pending() && other.slots.held_until() > world.clock + SECOND / 2);
    world.exchange(&mut other);
    assert!(other.slots.is_held(world.clock));
}

#[test]
fn a_reply_from_before_an_announcement_does_not_end_the_hold_and_its_slots_are_given_back() {
    let (mut world, mut one, mut other) = World::of_two();
    other.join([1, 0]);
    let mut announcement = None;
    let reply = world.exchange_while(&mut other, |world, other| {
        let heard = hold(world, &mut one);
        other.slots.hear(&heard, world.clock);
        announcement = Some(heard);
    });
    assert_eq!((reply.granted(), reply.held_for), (1, 0));
    assert!(other.slots.is_held(world.clock) && other.slots.slots.is_empty());
    // It is heard twice.
    other.slots.hear(&announcement.unwrap(), world.clock);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    // Every later reply decides, also one that ends the hold.
    world.learn(&mut other);
    assert!(!other.slots.is_held(world.clock));
}

#[test]
fn an_announcement_from_before_a_reply_changes_nothing() {
    let (mut world, mut one, mut other) = World::of_two();
    let announcement = hold(&mut world, &mut one);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    world.learn(&mut other);
    other.slots.hear(&announcement, world.clock);
    assert!(!other.slots.is_held(world.clock));
}

#[test]
fn an_announcement_about_other_data_changes_nothing() {
    let (mut world, mut one, mut other) = World::of_two();
    let announcement = hold(&mut world, &mut one);
    let elsewhere = Announcement { epoch: announcement.epoch - 1, ..announcement };
    other.slots.hear(&elsewhere, world.clock);
    assert!(!other.slots.is_held(world.clock));
}

#[test]
fn an_announcement_does_not_undo_what_the_client_itself_has_just_ended() {
    let (mut world, mut one, mut other) = World::of_two();
    let first = hold(&mut world, &mut one);
    other.slots.hear(&first, world.clock);
    other.slots.release(world.clock);
    world.clock += 1_000_000;
    let second = Announcement { decided: first.decided + 1_000, ..first };
    other.slots.hear(&second, world.clock);
    assert!(!other.slots.is_held(world.clock));
}

#[test]
fn a_hold_of_one_limit_that_is_announced_leaves_the_slots_of_other_calls() {
    let (mut world, mut one, mut other) = World::of_two();
    for amounts in [[1, 0], [1, 10]] {
        other.join(amounts);
    }
    world.exchange_while(&mut other, |world, other| {
        one.slots.hold_limit(TOKENS, world.clock + SECOND, world.clock);
        let heard = Announcement::of(&world.exchange(&mut one));
        other.slots.hear(&heard, world.clock);
    });
    assert_eq!(other.slots.slots.len(), 1);
    assert!(other.slots.limit_held_until(TOKENS) > world.clock);
    assert_eq!((other.slots.limit_held_until(REQUESTS), other.slots.held_until()), (0, 0));
}

#[test]
fn a_clock_that_was_set_back_hides_no_reply() {
    let (mut world, mut one, mut other) = World::of_two();
    let announcement = hold(&mut world, &mut one);
    other.slots.hear(&announcement, world.clock);
    one.slots.release(world.clock);
    world.exchange(&mut one);
    world.set_server_back(Duration::from_secs(1));
    world.learn(&mut other);
    assert!(!other.slots.is_held(world.clock));
}

#[test]
fn a_hold_that_was_announced_outlasts_the_data_of_the_server_and_its_clock() {
    for limit in [None, Some(TOKENS)] {
        let (mut world, mut one, mut other) = World::of_two();
        let announcement = hold_of(&mut world, &mut one, limit);
        other.slots.hear(&announcement, world.clock);
        world.lose_the_state(&[]);
        world.set_server_back(Duration::from_secs(1));
        let reply = world.learn(&mut other);
        assert!(reply.held_for.max(reply.buckets[TOKENS].shut_for) > 0);
        assert!(other.slots.is_shut(world.clock));
    }
}

#[test]
fn a_hold_that_is_announced_between_a_loss_and_the_reply_is_told_with_the_next_batch() {
    for limit in [None, Some(TOKENS)] {
        let (mut world, mut one, mut other) = World::of_two();
        let announcement = hold_of(&mut world, &mut one, limit);
        world.lose_the_state(&[]);
        other.slots.wants_news = true;
        world.exchange_while(&mut other, |world, other| other.slots.hear(&announcement, world.clock));
        assert!(other.slots.is_shut(world.clock));
        let reply = world.exchange(&mut other);
        assert!(reply.held_for.max(reply.buckets[TOKENS].shut_for) > 0);
        assert!(other.slots.is_shut(world.clock));
    }
}

#[test]
fn a_quota_is_used_up_anew_for_a_client_that_waited_to_try_it() {
    let (mut world, mut one, mut other) = World::of_two();
    one.slots.exhaust(world.clock + SECOND, world.clock);
    world.exchange(&mut one);
    world.learn(&mut other);
    world.pass(Duration::from_secs(2));
    // The quota is back, and other calls are granted.
    one.slots.reopen(world.clock);
    world.exchange(&mut one);
    other.join([1, 0]);
    let reply = world.exchange_while(&mut other, |world, other| {
        one.slots.exhaust(world.clock + 60 * SECOND, world.clock);
        let announcement = Announcement::of(&world.exchange(&mut one));
        other.slots.hear(&announcement, world.clock);
    });
    assert_eq!(reply.granted(), 1);
    assert!(other.slots.slots.is_empty() && other.slots.is_exhausted);
    world.learn(&mut other);
    assert!(other.slots.held_until > world.clock + 59 * SECOND);
}

#[test]
fn what_was_granted_before_a_quota_was_used_up_is_given_back_although_its_time_is_over() {
    let (mut world, mut one, mut other) = World::of_two();
    other.join([1, 0]);
    let reply = world.exchange_while(&mut other, |world, other| {
        one.slots.exhaust(world.clock + SECOND / 300, world.clock);
        let announcement = Announcement::of(&world.exchange(&mut one));
        other.slots.hear(&announcement, world.clock);
        world.pass(Duration::from_millis(5));
    });
    assert_eq!(reply.granted(), 1);
    assert!(other.slots.is_exhausted && other.slots.held_until <= world.clock);
    assert!(other.slots.slots.is_empty());
}
