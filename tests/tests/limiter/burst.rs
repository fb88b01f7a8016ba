//! `Burst::Observed`: the bucket may hold as much as the provider's own was seen to hold.

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Burst, Cost, Rate, RateLimiter, limiter};
use openlimit_tests::{at_once, millis, plain, secs};

/// A limit of 100 requests a second.
fn observing(clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::per_minute(6_000)).burst(Burst::Observed).build().expect("valid options")
}

/// A response that says how many requests are left.
fn left(requests: &str) -> Observation {
    let headers = [("x-ratelimit-limit-requests", "6000"), ("x-ratelimit-remaining-requests", requests)];
    Observation::from_parts(200, headers, b"")
}

#[test]
fn a_burst_that_is_observed_begins_with_a_second() {
    assert_eq!(at_once(&observing(&ManualClock::new())), 100);
}

#[test]
fn the_burst_rises_to_what_was_left_less_the_cushion() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    limiter.observe(&left("1001")).expect("it is built");
    // The cushion is a second of the rate.
    assert_eq!(at_once(&limiter), 901);
    // A smaller number is no smaller bucket.
    limiter.observe(&left("5")).expect("it is built");
    clock.advance(secs(60));
    assert_eq!(at_once(&limiter), 901);
    limiter.observe(&left("1500")).expect("it is built");
    clock.advance(secs(60));
    assert_eq!(at_once(&limiter), 1_400);
}

#[test]
fn what_a_response_leaves_still_counts() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    permit.observe(&left("2000"));
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    permit.observe(&left("300"));
    assert_eq!(at_once(&limiter), 200);
    clock.advance(millis(10));
    assert_eq!(at_once(&limiter), 1);
}

#[test]
fn the_burst_is_at_most_the_amount_of_the_limit() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    for requests in ["999999999999", "99999"] {
        limiter.observe(&left(requests)).expect("it is built");
        clock.advance(secs(600));
        assert_eq!(at_once(&limiter), 6_000);
    }
}

#[test]
fn a_rate_that_was_slowed_down_leaves_the_burst_as_it_is() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    let slow = [("x-ratelimit-limit-requests", "3000"), ("x-ratelimit-remaining-requests", "2000")];
    limiter.observe(&Observation::from_parts(200, slow, b"")).expect("it is built");
    limiter.observe(&left("2000")).expect("it is built");
    clock.advance(secs(60));
    // All but the cushion, which is one second of the rate now.
    assert_eq!(at_once(&limiter), 1_950);
}

#[test]
fn an_update_that_lowers_the_rate_lowers_the_burst_as_much() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    limiter.observe(&left("2000")).expect("it is built");
    limiter.update(|limits| limits.requests(Rate::per_minute(600))).expect("valid options");
    limiter.observe(&left("5")).expect("it is built");
    clock.advance(secs(60));
    // A tenth of it, less the cushion, which is a second of the rate.
    assert_eq!(at_once(&limiter), 190);
    limiter.observe(&left("300")).expect("it is built");
    clock.advance(secs(60));
    assert_eq!(at_once(&limiter), 290);
    // A higher rate leaves it as it is.
    limiter.update(|limits| limits.requests(Rate::per_minute(1_200))).expect("valid options");
    limiter.observe(&left("5")).expect("it is built");
    clock.advance(secs(60));
    assert_eq!(at_once(&limiter), 280);
}

#[test]
fn a_burst_that_is_given_as_time_stays() {
    let clock = ManualClock::new();
    let rate = Rate::per_minute(6_000);
    let time = plain(&clock).requests(rate).burst(secs(2)).build().expect("valid options");
    let own = plain(&clock).tokens(rate).requests(rate.burst(secs(2))).burst(Burst::Observed);
    let own = own.build().expect("valid options");
    for limiter in [time, own] {
        limiter.observe(&left("5000")).expect("it is built");
        assert!(at_once(&limiter) <= 200);
    }
}

#[test]
fn it_is_a_key_of_the_macro() {
    limiter! {
        static KEYED: RateLimiter = { requests: 6_000 / minute, burst: Burst::Observed };
    }
    assert!(KEYED.init().is_ok());
}

#[test]
fn a_burst_that_no_limit_takes_is_a_mistake() {
    let error = RateLimiter::builder().requests(Rate::per_day(9)).burst(Burst::Observed).build();
    assert!(error.expect_err("build succeeded").to_string().contains("has no effect"));
}

#[test]
fn calls_larger_than_the_first_burst_no_longer_wait_for_an_empty_bucket() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    limiter.observe(&left("2000")).expect("it is built");
    assert!(limiter.try_acquire(Cost::new().requests(500)).is_ok());
    assert!(limiter.try_acquire(Cost::new().requests(500)).is_ok());
}

#[test]
fn of_an_adopted_limit_the_bucket_holds_what_was_left_and_no_multiple_of_it() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(6_000)).burst(Burst::Observed).adopt_limits(true);
    let limiter = limiter.build().expect("valid options");
    let headers = [("x-ratelimit-limit-requests", "60000"), ("x-ratelimit-remaining-requests", "2000")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
    clock.advance(secs(60));
    assert_eq!(at_once(&limiter), 1_700);
}

#[test]
fn of_an_adopted_limit_that_falls_again_the_bucket_holds_no_more_than_the_lower_amount() {
    for discovers in [false, true] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).requests(Rate::per_minute(600)).burst(Burst::Observed);
        let limiter = limiter.adopt_limits(true).discover(discovers).build().expect("valid options");
        for amount in ["60000", "6000"] {
            let headers =
                [("x-ratelimit-limit-requests", amount), ("x-ratelimit-remaining-requests", amount)];
            limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
            clock.advance(secs(600));
        }
        let most = at_once(&limiter);
        assert!((5_900..=6_000).contains(&most), "{most}");
    }
}

#[test]
fn an_update_of_something_else_leaves_the_burst_as_it_is() {
    let clock = ManualClock::new();
    let limiter = observing(&clock);
    limiter.observe(&left("2000")).expect("it is built");
    drop(limiter.try_acquire(Cost::new().requests(1_000)).expect("there is room"));
    limiter.update(|limits| limits.jitter(millis(10))).expect("valid options");
    assert_eq!(at_once(&limiter), 899);
}
