//! What responses say of a limit that resets.

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{plain, secs};

use super::{HOUR, NEW_YEAR, date, left};

/// A limit of 1 000 requests a day that resets at midnight in UTC.
fn requests() -> Rate {
    Rate::per_day(1_000).resets_at("00:00", "UTC")
}

/// Returns a limiter that has seen a response, and so knows the calls that follow.
fn limiter(clock: &ManualClock) -> RateLimiter {
    let limiter = plain(clock).requests(requests()).build().unwrap();
    limiter.observe(&response(1_000, 1_000, "24h")).unwrap();
    limiter
}

/// Returns a response with an amount, what is left of it, and the time until its reset.
fn response(limit: u64, remaining: u64, reset: &str) -> Observation {
    let (limit, remaining) = (limit.to_string(), remaining.to_string());
    let headers = [
        ("x-ratelimit-limit-requests", limit.as_str()),
        ("x-ratelimit-remaining-requests", remaining.as_str()),
        ("x-ratelimit-reset-requests", reset),
    ];
    Observation::from_parts(200, headers, b"")
}

fn call(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new()).unwrap()
}

#[test]
fn less_is_left_if_others_use_the_limit() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    clock.advance(14 * HOUR);
    let permit = call(&limiter);
    drop(call(&limiter));
    permit.observe(&response(1_000, 400, "10h"));
    assert_eq!(left(&limiter), 399);
    // It makes no room, and no debt.
    permit.observe(&response(1_000, 900, "10h"));
    assert_eq!(left(&limiter), 399);
    permit.observe(&response(1_000, 0, "10h"));
    assert_eq!((left(&limiter), limiter.status().unwrap().limits[0].debt), (0, 0));
    clock.advance(10 * HOUR);
    assert_eq!(left(&limiter), 1_000);
}

#[test]
fn a_response_to_a_call_of_the_last_window_says_nothing_of_this_one() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = call(&limiter);
    clock.advance(24 * HOUR);
    drop(call(&limiter));
    permit.observe(&response(1_000, 0, "24h"));
    assert_eq!(left(&limiter), 999);
}

#[test]
fn a_provider_whose_window_is_not_over_yet_says_nothing_of_this_one() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    clock.advance(24 * HOUR);
    let permit = call(&limiter);
    permit.observe(&response(1_000, 0, "2s"));
    assert_eq!(left(&limiter), 999);
    limiter.observe(&response(1_000, 0, "2s")).unwrap();
    assert_eq!(left(&limiter), 999);
    limiter.observe(&response(1_000, 300, "23h59m")).unwrap();
    assert_eq!(left(&limiter), 300);
}

#[test]
fn a_lower_limit_of_the_provider_applies_to_each_window() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = call(&limiter);
    permit.observe(&response(250, 249, "24h"));
    assert_eq!(left(&limiter), 249);
    let limits = limiter.status().unwrap().limits;
    assert_eq!((limits[0].provider_allows, limits[0].pace), (Some(250), 0.25));
    clock.advance(24 * HOUR);
    (0..250).for_each(|_| drop(call(&limiter)));
    assert_eq!(limiter.try_acquire(Cost::new()).unwrap_err().retry_after(), Some(24 * HOUR));
    // A single call may still be as large as declared. It needs a fresh window, and leaves a debt.
    let cost = Cost::new().requests(600);
    assert_eq!(limiter.try_acquire(cost.clone()).unwrap_err().retry_after(), Some(24 * HOUR));
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(cost).unwrap());
    assert_eq!(limiter.try_acquire(Cost::new()).unwrap_err().retry_after(), Some(48 * HOUR));
}

#[test]
fn what_was_taken_before_the_provider_lowers_its_limit_is_no_debt() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.try_acquire(Cost::new().requests(900)).unwrap());
    call(&limiter).observe(&response(250, 0, "24h"));
    assert_eq!((left(&limiter), limiter.status().unwrap().limits[0].debt), (0, 0));
    let cost = Cost::new().requests(250);
    assert_eq!(limiter.try_acquire(cost.clone()).unwrap_err().retry_after(), Some(24 * HOUR));
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(cost).unwrap());
    assert_eq!(limiter.try_acquire(Cost::new()).unwrap_err().retry_after(), Some(24 * HOUR));
}

#[test]
fn higher_limits_are_adopted() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(requests()).adopt_limits(true).build().unwrap();
    call(&limiter).observe(&response(5_000, 4_999, "24h"));
    (0..4_999).for_each(|_| drop(call(&limiter)));
    assert_eq!(limiter.try_acquire(Cost::new()).unwrap_err().retry_after(), Some(24 * HOUR));
}

#[test]
fn a_refusal_that_states_no_wait_waits_no_longer_than_for_the_reset() {
    let clock = ManualClock::new();
    clock.set_date(date(NEW_YEAR + 86_400 - 30));
    let limiter = limiter(&clock);
    let verdict = call(&limiter).refused(Observation::new(429));
    assert!(matches!(verdict, Verdict::Retry { after: None }), "{verdict:?}");
    let wait = limiter.try_acquire(Cost::new()).unwrap_err().retry_after().unwrap();
    assert!((secs(30)..=secs(32)).contains(&wait), "{wait:?}");
    assert_eq!(limiter.status().unwrap().limits[0].pace, 1.0);
}
