//! Refunds of many calls in flight. An amount that is refunded at the time at which it was taken is
//! fully available again.

use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, at_once, plain};

/// The numbers of calls in flight.
const CALLS: [usize; 5] = [32, 64, 256, 512, 1_000];

/// Returns a limiter of a thousand requests a day, with a burst of all of them, on a stopped clock.
fn limiter() -> RateLimiter {
    plain(&ManualClock::new()).requests(Rate::per_day(1_000)).build().expect("valid rates")
}

fn available(limiter: &RateLimiter) -> u64 {
    limiter.status().expect("the status").limits[0].available
}

/// Reorders permits into the order in which the calls end.
type Order = fn(&mut Vec<Permit>);

const ORDERS: [(&str, Order); 3] = [
    ("in order", |_| {}),
    ("in reverse", |permits| permits.reverse()),
    ("shuffled", |permits| {
        // The multiples of a number modulo a prime are in no simple order, and all different.
        let mut multiple = 0;
        permits.sort_by_cached_key(|_| {
            multiple = (multiple + 7_919) % 1_009;
            multiple
        });
    }),
];

/// Asserts that all requests are available again after permits end in each order.
#[track_caller]
fn nothing_is_lost(end: fn(Permit)) {
    let mut lost = Vec::new();
    for calls in CALLS {
        for (name, order) in ORDERS {
            let limiter = limiter();
            let take = || limiter.try_acquire(Cost::new()).expect("there is room");
            let mut permits: Vec<_> = (0..calls).map(|_| take()).collect();
            order(&mut permits);
            permits.into_iter().for_each(end);
            let (said, taken) = (available(&limiter), at_once(&limiter));
            if (said, taken) != (1_000, 1_000) {
                lost.push(format!("{calls} {name}: {said} available, {taken} taken"));
            }
        }
    }
    assert!(lost.is_empty(), "requests were lost of 1000: {lost:#?}");
}

#[test]
fn calls_that_are_cancelled_leave_nothing_behind() {
    nothing_is_lost(Permit::cancel);
}

#[test]
fn calls_that_used_nothing_leave_nothing_behind() {
    nothing_is_lost(|permit| permit.settle(Usage::default().with("requests", 0)));
}

#[test]
fn calls_that_used_a_part_leave_that_part() {
    for calls in CALLS {
        for (name, order) in ORDERS {
            let clock = ManualClock::new();
            let limiter = plain(&clock).tokens(Rate::per_day(100_000)).build().expect("valid rates");
            let take = || limiter.try_acquire(100).expect("there is room");
            let mut permits: Vec<_> = (0..calls).map(|_| take()).collect();
            order(&mut permits);
            permits.into_iter().for_each(|permit| permit.settle(30));
            assert_eq!(available(&limiter), 100_000 - 30 * calls as u64, "{calls} calls {name}");
        }
    }
}

#[test]
fn calls_that_were_granted_and_never_polled_leave_nothing_behind() {
    let limiter = limiter();
    let all = limiter.try_acquire(Cost::new().requests(1_000)).expect("there is room");
    let calls: Vec<_> = (0..200).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
    all.cancel();
    assert!(calls.iter().all(|call| call.wakes() == 1), "a call was not granted");
    assert_eq!(available(&limiter), 800);
    drop(calls);
    assert_eq!((available(&limiter), at_once(&limiter)), (1_000, 1_000));
}
