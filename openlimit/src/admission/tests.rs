//! Tests of cases that programs cannot bring about: times that reach the lock in another order than
//! they were read in.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::{Admission, Cap, Decided, Plan};
use crate::backend::{Backend, Buckets as _, Memory, Starting};
use crate::bucket::Metering;
use crate::limits::{Amounts, Dimension, Limit, Percent, Priority, Rate};
use crate::pricing::PriceOptions;
use crate::queue::{Outcome, Queue, Refusal, Urgency, Waiter};
use crate::time::Dates;

const SECOND: u64 = 1_000_000_000;

/// One limit of requests per second for each amount, with a burst of the whole amount.
fn limited(amounts: &[u64]) -> Admission {
    let metering = |amount: &u64| {
        Metering::new(Rate::per_second(*amount), Duration::from_secs(1), Duration::ZERO, (0, 100))
    };
    metered(&amounts.iter().map(metering).collect::<Vec<_>>(), &vec![0; amounts.len()], 1)
}

fn metered(meterings: &[Metering], dimensions: &[usize], width: usize) -> Admission {
    let starting = Starting {
        name: None,
        limits: &[],
        meterings,
        dimensions,
        reserve: None,
        max_hold: 0,
        dates: Dates::From(0),
        on_system_time: true,
    };
    Admission::new(Backend::Memory(Memory::new(&starting, 0)), Queue::new(width), Arc::default())
}

fn ten() -> Admission {
    limited(&[10])
}

fn requests(requests: u64) -> Amounts {
    Amounts::Few([requests, 0, 0])
}

fn waiter(requests_asked: u64, arrived: u64) -> Waiter {
    Waiter::new(requests(requests_asked), arrived, Urgency::default())
}

/// Has a call arrive that has to wait.
fn join(admission: &mut Admission, requests_asked: u64, now: u64) -> usize {
    match admission.arrive(waiter(requests_asked, now), now, &mut Vec::new()) {
        Decided::Waits(key) => key,
        decided => panic!("{decided:?}"),
    }
}

#[test]
fn an_older_time_finds_what_the_younger_one_left() {
    let mut admission = ten();
    assert!(admission.take(requests(10).as_slice(), 2 * SECOND).is_some());
    for older in [0, SECOND, 2 * SECOND] {
        assert!(admission.take(requests(1).as_slice(), older).is_none());
        assert!(admission.take(requests(0).as_slice(), older).is_some());
    }
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND + SECOND / 10).is_some());
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND).is_none());
}

#[test]
fn a_call_admitted_at_an_older_time_does_not_have_that_time_pass_twice() {
    let mut admission = ten();
    for time in [2, 1] {
        assert!(admission.take(requests(5).as_slice(), time * SECOND).is_some());
    }
    assert!(admission.take(requests(1).as_slice(), 2 * SECOND).is_none());
}

#[test]
fn an_older_time_admits_nobody_early_from_the_queue() {
    let mut admission = ten();
    assert!(admission.take(requests(10).as_slice(), 2 * SECOND).is_some());
    let key = join(&mut admission, 10, SECOND);
    let mut wakers = Vec::new();
    for time in [0, 3 * SECOND - 1, SECOND, 2 * SECOND, 3 * SECOND - 1] {
        admission.pump(time, &mut wakers);
        assert!(wakers.is_empty());
        assert_eq!(admission.next(), Some(3 * SECOND));
    }
    admission.pump(3 * SECOND, &mut wakers);
    assert_eq!(wakers.len(), 1);
    let (Some(Outcome::Admitted(grant)), _) = admission.queue.poll(key, Waker::noop().clone()) else {
        panic!("not admitted")
    };
    assert_eq!(grant.wait.map(|wait| wait.nanos), Some(2 * SECOND));
    assert_eq!(admission.next(), None);
}

#[test]
fn an_older_time_gives_back_no_more_than_there_is() {
    let mut admission = ten();
    let charge = admission.take(requests(10).as_slice(), 0).unwrap_or_default();
    assert!(admission.take(requests(10).as_slice(), SECOND).is_some());
    admission.backend.refund(&requests(10), charge, SECOND / 2, |_, _| ());
    assert!(admission.take(requests(1).as_slice(), SECOND).is_none(), "what it took had leaked");
}

#[test]
fn a_refused_call_puts_back_what_it_took_from_the_limits_before() {
    let mut admission = limited(&[10, 20, 5]);
    let charge = admission.take(requests(5).as_slice(), 0).unwrap_or_default();
    for _ in 0..100 {
        assert!(admission.take(requests(1).as_slice(), 0).is_none());
    }
    admission.backend.refund(&requests(5), charge, 0, |_, _| ());
    assert!(admission.take(requests(5).as_slice(), 0).is_some());
}

#[test]
fn announced_calls_are_woken_once_when_all_are_refused_unless_they_are_over() {
    let mut admission = ten();
    for call in 0..3 {
        assert!(admission.announce(call, Waker::noop().clone(), 0).is_ok());
    }
    assert!(admission.withdraw(1).is_some() && admission.withdraw(1).is_none());
    let mut wakers = Vec::new();
    admission.pump(0, &mut wakers);
    assert!(wakers.is_empty());
    admission.close(0);
    for _ in 0..2 {
        admission.pump(0, &mut wakers);
        assert_eq!(wakers.len(), 2);
    }
    assert!(matches!(admission.announce(3, Waker::noop().clone(), 0), Err(Refusal::Closed)));
}

#[test]
fn a_stacked_call_that_finds_no_place_does_not_take_another_one_out_of_the_queue_as_it_leaves() {
    let mut admission = ten();
    let mut wakers = Vec::new();
    assert!(admission.take(requests(10).as_slice(), 0).is_some());
    admission.cap(Cap { most: 0, ..Cap::default() }, 0, &mut wakers);
    let first = admission.join_stacked(waiter(1, 0), 0, 0, &mut wakers).expect("it joins");
    let refusal = admission.wait_stacked(first, 0, &mut wakers);
    assert!(matches!(refusal, Err(Refusal::QueueFull { waiting: 0, .. })));
    // On another thread, before the first one has left.
    let second = admission.join_stacked(waiter(1, 0), 0, 0, &mut wakers).expect("it joins");
    assert!(matches!(admission.leave(first, 0), (None, Some(Outcome::Refused(_)))));
    assert!(admission.queue.waiter(second).is_some());
}

#[test]
fn a_stacked_call_that_has_lost_patience_keeps_no_other_turns_however_near_its_turn_is() {
    const MILLISECOND: u64 = 1_000_000;
    let mut admission = limited(&[100]);
    let mut wakers = Vec::new();
    let call = admission.join_stacked(waiter(1, 0), 0, 0, &mut wakers).expect("it joins");
    admission.charge(&requests(105), 0);
    assert!(admission.retract(call, 0, 0));
    admission.pump(0, &mut wakers);
    assert!(admission.is_turn_near(call, 0), "it is due in 60 ms");
    // Now it is due in 60 ms again. It has been patient for most of its time.
    let now = 50 * MILLISECOND;
    admission.charge(&requests(5), now);
    admission.pump(now, &mut wakers);
    assert!(!admission.is_turn_near(call, now));
}

#[test]
fn when_a_high_call_times_out_that_a_low_one_went_before_the_next_high_one_passes_in_time() {
    let metering = Metering::new(Rate::per_second(100), Duration::from_secs(1), Duration::ZERO, (0, 100));
    let limits = vec![Limit::new(Dimension::Requests, Rate::per_second(100))];
    let plan = Plan::new("test".into(), limits, &[metering], true, PriceOptions::default());
    let plan = plan.reserving(Priority::High, Percent(20));
    let mut admission = metered(plan.meterings(), plan.dimensions(), plan.width()).reserving(plan.reserve());
    let amounts = |admission: &Admission, requests_asked, priority| {
        let mut amounts = requests(requests_asked);
        admission.fill_share(&mut amounts, priority);
        amounts
    };
    let arrive = |admission: &mut Admission, requests_asked, urgency: Urgency| {
        let amounts = amounts(admission, requests_asked, urgency.priority());
        admission.arrive(Waiter::new(amounts, 0, urgency), 0, &mut Vec::new())
    };
    let charge = |admission: &mut Admission, requests_asked, priority| {
        let amounts = amounts(admission, requests_asked, priority);
        admission.charge(&amounts, 0);
    };
    let (low, high) = (Urgency::default().of(Priority::Low), Urgency::default().of(Priority::High));
    charge(&mut admission, 80, Priority::Low);
    assert!(matches!(arrive(&mut admission, 60, low), Decided::Waits(_)));
    for _ in 0..9 {
        assert!(matches!(arrive(&mut admission, 1, high), Decided::Waits(_) | Decided::Admitted(_)));
    }
    assert!(matches!(arrive(&mut admission, 100, high.within(1_300_000_000)), Decided::Waits(_)));
    assert!(matches!(arrive(&mut admission, 75, high), Decided::Waits(_)));
    charge(&mut admission, 60, Priority::Low);
    charge(&mut admission, 10, Priority::High);
    // As after a walk along a long queue: the call is not refused before its timeout ends.
    admission.seldom.change().checks.made(0, 1 << 20, 0);
    admission.pump(1_300_000_000, &mut Vec::new());
    assert_eq!(admission.waiting(), (2, Some(1_340_000_000)));
}
