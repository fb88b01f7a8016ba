//! What reaches a limit reaches its share, too: holds, cuts, rates, responses, and lost states.

use std::time::Duration;

use super::crowd::{Client, Crowd, JITTER, MILLISECOND, SECOND};
use crate::backend::redis::scale::ONE;
use crate::backend::{Backend, Buckets as _, HOLD};
use crate::bucket::Metering;
use crate::limits::{Amounts, Priority, Rate};
use crate::queue::{Urgency, Waiter};

use Priority::{High, Low};

/// The share of calls below, in the order of the script.
const SHARE: usize = 1;

/// Two clients of a limit of 1 000 per second, both of which the server knows.
fn two() -> Crowd {
    let metering = Metering::new(Rate::per_second(1_000), Duration::from_secs(1), JITTER, (0, 100));
    let mut crowd = Crowd::new(metering, &[100 * MILLISECOND; 2]);
    for client in 0..2 {
        crowd.call(client, 10, Low);
    }
    crowd.pass(10 * MILLISECOND);
    assert_eq!(crowd.calls(|_| true).len(), 2);
    crowd
}

/// Returns how much calls of this priority take at once of what has room now, in calls of 10.
fn room(crowd: &mut Crowd, client: usize, priority: Priority) -> u64 {
    let before = crowd.now;
    for _ in 0..100 {
        crowd.call(client, 10, priority);
    }
    crowd.pass(5 * MILLISECOND);
    let took = crowd.used(before, |call| call.priority == priority && call.arrived >= before);
    while !crowd.clients[client].waiting.is_empty() {
        crowd.leave(client);
    }
    took
}

/// Lets a client learn what the server knows.
fn learn(crowd: &mut Crowd, client: usize) {
    crowd.clients[client].slots().wants_news = true;
    crowd.pass(5 * MILLISECOND);
}

fn backend(client: &mut Client) -> &mut impl crate::backend::Buckets {
    &mut client.admission.backend
}

#[test]
fn a_hold_of_the_limit_stops_calls_above_and_below_in_all_clients_and_its_share_does_not_leak() {
    let mut crowd = two();
    assert!(room(&mut crowd, 0, Low) >= 700);
    let now = crowd.now;
    backend(&mut crowd.clients[0]).hold_limit(0, now + 2 * SECOND, now);
    crowd.pass(5 * MILLISECOND);
    learn(&mut crowd, 1);
    for priority in [High, Low] {
        assert_eq!(room(&mut crowd, 1, priority), 0);
        assert_eq!(room(&mut crowd, 0, priority), 0);
    }
    crowd.pass(2 * SECOND);
    learn(&mut crowd, 1);
    assert!(room(&mut crowd, 1, Low) < 100);
    assert!(room(&mut crowd, 1, High) > 100);
    crowd.check();
}

#[test]
fn a_cut_and_a_rate_reach_the_share_in_all_clients() {
    let mut crowd = two();
    let now = crowd.now;
    let charge = crowd.calls(|_| true)[0].charge;
    assert!(backend(&mut crowd.clients[0]).cut(0, 60 * SECOND, charge, now));
    assert!(!backend(&mut crowd.clients[0]).cut(0, 60 * SECOND, charge, now));
    crowd.pass(5 * MILLISECOND);
    learn(&mut crowd, 1);
    for client in &mut crowd.clients {
        assert!((0..2).all(|bucket| client.slots().bucket_climbs(bucket, now + SECOND)));
        let [limit, share] = [0, SHARE].map(|bucket| client.slots().scales[bucket].weight(8_000));
        // A tenth of a millisecond, for rounding.
        assert!(share.abs_diff(limit / 4 * 5) < MILLISECOND / 10, "{share} and {limit}");
    }
    let now = crowd.now;
    backend(&mut crowd.clients[1]).set_rate(0, 500, 1_000, now);
    crowd.pass(20 * MILLISECOND);
    learn(&mut crowd, 0);
    for client in &mut crowd.clients {
        assert!(client.slots().scales.iter().all(|scale| scale.rate() == ONE / 2));
    }
}

#[test]
fn what_a_response_says_is_left_is_shared_in_the_same_way() {
    let mut crowd = two();
    let now = crowd.now;
    backend(&mut crowd.clients[0]).cap(0, 200, now);
    crowd.pass(20 * MILLISECOND);
    learn(&mut crowd, 1);
    let slots = crowd.clients[1].slots();
    let left = [0, SHARE].map(|bucket| {
        let scale = slots.scales[bucket];
        scale.whole(scale.fit - slots.ledger.level(bucket))
    });
    // And what has leaked meanwhile.
    assert!((200..=220).contains(&left[0]) && (160..=180).contains(&left[1]), "{left:?}");
}

#[test]
fn a_share_outlasts_a_state_that_was_lost() {
    let mut crowd = two();
    assert!(room(&mut crowd, 0, Low) >= 700);
    learn(&mut crowd, 0);
    crowd.lose_the_state();
    learn(&mut crowd, 0);
    assert!(room(&mut crowd, 1, Low) < 100);
    assert!(room(&mut crowd, 1, High) > 100);
}

#[test]
fn a_call_that_is_kept_back_is_known_to_wait_for_its_share() {
    let mut crowd = two();
    for _ in 0..3 {
        crowd.call(0, 700, Low);
    }
    crowd.pass(600 * MILLISECOND);
    let now = crowd.now;
    let client = &mut crowd.clients[0];
    assert!(client.slots().below_at > now);
    let (wait, limit) = backend(client).wait_of_next(&[10, 10], now);
    assert!(wait > 0 && limit == 0 && limit != HOLD);
    assert_eq!(backend(client).wait_of_next(&[10, 0], now).0, 0);
    assert!(backend(client).waits_for_share(&[700, 700], now));
}

/// Makes a round trip of a client that takes no time, and lets no call depart. Returns the next
/// batch, or when there will be one.
fn exchange(crowd: &mut Crowd, client: usize) -> Result<Vec<u8>, Option<u64>> {
    let now = crowd.now;
    let collect = |crowd: &mut Crowd| {
        let admission = &mut crowd.clients[client].admission;
        let Backend::Redis(slots) = &mut admission.backend else { unreachable!() };
        slots.collect(&admission.queue, false, now)
    };
    let batch = collect(crowd).expect("there is something to send");
    let reply = crowd.decide(client, &batch);
    let admission = &mut crowd.clients[client].admission;
    let Backend::Redis(slots) = &mut admission.backend else { unreachable!() };
    slots.apply(&reply, &admission.queue, now, now);
    collect(crowd)
}

#[test]
fn a_call_below_on_hold_is_asked_for_at_the_end_although_a_call_above_that_is_not_is_first() {
    let mut crowd = two();
    let until = crowd.now + SECOND / 2;
    backend(&mut crowd.clients[0]).hold_limit(0, until, crowd.now);
    crowd.pass(5 * MILLISECOND);
    // The first one takes nothing.
    for (amount, priority) in [(0, High), (10, Low)] {
        let amounts = Amounts::Few([amount, amount, 0]);
        let waiter = Waiter::new(amounts, crowd.now, Urgency::default().of(priority));
        crowd.clients[0].admission.queue.join(waiter);
    }
    let next = exchange(&mut crowd, 0).unwrap_err().expect("a call waits");
    assert_eq!(crowd.clients[0].slots().slots.len(), 1);
    assert!(next.abs_diff(until) < MILLISECOND, "{next} and not {until}");
    // Another process ends it, some time after it was asked for.
    crowd.now += 20 * MILLISECOND;
    crowd.clients[1].slots().wants_news = true;
    exchange(&mut crowd, 1).unwrap_err();
    let now = crowd.now;
    backend(&mut crowd.clients[1]).release(now);
    exchange(&mut crowd, 1).unwrap_err();
    crowd.clients[0].slots().wants_news = true;
    assert!(exchange(&mut crowd, 0).is_ok());
}

#[test]
fn a_call_below_is_asked_for_when_the_one_on_hold_in_front_of_it_leaves_although_a_call_above_is_first() {
    let mut crowd = two();
    let until = crowd.now + 100 * SECOND;
    backend(&mut crowd.clients[0]).hold_limit(0, until, crowd.now);
    crowd.pass(5 * MILLISECOND);
    let now = crowd.now;
    let keys = [(0, High), (10, Low), (10, Low)].map(|(amount, priority)| {
        let waiter = Waiter::new(Amounts::Few([amount, amount, 0]), now, Urgency::default().of(priority));
        crowd.clients[0].admission.queue.join(waiter)
    });
    // Once a second at most, since nobody tells that a hold has ended.
    let next = exchange(&mut crowd, 0).unwrap_err().expect("a call waits");
    assert!(next.abs_diff(now + SECOND) < MILLISECOND, "{next}");
    crowd.clients[0].admission.queue.leave(keys[1]);
    let Client { admission, .. } = &mut crowd.clients[0];
    assert!(admission.backend.calls_driver(&admission.queue, now));
    // And once only.
    let calls = (0..2).map(|_| admission.backend.calls_driver(&admission.queue, now));
    assert_eq!(calls.collect::<Vec<_>>(), [false; 2]);
}

#[test]
fn a_call_below_on_hold_is_overtaken_as_often_as_in_memory() {
    let limit = Metering::new(Rate::per_second(1_000), Duration::from_secs(1), JITTER, (0, 100));
    for mut crowd in [Crowd::in_memory(limit), Crowd::new(limit, &[100 * MILLISECOND])] {
        let until = crowd.now + SECOND;
        backend(&mut crowd.clients[0]).hold_limit(0, until, crowd.now);
        crowd.call(0, 10, Low);
        // They take nothing of the limit on hold.
        for _ in 0..20 {
            crowd.call(0, 0, High);
            crowd.pass(10 * MILLISECOND);
        }
        assert_eq!(crowd.calls(|_| true).len(), 9);
        crowd.pass(SECOND);
        assert_eq!(crowd.calls(|_| true).len(), 21);
    }
}

/// Lets a large call below that is owed its turn wait for the limit, and those above without end.
/// Returns how long it waits, and how many batches that takes.
fn waits_in_line(mut crowd: Crowd) -> (u64, u64) {
    crowd.call(0, 950, High);
    crowd.pass(10 * MILLISECOND);
    crowd.call(0, 700, Low);
    let (begin, batches) = (crowd.now, crowd.batches);
    while crowd.clients[0].waits(Low) > 0 && crowd.now < 5 * SECOND {
        (crowd.clients[0].waits(High)..5).for_each(|_| crowd.call(0, 10, High));
        crowd.pass(MILLISECOND);
    }
    (crowd.now - begin, crowd.batches - batches)
}

#[test]
fn calls_above_wait_for_one_below_that_is_owed_its_turn_and_in_line_and_cost_no_batches() {
    let limit = Metering::new(Rate::per_second(1_000), Duration::from_secs(1), JITTER, (0, 100));
    let (memory, _) = waits_in_line(Crowd::in_memory(limit));
    let (shared, batches) = waits_in_line(Crowd::new(limit, &[100 * MILLISECOND]));
    assert!(shared <= memory + 10 * MILLISECOND, "{shared} and {memory} ns");
    assert!(batches <= 20, "{batches} in {shared} ns");
}

#[test]
fn a_call_below_that_waits_for_its_share_is_not_asked_for_while_one_above_is_in_line() {
    let mut crowd = two();
    // They fill the share, and then the limit.
    for (amount, priority) in [(700, Low), (700, Low), (200, High), (300, High)] {
        crowd.call(0, amount, priority);
        crowd.pass(4 * MILLISECOND);
    }
    let now = crowd.now;
    let Client { admission, .. } = &mut crowd.clients[0];
    let Backend::Redis(slots) = &mut admission.backend else { unreachable!() };
    assert!(slots.ask_at > now && slots.below_at > now && slots.has_no_slots());
    slots.wants_news = true;
    slots.collect(&admission.queue, false, now).expect("it asks for news");
    let asked: Vec<_> = slots.in_flight.iter().flatten().map(|call| call.amounts.as_slice()).collect();
    assert_eq!(asked, [[300, 0, 0]]);
}
