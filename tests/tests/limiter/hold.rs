//! Holds: nothing is admitted until they end, and then no burst departs.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Rate, RateLimiter};
use openlimit_tests::{Call, at_once, millis, plain, secs};

/// A limiter of ten requests per second, all of which may be taken at once.
fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::per_second(10)).build().expect("valid rates")
}

fn over(calls: &mut [Call]) -> usize {
    calls.iter_mut().map(Call::poll).filter(|over| *over).count()
}

fn crowd(limiter: &RateLimiter, size: usize) -> Vec<Call> {
    (0..size).map(|_| Call::start(limiter.acquire(Cost::new()))).collect()
}

#[test]
fn new_calls_and_waiting_calls_stop_until_the_hold_ends() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let mut calls = crowd(&limiter, 20);
    assert_eq!(over(&mut calls), 10);
    limiter.hold(secs(5), "429").expect("it is built");
    calls.extend(crowd(&limiter, 1));
    clock.advance(millis(4_999));
    assert_eq!(over(&mut calls), 10);
    // The bucket is as full as it was when the hold began.
    clock.advance(millis(1));
    assert_eq!(over(&mut calls), 10);
    clock.advance(secs(1));
    assert_eq!(over(&mut calls), 20);
}

#[test]
fn a_hold_over_an_unused_limiter_leaves_its_burst() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(5), "429").expect("it is built");
    assert_eq!(at_once(&limiter), 0);
    clock.advance(secs(5));
    assert_eq!(at_once(&limiter), 10);
}

#[test]
fn a_call_that_may_not_wait_for_the_end_is_refused_with_the_reason() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(30), "429 Too Many Requests").expect("it is built");
    clock.advance(secs(10));
    let refusal = limiter.try_acquire(Cost::new()).expect_err("a hold");
    assert_eq!(refusal.retry_after(), Some(secs(20)));
    assert_eq!(
        refusal.to_string(),
        "limiter `unnamed` is on hold for another 20s: 429 Too Many Requests; try again after that, or \
         allow more time"
    );
    let mut call = Call::start(limiter.acquire(Cost::new()).timeout(secs(5)));
    assert!(call.poll());
    let refusal = call.over().expect("it was refused on arrival").expect_err("a hold");
    assert!(matches!(&refusal, AcquireError::Held { waited: Duration::ZERO, .. }), "{refusal}");
    assert_eq!((refusal.limit(), &**refusal.limiter()), (None, "unnamed"));
    // One that waits for long enough is admitted, and did not wait for a limit.
    let mut call = Call::start(limiter.acquire(Cost::new()).timeout(secs(20)));
    clock.advance(secs(20));
    assert!(call.poll());
    let permit = call.over().expect("it is over").expect("it waited for long enough");
    assert_eq!((permit.waited(), permit.waited_for()), (secs(20), None));
}

#[test]
fn of_two_holds_the_later_end_counts() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(10), "first").expect("it is built");
    limiter.hold(secs(3), "shorter").expect("it is built");
    let hold = || limiter.status().expect("it is built").hold;
    assert_eq!(hold().map(|hold| (hold.ends_in, hold.reason.to_string())), Some((secs(10), "first".into())));
    limiter.hold(secs(20), "longer").expect("it is built");
    assert_eq!(hold().map(|hold| (hold.ends_in, hold.reason.to_string())), Some((secs(20), "longer".into())));
    let shown = limiter.status().expect("it is built").to_string();
    assert!(shown.contains("; on hold for another 20s: longer"), "{shown}");
    clock.advance(secs(20));
    assert_eq!(hold(), None);
}

#[test]
fn a_hold_that_is_released_ends_at_once() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let mut calls = crowd(&limiter, 15);
    limiter.hold(secs(60), "429").expect("it is built");
    clock.advance(secs(1));
    limiter.release().expect("it is built");
    assert_eq!((over(&mut calls), limiter.status().expect("it is built").hold), (10, None));
    clock.advance(millis(500));
    assert_eq!(over(&mut calls), 15);
    limiter.release().expect("it is built");
    assert_eq!(at_once(&limiter), 0);
}

#[test]
fn a_hold_of_no_time_changes_nothing() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(Duration::ZERO, "nothing").expect("it is built");
    assert_eq!(limiter.status().expect("it is built").hold, None);
    limiter.hold(secs(5), "429").expect("it is built");
    limiter.hold(Duration::ZERO, "nothing").expect("it is built");
    let hold = limiter.status().expect("it is built").hold.expect("the first hold goes on");
    assert_eq!((hold.ends_in, &*hold.reason), (secs(5), "429"));
}

#[test]
fn a_hold_is_cut_to_the_longest_one() {
    let clock = ManualClock::new();
    let rate = Rate::per_second(10);
    for (max, wanted) in [(None, secs(600)), (Some(secs(7)), secs(7))] {
        let builder = plain(&clock).requests(rate);
        let builder = if let Some(max) = max { builder.max_hold(max) } else { builder };
        let limiter = builder.build().expect("valid rates");
        limiter.hold(Duration::MAX, "584 years").expect("it is built");
        let hold = limiter.status().expect("it is built").hold.expect("a hold");
        assert_eq!(hold.ends_in, wanted);
    }
}

#[test]
fn nothing_is_available_during_a_hold_and_refunds_count_after_it() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = limiter.try_acquire(Cost::new().requests(10)).expect("there is room");
    limiter.hold(secs(5), "429").expect("it is built");
    let limit = |limiter: &RateLimiter| limiter.status().expect("it is built").limits[0].clone();
    assert_eq!((limit(&limiter).available, limit(&limiter).full_in), (0, secs(6)));
    clock.advance(secs(1));
    permit.cancel();
    assert_eq!((limit(&limiter).available, limit(&limiter).full_in), (0, secs(4)));
    clock.advance(secs(4));
    assert_eq!(at_once(&limiter), 10);
}
