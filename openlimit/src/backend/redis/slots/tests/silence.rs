//! Calls whose timeout ends while they wait for the server, and not for a limit.

use std::time::Duration;

use super::client::Tenant;
use super::resets;
use super::world::{SLOW, World};
use crate::backend::Buckets as _;
use crate::error::{StoreError, StoreProblem};
use crate::limits::Amounts;
use crate::queue::{Refusal, Turn, Urgency, Waiter};

const MS: u64 = 1_000_000;

/// Starts a world with a client whose first call, of these amounts, was admitted.
fn after(call: [u64; 2]) -> (World, Tenant) {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.call(&mut client, call);
    (world, client)
}

/// Ends the timeout of a call that arrived 5 ms ago. Returns for how long the server was silent, if
/// that is the reason.
fn expire(client: &Tenant, amounts: [u64; 2], now: u64) -> Option<Duration> {
    expire_after(5 * MS, client, amounts, now)
}

/// Ends the timeout of a call that has waited for so long: the one of these amounts in the queue.
fn expire_after(waited: u64, client: &Tenant, [requests, tokens]: [u64; 2], now: u64) -> Option<Duration> {
    let amounts = Amounts::Few([requests, tokens, 0]);
    let same = |(_, waiter): &(_, &Waiter)| waiter.amounts.as_slice() == amounts.as_slice();
    let number = client.queue.iter().find(same).map_or(0, |(_, waiter)| waiter.number);
    let waiter = Waiter::new(amounts, now - waited, Urgency::default().within(waited));
    let waiter = Waiter { number, ..waiter };
    match client.slots.expire(&waiter, &client.queue, 0, now) {
        Refusal::Undecided { error, .. } => match error.problem() {
            StoreProblem::TimedOut(silence) => Some(*silence),
            problem => panic!("{problem}"),
        },
        Refusal::TimedOut { .. } => None,
        refusal => panic!("{refusal:?}"),
    }
}

#[test]
fn a_timeout_that_ends_before_the_server_was_asked_is_not_the_limit_s() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.clock += 10 * MS;
    client.join([1, 1]);
    // The driver has not come to it yet.
    assert_eq!(expire(&client, [1, 1], world.clock), Some(Duration::from_millis(5)));
    // It has, and there is no reply.
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    assert_eq!(expire(&client, [1, 1], world.clock + 5 * MS), Some(Duration::from_millis(5)));
}

#[test]
fn a_call_that_arrives_while_a_batch_is_on_its_way_waits_for_the_server() {
    let (world, mut client) = after([1, 1]);
    client.slots.wants_news = true;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    client.join([1, 1]);
    let arrived = world.clock + MS;
    assert!(expire_after(MS, &client, [1, 1], arrived + MS).is_some());
}

#[test]
fn a_timeout_that_ends_during_an_outage_states_its_reason_whatever_the_limit_asks_for() {
    let (world, mut client) = after([1, 9_000]);
    client.join([1, 5_000]);
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let second = Duration::from_secs(1);
    let error = StoreError::new(&"".into(), StoreProblem::TimedOut(second));
    client.slots.failed(&error, &client.queue, world.clock);
    assert_eq!(expire(&client, [1, 5_000], world.clock + 5 * MS), Some(second));
}

#[test]
fn a_timeout_that_ends_after_a_reply_to_others_is_not_the_limit_s_either() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.clock += 10 * MS;
    world.call(&mut client, [1, 1]);
    client.join([1, 1]);
    // The driver takes a moment.
    world.clock += MS;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    assert_eq!(expire_after(2 * MS, &client, [1, 1], world.clock + MS), Some(Duration::from_millis(2)));
}

#[test]
fn a_timeout_that_ends_while_a_limit_has_no_room_is_the_limit_s() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.clock += 10 * MS;
    world.call(&mut client, [1, 9_000]);
    client.join([1, 5_000]);
    assert_eq!(expire_after(MS, &client, [1, 5_000], world.clock + MS), None);
    // Also if it has arrived since the reply, and the driver is late.
    let now = world.clock + 50 * MS;
    assert_eq!(expire_after(40 * MS, &client, [1, 5_000], now), None);
}

#[test]
fn a_batch_without_a_reply_is_why_a_call_timed_out_although_the_limit_had_no_room_before() {
    let (world, mut client) = after([1, 9_000]);
    let joined = world.clock;
    client.join([1, 5_000]);
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - joined, &client, [1, 5_000], now);
    // No later than a reply may be that is not held up: by half of the jitter.
    assert_eq!(expire(world.clock + 10 * MS), None);
    assert_eq!(expire(world.clock + 50 * MS), Some(Duration::from_millis(50)));
    client.slots.usual_trip = 20 * MS;
    let expire = |now: u64| expire_after(now - joined, &client, [1, 5_000], now);
    assert_eq!(expire(world.clock + 50 * MS), None);
    assert!(expire(world.clock + 80 * MS).is_some());
}

#[test]
fn a_call_that_is_not_asked_for_because_too_many_are_in_flight_does_not_wait_for_the_server() {
    let (mut world, mut client) = after([1, 1]);
    let arrived = world.clock;
    client.join([1, 1]);
    client.join([1, 2]);
    client.slots.set_room(1);
    world.clock += MS;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |amounts| expire_after(2 * MS, &client, amounts, arrived + 2 * MS);
    assert!(expire([1, 1]).is_some());
    assert_eq!(expire([1, 2]), None);
}

#[test]
fn a_call_behind_one_that_waits_for_another_limiter_is_not_kept_back_by_the_server() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    let call = Waiter::new(Amounts::Few([1, 1, 0]), 0, Urgency::default());
    let head = client.queue.join(Waiter { turn: Turn::REPORTS, ..call });
    world.exchange(&mut client);
    client.queue.report(head);
    (0..4).for_each(|tokens| _ = client.join([1, 2 + tokens]));
    // The next three have slots, and the fourth one waits for its turn.
    world.exchange(&mut client);
    assert_eq!(expire_after(MS / 10, &client, [1, 5], world.clock + MS), None);
}

#[test]
fn a_timeout_that_ends_while_the_call_of_another_client_goes_first_is_the_limit_s() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.clock += 10 * MS;
    world.call(&mut client, [1, 1]);
    client.join([1, 1]);
    client.slots.ask_at = world.clock + 20 * MS;
    assert_eq!(expire_after(MS, &client, [1, 1], world.clock + MS), None);
    // Its driver is late. The server is not, since it was not asked.
    assert_eq!(expire_after(80 * MS, &client, [1, 1], world.clock + 80 * MS), None);
}

#[test]
fn a_timeout_that_ends_while_a_client_in_line_asks_again_is_the_limit_s() {
    let mut world = World::start(SLOW);
    let (mut large, mut small) = (world.short_look_ahead_client(), world.short_look_ahead_client());
    world.call(&mut large, [180, 0]);
    large.join([180, 0]);
    world.exchange(&mut large);
    small.join([1, 0]);
    assert_eq!(world.exchange(&mut small).place, 2);
    // There is room for the small call, but the large one goes first.
    world.pass(Duration::from_millis(50));
    small.slots.ask_at = world.clock;
    assert!(small.slots.collect(&small.queue, false, world.clock).is_ok());
    let asked_at = world.clock;
    // Also of a call that has arrived since the last reply.
    for arrived in [0, asked_at - 5 * MS] {
        let expire = |now| expire_after(now - arrived, &small, [1, 0], now);
        assert_eq!(expire(asked_at + MS), None);
        // The reply takes longer than it ever should.
        assert!(expire(asked_at + 50 * MS).is_some());
    }
}

#[test]
fn a_timeout_that_ends_long_after_a_batch_without_a_reply_is_not_the_limit_s() {
    let (world, mut client) = after([1, 1]);
    let joined = world.clock;
    client.join([1, 1]);
    // It is in line, and takes along the call before its turn.
    client.slots.ask_at = world.clock + 1_000 * MS;
    client.slots.wants_news = true;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - joined, &client, [1, 1], now);
    assert_eq!(expire(world.clock + MS), None);
    assert!(expire(world.clock + 50 * MS).is_some());
}

#[test]
fn a_call_above_without_a_reply_was_not_kept_back_because_one_below_was() {
    let (world, mut client) = after([1, 1]);
    let joined = world.clock;
    client.join([1, 1]);
    client.slots.below_at = world.clock + 1_000 * MS;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let now = world.clock + MS;
    assert!(expire_after(now - joined, &client, [1, 1], now).is_some());
}

#[test]
fn a_call_below_behind_one_above_in_line_waits_for_the_limit() {
    let (mut world, mut client) = after([1, 1]);
    // The second one is the share of the first one.
    client.slots.limits = 1;
    let joined = world.clock;
    client.join([1, 0]);
    client.join([1, 1]);
    client.slots.ask_at = world.clock + MS;
    world.clock += MS;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - joined, &client, [1, 1], now);
    assert_eq!(expire(world.clock + MS), None);
    assert!(expire(world.clock + 50 * MS).is_some());
}

#[test]
fn a_call_above_behind_one_below_in_line_waits_for_the_limit() {
    let (mut world, mut client) = after([1, 1]);
    // The second one is the share of the first one.
    client.slots.limits = 1;
    let joined = world.clock;
    let below = client.join([1, 1]);
    client.join([1, 0]);
    let number = client.queue.waiter(below).map_or(0, |below| below.number);
    let slots = &mut client.slots;
    (slots.in_line, slots.below_at, slots.kept_back) =
        (Some(true), world.clock + 10 * MS, Some((below, number)));
    world.clock += 10 * MS;
    let expire = |client: &Tenant, now: u64| expire_after(now - joined, client, [1, 0], now);
    // The batch asks for the one below alone.
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    assert_eq!(expire(&client, world.clock + MS), None);
    assert!(expire(&client, world.clock + 50 * MS).is_some());
    // That one has left.
    client.slots.in_flight = None;
    (client.slots.in_line, client.slots.below_at) = (Some(true), world.clock + 20 * MS);
    world.clock += 10 * MS;
    client.queue.leave(below);
    assert_eq!(expire(&client, world.clock), None);
    // Its queue knows of no share, so it would not ask for the one above.
    client.slots.limits = 2;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    assert_eq!(expire(&client, world.clock + MS), None);
    assert!(expire(&client, world.clock + 50 * MS).is_some());
}

#[test]
fn a_call_behind_a_large_slot_for_now_or_behind_a_small_one_waits_for_the_server() {
    for (before, requests, wait) in [(1, 150, 0), (180, 50, 51)] {
        let mut world = World::start(SLOW);
        let mut client = world.client();
        world.call(&mut client, [before, 0]);
        client.join([requests, 0]);
        world.exchange(&mut client);
        world.pass(Duration::from_millis(wait));
        assert!(client.goes_in_time(world.clock));
        client.join([1, 0]);
        assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
        assert!(expire_after(MS, &client, [1, 0], world.clock + MS).is_some(), "{requests}");
    }
}

#[test]
fn a_call_above_behind_one_below_that_waits_for_a_reset_waits_for_the_limit() {
    let mut world = resets::start();
    let mut client = world.client();
    world.call(&mut client, [95, 0]);
    // The second one is the share of the first one.
    client.slots.limits = 1;
    client.join([10, 1]);
    world.exchange(&mut client);
    client.slots.wants_news = true;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    // There is room for this call, but the one below is owed its turn.
    client.join([3, 0]);
    let arrived = world.clock + MS;
    let expire = |now| expire_after(now - arrived, &client, [3, 0], now);
    assert_eq!(expire(arrived + MS), None);
    assert!(expire(arrived + 50 * MS).is_some());
}

#[test]
fn a_reply_to_a_batch_that_began_before_a_call_below_was_asked_for_again_does_not_decide_it() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    world.clock += 10 * MS;
    world.call(&mut client, [1, 1]);
    client.slots.limits = 1;
    let joined = world.clock;
    client.join([1, 1]);
    // The round trip of the last reply began before that.
    client.slots.answered_from -= MS;
    client.slots.below_at = client.slots.seen_at - MS / 2;
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - joined, &client, [1, 1], now);
    assert_eq!(expire(world.clock + MS), None);
    assert!(expire(world.clock + 50 * MS).is_some());
}

#[test]
fn a_call_that_was_asked_for_in_vain_waited_for_the_limit() {
    let (mut world, mut client) = after([1, 1]);
    let joined = world.clock;
    client.join([1, 1]);
    world.clock += MS;
    world.exchange(&mut client);
    // It is asked for again, because its slot was taken or given back.
    client.slots.drop_all(world.clock);
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - joined, &client, [1, 1], now);
    assert_eq!(expire(world.clock + MS), None);
    assert_eq!(expire(world.clock + 50 * MS), Some(Duration::from_millis(50)));
}

#[test]
fn a_call_behind_a_large_slot_waited_for_it_and_not_for_the_server() {
    let (mut world, mut client) = after([180, 0]);
    client.join([150, 0]);
    world.exchange(&mut client);
    let arrived = world.clock + MS;
    client.join([1, 0]);
    // It is asked for once the large call has departed.
    assert!(client.slots.collect(&client.queue, false, arrived).is_err());
    world.pass(Duration::from_millis(151));
    assert!(client.goes_in_time(world.clock));
    assert!(client.slots.collect(&client.queue, false, world.clock).is_ok());
    let expire = |now: u64| expire_after(now - arrived, &client, [1, 0], now);
    assert_eq!(expire(world.clock + 3 * MS), None);
    assert_eq!(expire(world.clock + 50 * MS), Some(Duration::from_millis(50)));
}

#[test]
fn a_limit_without_room_keeps_a_call_back_that_has_arrived_since_the_last_reply() {
    let (world, mut client) = after([1, 9_000]);
    client.join([1, 5_000]);
    let arrived = world.clock + MS;
    assert!(client.slots.collect(&client.queue, false, arrived).is_ok());
    let expire = |now: u64| expire_after(now - arrived, &client, [1, 5_000], now);
    assert_eq!(expire(arrived + MS), None);
    assert!(expire(arrived + 50 * MS).is_some());
}

#[test]
fn a_batch_that_was_refused_and_may_have_been_decided_is_sent_again_when_the_limiter_is_used() {
    let mut world = World::start(SLOW);
    let mut client = world.client();
    client.slots.terms.lease = Some(50 * MS);
    client.slots.owe(&Amounts::Few([1, 1, 0]), world.clock);
    for uses in [
        |client: &mut Tenant| _ = client.join([1, 1]),
        |client: &mut Tenant| {
            client.slots.would_wait(
                &Waiter::new(Amounts::Few([1, 1, 0]), 0, Urgency::default()),
                &client.queue,
                0,
            );
        },
    ] {
        let Tenant { slots, queue, .. } = &mut client;
        assert!(slots.in_flight.is_some() || slots.collect(queue, true, world.clock).is_ok());
        assert!(!slots.calls_driver(queue, world.clock), "it is at work");
        let error = StoreError::new(&"".into(), StoreProblem::Refused(String::new()));
        slots.failed(&error, queue, world.clock);
        assert!(!slots.calls_driver(queue, world.clock));
        uses(&mut client);
        assert!(client.slots.calls_driver(&client.queue, world.clock));
        client.all_leave();
    }
}
