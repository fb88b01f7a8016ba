//! The order of the queue. Calls are admitted in the order of arrival, none starves, and the queue
//! has no maximum length.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Rate, RateLimiter};
use openlimit_tests::{Call, millis, nanos, plain, requests_and_tokens, secs};

fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).tokens(Rate::per_second(100)).build().expect("valid rates")
}

fn call(limiter: &RateLimiter, tokens: u64) -> Call {
    Call::start(limiter.acquire(tokens))
}

#[test]
fn calls_are_admitted_in_the_order_of_their_arrival_whatever_their_size() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(call(&limiter, 100).admitted());
    let costs = [30, 1, 99, 2, 100, 50, 0, 7];
    let calls: Vec<Call> = costs.iter().map(|cost| call(&limiter, *cost)).collect();
    clock.advance(secs(60));
    let mut due = 0;
    for (call, cost) in calls.into_iter().zip(costs) {
        due += cost * 10;
        assert_eq!(call.admitted().waited(), millis(due), "wrong wait for a cost of {cost}");
    }
}

#[test]
fn a_large_call_among_small_ones_is_admitted_in_its_turn() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(call(&limiter, 100).admitted());
    // One small call every 10 ms uses the whole rate. The large call arrives behind 20 waiting
    // calls.
    let mut small: Vec<Call> = (0..20).map(|_| call(&limiter, 1)).collect();
    let large = call(&limiter, 90);
    for _ in 0..400 {
        small.push(call(&limiter, 1));
        clock.advance(millis(10));
    }
    assert_eq!(large.admitted().waited(), millis(200 + 900));
    assert_eq!(small.iter_mut().map(Call::poll).filter(|over| *over).count(), 400 - 90);
}

#[test]
fn try_acquire_overtakes_nobody() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(call(&limiter, 50).admitted());
    let large = call(&limiter, 90);
    // There is room for 50, but a call is waiting.
    let Err(AcquireError::WouldWait { wait, .. }) = limiter.try_acquire(1_u64) else {
        panic!("`try_acquire` overtook")
    };
    assert_eq!(wait, millis(410), "the wait is for 40 of the large call and 1 more");
    clock.advance(millis(400));
    drop(large.admitted());
    assert!(limiter.try_acquire(1_u64).is_err(), "the full bucket admitted a call");
    clock.advance(millis(10));
    assert!(limiter.try_acquire(1_u64).is_ok());
}

#[test]
fn what_try_acquire_lacks_may_be_its_turn_alone() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(100));
    drop(call(&limiter, 100).admitted());
    let head = call(&limiter, 50);
    clock.advance(millis(200));
    let Err(AcquireError::WouldWait { wait, limit, .. }) = limiter.try_acquire(0_u64) else {
        panic!("`try_acquire` overtook")
    };
    assert_eq!((limit.to_string().as_str(), wait), ("100 tokens / second", millis(300)));
    clock.advance(wait);
    assert!(limiter.try_acquire(0_u64).is_ok());
    drop(head.admitted());
}

#[test]
fn nor_does_a_call_that_takes_nothing() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(call(&limiter, 100).admitted());
    let (ahead, mut nothing) = (call(&limiter, 1), call(&limiter, 0));
    assert!(!nothing.poll());
    assert!(limiter.try_acquire(0_u64).is_err());
    clock.advance(millis(10));
    assert_eq!(ahead.admitted().waited(), nothing.admitted().waited());
}

#[test]
fn try_acquire_succeeds_exactly_when_its_refusal_said() {
    let clock = ManualClock::new();
    let limiter = openlimit::RateLimiter::builder()
        .clock(&clock)
        .tokens(Rate::per_minute(40_000))
        .build()
        .expect("valid rates");
    for cost in [600, 1, 33, 633, 634, 8_000, 40_000, 1] {
        if let Err(AcquireError::WouldWait { wait, .. }) = limiter.try_acquire(cost) {
            assert!(!wait.is_zero());
            clock.advance(wait - nanos(1));
            assert!(limiter.try_acquire(cost).is_err(), "{cost} was admitted early");
            clock.advance(nanos(1));
            assert!(limiter.try_acquire(cost).is_ok(), "{cost} was refused");
        }
    }
}

#[test]
fn a_hundred_thousand_waiters_drain_strictly_in_order() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1_000)).build().expect("valid rates");
    let mut calls: Vec<Call> = (0..100_000).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
    clock.advance(secs(99) - nanos(1));
    assert!(!calls[99_999].poll());
    clock.advance(nanos(1));
    for (place, call) in calls.into_iter().enumerate() {
        assert!(call.wakes() <= 1, "call {place} was woken more than once");
        let due = (place as u64 + 1).saturating_sub(1_000);
        assert_eq!(call.admitted().waited(), millis(due));
    }
}

#[test]
fn a_hundred_thousand_waiters_may_leave_in_any_order() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1_000)).build().expect("valid rates");
    let mut calls: Vec<Option<Call>> =
        (0..100_000).map(|_| Some(Call::start(limiter.acquire(Cost::new())))).collect();
    for index in (0..100_000).filter(|index| index % 10 != 7) {
        // 7 and 100 000 are coprime, so each index occurs at most once, in mixed order.
        calls[index * 7 % 100_000] = None;
    }
    clock.advance(secs(200));
    let stayed: Vec<Duration> = calls.into_iter().flatten().map(|call| call.admitted().waited()).collect();
    assert_eq!(stayed.len(), 10_000);
    assert!(stayed.is_sorted());
}

#[test]
fn limiters_do_not_wait_for_each_other() {
    let clock = ManualClock::new();
    let [slow, fast] =
        [1, 100].map(|rate| plain(&clock).requests(Rate::per_second(rate)).build().expect("valid rates"));
    let calls = [&slow, &fast, &slow].map(|limiter| {
        while limiter.try_acquire(Cost::new()).is_ok() {}
        Call::start(limiter.acquire(Cost::new()))
    });
    clock.advance(secs(2));
    assert_eq!(calls.map(|call| call.admitted().waited()), [secs(1), millis(10), secs(2)]);
}

#[test]
fn all_limits_are_taken_from_or_none() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(100));
    drop(call(&limiter, 100).admitted());
    for _ in 0..50 {
        assert!(limiter.try_acquire(1_u64).is_err());
    }
    // The refusals took no requests, so nine are left.
    let left = std::iter::from_fn(|| limiter.try_acquire(0_u64).ok()).count();
    assert_eq!(left, 9);
}
