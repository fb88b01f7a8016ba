//! `update` of what is no limit: concurrency, the bound of the queue, and jitter.

use std::ops::RangeInclusive;

use openlimit::Priority::{High, Low, Normal};
use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Concurrency, Cost, Overflow, Permit, Priority, Rate, RateLimiter,
};
use openlimit_tests::{Call, millis, plain, refused_as_full, secs};

/// A limiter of calls in flight.
fn in_flight(concurrency: impl Into<Concurrency>) -> RateLimiter {
    plain(&ManualClock::new()).name("chat").concurrency(concurrency).build().expect("a valid concurrency")
}

fn bound(limiter: &RateLimiter, concurrency: impl Into<Concurrency>) {
    limiter.update(|limits| limits.concurrency(concurrency)).expect("a valid concurrency");
}

/// Makes as many calls as may be in flight.
fn fill(limiter: &RateLimiter) -> Vec<Permit> {
    let permits: Vec<_> = (0..1_000).map_while(|_| limiter.try_acquire(Cost::new()).ok()).collect();
    assert!(permits.len() < 1_000);
    permits
}

/// Returns how many calls are in flight, and how many may be.
fn flights(limiter: &RateLimiter) -> (u32, u32) {
    let status = limiter.status().expect("it is built");
    let in_flight = status.in_flight.expect("it is limited");
    (in_flight.calls, in_flight.most)
}

fn call(limiter: &RateLimiter, priority: Priority) -> Call {
    Call::start(limiter.acquire(Cost::new()).priority(priority))
}

#[test]
fn a_higher_concurrency_admits_calls_that_wait_at_once() {
    let limiter = in_flight(2);
    let permits = fill(&limiter);
    let mut waits = [(); 4].map(|()| call(&limiter, Normal));
    bound(&limiter, 5);
    assert_eq!(waits.each_ref().map(Call::wakes), [1, 1, 1, 0]);
    let admitted: Vec<_> = waits.iter_mut().filter_map(Call::over).collect();
    assert_eq!(flights(&limiter), (5, 5));
    drop((permits, admitted));
    assert_eq!(flights(&limiter), (1, 5));
}

#[test]
fn a_lower_concurrency_lets_permits_finish_and_admits_no_call_before_enough_have() {
    let limiter = in_flight(4);
    let mut permits = fill(&limiter);
    let mut waits = [call(&limiter, Normal), call(&limiter, Normal)];
    bound(&limiter, 2);
    assert_eq!(flights(&limiter), (4, 2));
    for left in [3, 2] {
        drop(permits.pop());
        assert!(waits[0].over().is_none(), "{left} are in flight");
        let refused = limiter.try_acquire(Cost::new()).expect_err("calls wait");
        assert!(matches!(refused, AcquireError::TooManyInFlight { most: 2, calls, .. } if calls == left));
    }
    permits.pop().expect("two are left").cancel();
    let first = waits[0].over().expect("one has ended");
    assert!(waits[1].over().is_none());
    drop((permits, first));
    assert!(waits[1].over().is_some());
}

#[test]
fn a_number_that_adapts_stays_as_near_as_it_can() {
    let limiter = in_flight(Concurrency::Adaptive(1..=64));
    for _ in 0..7 {
        drop(fill(&limiter));
    }
    let (_, grown) = flights(&limiter);
    assert!(grown > 5, "{grown}");
    for (range, expected) in [(2..=5, 5), (1..=64, 5), (20..=30, 20)] {
        bound(&limiter, Concurrency::Adaptive(range));
        assert_eq!(flights(&limiter), (0, expected));
    }
    bound(&limiter, 3);
    assert_eq!(fill(&limiter).len(), 3);
    // It adapts from there on.
    bound(&limiter, Concurrency::Adaptive(1..=64));
    assert_eq!(flights(&limiter), (0, 3));
    drop(fill(&limiter));
    assert!(flights(&limiter).1 > 3);
}

#[test]
fn a_concurrency_is_changed_and_never_added() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_second(9)).build().expect("a valid rate");
    let error = limiter.update(|limits| limits.requests(Rate::per_second(2)).concurrency(5));
    let error = error.expect_err("it has none");
    assert!(matches!(error.problem(), BuildProblem::NoConcurrency));
    assert_eq!(
        error.to_string(),
        "limiter `chat` cannot be updated: it has no concurrency to change, so its calls in flight are not counted; \
         build it with one, which may be as large as `u32::MAX`"
    );
    let status = limiter.status().expect("it is built");
    assert_eq!(status.limits[0].limit.to_string(), "9 requests / second", "nothing was changed");
    let limiter = in_flight(u32::MAX);
    let empty = RangeInclusive::new(5, 4);
    for wrong in [Concurrency::Fixed(0), Concurrency::Adaptive(0..=9), Concurrency::Adaptive(empty)] {
        let error =
            limiter.update(|limits| limits.max_waiting(1).concurrency(wrong)).expect_err("it is wrong");
        assert!(matches!(error.problem(), BuildProblem::Concurrency(_)), "{error}");
    }
    assert_eq!(flights(&limiter), (0, u32::MAX));
}

/// A limiter of ten requests a second, none of which is left.
fn used_up(clock: &ManualClock) -> RateLimiter {
    let limiter = plain(clock).name("chat").requests(Rate::per_second(10)).build().expect("a valid rate");
    while limiter.try_acquire(Cost::new()).is_ok() {}
    limiter
}

#[test]
fn a_shorter_queue_refuses_newcomers_and_lets_those_wait_that_do() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let mut waits = [(); 3].map(|()| call(&limiter, Normal));
    limiter.update(|limits| limits.max_waiting(1)).expect("valid options");
    let error = call(&limiter, High).refused();
    assert!(matches!(error, AcquireError::QueueFull { waiting: 3, .. }), "{error}");
    assert_eq!(refused_as_full(&mut waits), [false; 3]);
    clock.advance(millis(200));
    let mut full = [call(&limiter, Normal)];
    assert_eq!(refused_as_full(&mut full), [true]);
    clock.advance(millis(100));
    let next = call(&limiter, Normal);
    clock.advance(millis(100));
    drop(next.admitted());
    waits.into_iter().for_each(|call| drop(call.admitted()));
}

#[test]
fn a_shorter_queue_that_drops_calls_drops_them_at_once_and_the_lowest_first() {
    for (overflow, expected) in [
        (Overflow::DropOldest, [false, true, true, true, false]),
        (Overflow::DropLowest, [false, true, false, true, true]),
    ] {
        let clock = ManualClock::new();
        let limiter = used_up(&clock);
        let mut calls = [High, Low, Normal, Low, Normal].map(|priority| call(&limiter, priority));
        limiter.update(|limits| limits.max_waiting(2).overflow(overflow)).expect("valid options");
        assert!(calls.iter().zip(expected).all(|(call, refused)| call.wakes() == usize::from(refused)));
        assert_eq!(refused_as_full(&mut calls), expected);
        assert_eq!(limiter.status().expect("it is built").waiting, 2);
        limiter.update(|limits| limits.max_waiting(0)).expect("valid options");
        assert_eq!(limiter.status().expect("it is built").waiting, 0);
        clock.advance(secs(1));
        drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    }
}

#[test]
fn a_longer_queue_takes_calls_again_and_an_overflow_can_come_later() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let error =
        limiter.update(|limits| limits.overflow(Overflow::DropOldest)).expect_err("it changes nothing");
    assert!(matches!(error.problem(), BuildProblem::UnusedOverflow), "{error}");
    limiter.update(|limits| limits.max_waiting(1)).expect("valid options");
    let mut calls = [Normal; 2].map(|priority| call(&limiter, priority));
    assert_eq!(refused_as_full(&mut calls), [false, true]);
    limiter.update(|limits| limits.overflow(Overflow::DropOldest)).expect("valid options");
    let next = call(&limiter, Normal);
    assert_eq!(refused_as_full(&mut calls[..1]), [true]);
    limiter.update(|limits| limits.max_waiting(usize::MAX)).expect("valid options");
    let mut more = [(); 9].map(|()| call(&limiter, Normal));
    assert_eq!(refused_as_full(&mut more), [false; 9]);
    clock.advance(millis(100));
    drop(next.admitted());
}

#[test]
fn another_jitter_keeps_another_part_of_the_burst_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("a valid rate");
    let at_once = || (0..1_000).take_while(|_| limiter.try_acquire(1).is_ok()).count();
    assert_eq!(at_once(), 100);
    clock.advance(secs(2));
    limiter.update(|limits| limits.jitter(millis(400))).expect("valid options");
    assert_eq!(at_once(), 60);
    limiter.update(|limits| limits.jitter(millis(0))).expect("valid options");
    assert_eq!(at_once(), 0, "those 60 may still be late by the earlier jitter");
    clock.advance(millis(400));
    assert_eq!(at_once(), 40, "what is used stays used");
    // Without a burst to keep it back from, calls of the whole burst are spaced by it.
    clock.advance(secs(2));
    limiter.update(|limits| limits.jitter(millis(50))).expect("valid options");
    drop(limiter.try_acquire(100).expect("the bucket is full"));
    let call = Call::start(limiter.acquire(100));
    clock.advance(millis(1_049));
    assert_eq!(call.wakes(), 0);
    clock.advance(millis(1));
    drop(call.admitted());
}

#[test]
fn other_options_leave_the_buckets_alone_to_the_nanosecond() {
    let clock = ManualClock::new();
    let build = || plain(&clock).tokens(Rate::per_minute(7)).concurrency(9).build().expect("valid options");
    let (changed, other) = (build(), build());
    for step in 0..50 {
        let wait = |limiter: &RateLimiter| limiter.wait_for(3).expect("it fits");
        assert_eq!(wait(&changed), wait(&other), "step {step}");
        for limiter in [&changed, &other] {
            if let Ok(permit) = limiter.try_acquire(step % 3) {
                permit.settle(step % 2);
            }
        }
        changed
            .update(|limits| limits.concurrency(step as u32 + 1).max_waiting(step as usize))
            .expect("valid options");
        clock.advance(millis(333));
    }
}
