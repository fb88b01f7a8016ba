//! Responses: a limiter that observes them believes what is left, and a refusal holds all calls.

use std::collections::VecDeque;

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{Call, at_once, millis, plain, secs};

fn observation(status: u16, headers: &[(&str, String)]) -> Observation {
    Observation::from_parts(status, headers.iter().map(|(name, value)| (*name, value.as_str())), b"")
}

fn available(limiter: &RateLimiter) -> u64 {
    limiter.status().expect("it is built").limits[0].available
}

#[test]
fn a_response_never_makes_room() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_day(100)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 100);
    let headers =
        [("x-ratelimit-limit-requests", "100".into()), ("x-ratelimit-remaining-requests", "90".into())];
    limiter.observe(&observation(200, &headers)).expect("it is built");
    assert_eq!(available(&limiter), 0);
}

#[test]
fn a_limit_over_another_time_is_not_mistaken_for_the_declared_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(600)).build().expect("valid rates");
    // 2 000 a day, of which 5 are left.
    let headers = [
        ("x-ratelimit-limit-requests", "2000".into()),
        ("x-ratelimit-remaining-requests", "5".into()),
        ("x-ratelimit-reset-requests", "23h56m24s".into()),
    ];
    let before = available(&limiter);
    limiter.observe(&observation(200, &headers)).expect("it is built");
    assert_eq!(available(&limiter), before);
    // With both limits declared, it is the other one.
    let both = plain(&clock).requests(Rate::per_minute(600)).requests(Rate::per_day(2_000));
    let both = both.build().expect("valid rates");
    both.observe(&observation(200, &headers)).expect("it is built");
    let limits = both.status().expect("it is built").limits;
    assert_eq!(limits[0].available, before);
    assert!(limits[1].available <= 5, "{}", limits[1]);
}

#[test]
fn a_limit_of_the_same_amount_is_the_declared_one_whatever_its_bucket_holds() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(6_000)).build().expect("valid rates");
    // Its bucket holds two seconds.
    let headers = [
        ("x-ratelimit-limit-requests", "6000".into()),
        ("x-ratelimit-remaining-requests", "50".into()),
        ("x-ratelimit-reset-requests", "1.5s".into()),
    ];
    limiter.observe(&observation(200, &headers)).expect("it is built");
    assert!(available(&limiter) <= 50, "{} are available", available(&limiter));
}

#[test]
fn the_status_shows_a_limit_of_the_provider_that_differs_from_the_declared_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(200_000)).build().expect("valid rates");
    let observe = |of: u64, remaining: u64, reset: &str| {
        let headers = [
            ("x-ratelimit-limit-tokens", of.to_string()),
            ("x-ratelimit-remaining-tokens", remaining.to_string()),
            ("x-ratelimit-reset-tokens", reset.to_owned()),
        ];
        limiter.observe(&observation(200, &headers)).expect("it is built");
        let status = limiter.status().expect("it is built");
        (status.limits[0].provider_allows, status.to_string())
    };
    let (allows, shown) = observe(30_000, 29_000, "2s");
    assert_eq!(allows, Some(30_000));
    assert!(shown.ends_with(", but the provider allows 30000, at 0.15 times the rate"), "{shown}");
    assert_eq!(observe(200_000, 199_000, "300ms").0, None);
}

/// Returns the tokens that callers use in a minute who reserve a thousand each and settle to `uses`
/// after a second.
fn used_in_a_minute(limiter: &RateLimiter, clock: &ManualClock, uses: u64) -> u64 {
    let mut calls: VecDeque<Call> = VecDeque::new();
    let mut held: VecDeque<(u32, Permit)> = VecDeque::new();
    let mut used = 0;
    for step in 0..6_000 {
        clock.advance(millis(10));
        while held.front().is_some_and(|(end, _)| *end <= step) {
            held.pop_front().expect("there is one").1.settle(uses);
        }
        while calls.len() < 100 {
            calls.push_back(Call::start(limiter.acquire(1_000)));
        }
        while let Some(permit) = calls.front_mut().and_then(Call::over) {
            calls.pop_front();
            used += uses;
            held.push_back((step + 100, permit.expect("no timeout")));
        }
    }
    used
}

#[test]
fn a_lower_limit_of_the_provider_slows_the_rate_down_until_it_is_raised() {
    for uses in [1_000, 200] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).tokens(Rate::per_minute(200_000).burst(secs(10)));
        let limiter = limiter.build().expect("valid rates");
        let observe = |of: u64, left: u64, reset: &str| {
            let headers = [
                ("x-ratelimit-limit-tokens", of.to_string()),
                ("x-ratelimit-remaining-tokens", left.to_string()),
                ("x-ratelimit-reset-tokens", reset.to_owned()),
            ];
            limiter.observe(&observation(200, &headers)).expect("it is built");
        };
        // Uses up the burst.
        used_in_a_minute(&limiter, &clock, uses);
        for (of, left, reset, wanted) in [
            (50_000, 49_000, "1.2s", 50_000),
            (100_000, 99_000, "600ms", 100_000),
            // Never more than declared, and never less than an eighth.
            (900_000, 890_000, "660ms", 200_000),
            (21_000, 20_000, "2.9s", 25_000),
            (200_000, 199_000, "300ms", 200_000),
        ] {
            observe(of, left, reset);
            used_in_a_minute(&limiter, &clock, uses);
            let used = used_in_a_minute(&limiter, &clock, uses);
            assert!(used <= wanted + 1_000, "{used} of {wanted} used, calls use {uses}");
            assert!(used >= wanted * 9 / 10, "{used} of {wanted} used, calls use {uses}");
        }
    }
}

#[test]
fn absurd_numbers_are_no_limit_of_ours_and_cannot_panic() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_day(1_000_000_000_000_000)).build().expect("valid rates");
    let before = available(&limiter);
    for (of, remaining) in [("1000", "100"), ("18446744073709551614", "0")] {
        let headers = [
            ("x-ratelimit-limit-requests", of.into()),
            ("x-ratelimit-remaining-requests", remaining.into()),
            ("x-ratelimit-reset-requests", "99999999999999999999s".into()),
        ];
        limiter.observe(&observation(200, &headers)).expect("it is built");
        assert_eq!(available(&limiter), before);
    }
    let headers = [("x-ratelimit-remaining-requests", "18446744073709551614".into())];
    limiter.observe(&observation(200, &headers)).expect("it is built");
    assert_eq!(available(&limiter), before);
}

#[test]
fn a_call_that_is_settled_after_a_response_makes_no_room_beyond_it() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).build().expect("valid rates");
    // The limiter counts from the first response on.
    limiter
        .observe(&observation(200, &[("x-ratelimit-remaining-tokens", "1000".into())]))
        .expect("it is built");
    let permit = limiter.try_acquire(500).expect("there is room");
    permit.observe(&observation(200, &[("x-ratelimit-remaining-tokens", "100".into())]));
    assert!(available(&limiter) <= 100);
    permit.settle(10);
    assert!(available(&limiter) <= 100, "{} are available", available(&limiter));
    // Calls after it can be refunded.
    let permit = limiter.try_acquire(80).expect("there is room");
    permit.cancel();
    assert!(available(&limiter) >= 80, "{} are available", available(&limiter));
}

#[test]
fn a_refusal_that_states_no_wait_and_is_not_about_cost_holds_for_a_second() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_day(50)).build().expect("valid rates");
    limiter.try_acquire(Cost::new()).expect("there is room").refused(observation(529, &[]));
    let hold = limiter.status().expect("it is built").hold.expect("a hold");
    assert_eq!(hold.ends_in, secs(1));
}

#[test]
fn a_response_that_is_passed_on_settles_the_call_or_holds_the_limiter() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).build().expect("valid rates");
    let take = || limiter.try_acquire(400).expect("there is room");
    let usage = br#"{"usage":{"prompt_tokens":40,"completion_tokens":60,"total_tokens":100}}"#;
    assert_eq!(take().responded(&Observation::new(200).body(usage)), Verdict::NotLimited);
    assert_eq!(available(&limiter), 900);
    // Without a usage the reservation stays, also if the call failed.
    assert_eq!(take().responded(&Observation::new(200)), Verdict::NotLimited);
    assert_eq!(available(&limiter), 500);
    assert_eq!(take().responded(&Observation::new(500)), Verdict::NotLimited);
    assert_eq!(available(&limiter), 100);
    let refusal = observation(429, &[("retry-after", "7".into())]);
    let permit = limiter.try_acquire(50).expect("there is room");
    assert_eq!(permit.responded(&refusal), Verdict::Retry { after: Some(secs(7)) });
    assert_eq!(limiter.status().expect("it is built").hold.map(|hold| hold.ends_in), Some(secs(7)));
}

#[test]
fn a_refusal_holds_all_calls_for_as_long_as_it_asks_for() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("valid rates");
    let take = || limiter.try_acquire(Cost::new());
    let hold =
        || limiter.status().expect("it is built").hold.map(|hold| (hold.ends_in, hold.reason.to_string()));

    let stated = observation(429, &[("retry-after", "7".into())]);
    assert_eq!(take().expect("there is room").refused(&stated), Verdict::Retry { after: Some(secs(7)) });
    assert!(matches!(take(), Err(AcquireError::Held { .. })), "{:?}", take());
    let reason = "the provider refused a call with status 429 and asks for a wait of 7s";
    assert_eq!(hold(), Some((secs(7), reason.into())));
    assert!(matches!(take(), Err(AcquireError::Held { .. })));
    clock.advance(secs(12));

    // Without a wait, as long as the cost of the call takes to flow back.
    let silent = observation(429, &[]);
    assert_eq!(take().expect("the hold is over").refused(&silent), Verdict::Retry { after: None });
    assert_eq!(hold().map(|(ends_in, _)| ends_in), Some(secs(1)));
    clock.advance(secs(5));

    let broken = observation(500, &[]);
    take().expect("the hold is over").refused(&broken);
    let exhausted = Observation::from_parts(
        429,
        [("content-type", "application/json")],
        br#"{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}"#,
    );
    clock.advance(secs(2));
    let verdict = take().expect("that held nothing").refused(&exhausted);
    assert!(matches!(verdict, Verdict::Exhausted { .. }), "{verdict:?}");
    let reason = "the provider refused a call with status 429 because a quota is used up";
    assert_eq!(hold(), Some((secs(600), reason.into())));
}

#[test]
fn a_daily_limit_does_not_prolong_a_hold_whose_refusal_states_no_wait() {
    let clock = ManualClock::new();
    let limits = plain(&clock).requests(Rate::per_minute(20)).requests(Rate::per_day(50));
    let limiter = limits.build().expect("valid rates");
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    assert_eq!(permit.refused(observation(429, &[])), Verdict::Retry { after: None });
    let hold = limiter.status().expect("it is built").hold.expect("it was refused");
    assert_eq!(hold.ends_in, secs(3));
}

#[test]
fn refused_with_a_response_that_is_no_refusal_holds_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_day(50)).build().expect("valid rates");
    for status in [200, 500] {
        let permit = limiter.try_acquire(Cost::new()).expect("there is room");
        assert_eq!(permit.refused(observation(status, &[])), Verdict::NotLimited);
    }
    assert_eq!(limiter.status().expect("it is built").hold, None);
    // The charges stay.
    assert_eq!(available(&limiter), 48);
}
