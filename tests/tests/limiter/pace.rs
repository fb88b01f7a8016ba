//! The pace of a limit: refusals halve it, it climbs back by itself, and limits may be adopted or
//! discovered.

use std::collections::VecDeque;
use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{Call, millis, plain, secs};

const REFUSED: u16 = 429;

fn refusal() -> Observation {
    Observation::new(REFUSED)
}

/// Returns the pace of each limit in thousandths.
fn paces(limiter: &RateLimiter) -> Vec<i64> {
    let limits = limiter.status().expect("it is built").limits;
    limits.iter().map(|limit| (limit.pace * 1_000.0).round() as i64).collect()
}

/// A limit of 600 requests a minute, with a burst of a second.
fn six_hundred(clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::per_minute(600)).build().expect("valid rates")
}

fn take(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new()).expect("there is room")
}

/// Takes so many requests at once.
fn use_up(limiter: &RateLimiter, requests: u64) {
    for _ in 0..requests {
        drop(take(limiter));
    }
}

#[test]
fn a_refusal_halves_the_rate_which_climbs_back_after_the_hold() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    assert_eq!(paces(&limiter), [1_000]);
    assert_eq!(take(&limiter).refused(refusal()), Verdict::Retry { after: None });
    let status = limiter.status().expect("it is built");
    assert_eq!(status.hold.map(|hold| hold.ends_in), Some(millis(300)));
    assert!(status.limits[0].to_string().ends_with(", at 0.5 times the rate"), "{}", status.limits[0]);
    // During the hold nothing climbs.
    clock.advance(millis(300));
    assert_eq!(paces(&limiter), [500]);
    for expected in [600, 700, 800, 900, 1_000, 1_000] {
        clock.advance(secs(1));
        assert_eq!(paces(&limiter), [expected]);
    }
}

#[test]
fn a_rate_does_not_climb_while_a_refusal_holds_for_long() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    take(&limiter).refused(refusal().header("retry-after", "20"));
    clock.advance(secs(20));
    assert_eq!(paces(&limiter), [500]);
    // A release lets it go on at once.
    limiter.hold(secs(100), "a test").expect("it is built");
    clock.advance(secs(50));
    limiter.release().expect("it is built");
    assert_eq!(paces(&limiter), [500]);
    clock.advance(secs(1));
    assert_eq!(paces(&limiter), [600]);
}

#[test]
fn each_crowd_of_calls_halves_the_rate_once() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(600).burst(secs(20))).build().expect("valid rates");
    let crowd: Vec<_> = (0..100).map(|_| take(&limiter)).collect();
    for permit in crowd {
        permit.refused(refusal());
        assert_eq!(paces(&limiter), [500]);
        clock.advance(millis(3));
    }
    clock.advance(secs(1));
    let before = paces(&limiter)[0];
    take(&limiter).refused(refusal());
    assert!((paces(&limiter)[0] - before / 2).abs() <= 1, "{:?} after {before}", paces(&limiter));
    // An eighth remains.
    for _ in 0..5 {
        clock.advance(millis(300));
        take(&limiter).refused(refusal());
    }
    assert_eq!(paces(&limiter), [125]);
}

#[test]
fn a_waiting_call_leaves_when_the_climbing_rate_has_made_room() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    use_up(&limiter, 9);
    take(&limiter).refused(refusal());
    clock.advance(millis(300));
    // The bucket is full. At a half of the rate that climbs by a tenth a second, 0.1 s of the rate
    // has leaked after x s with x / 2 + x^2 / 20 = 0.1.
    let mut calls: VecDeque<_> = (0..40).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
    let next = limiter.status().expect("it is built").next.expect("a call waits");
    let exact = 5.0 * ((1.0_f64 + 4.0 * 0.1 / 5.0).sqrt() - 1.0);
    assert!((next.as_secs_f64() - exact).abs() < 1e-6, "{next:?} for {exact} s");
    // The calls leave at the times of that curve, and from 5 s on every 0.1 s.
    let (mut admitted, mut passed) = (0_u32, Duration::ZERO);
    while admitted < 40 {
        clock.advance(millis(1));
        passed += millis(1);
        while calls.front_mut().and_then(Call::over).is_some() {
            calls.pop_front();
            admitted += 1;
            let due = 5.0 * ((1.0 + 4.0 * 0.1 * f64::from(admitted) / 5.0).sqrt() - 1.0);
            let due = if due <= 5.0 { due } else { 5.0 + 0.1 * f64::from(admitted) - 3.75 };
            assert!((passed.as_secs_f64() - due).abs() < 0.002, "{admitted}: {passed:?} for {due} s");
        }
        assert!(passed < secs(10), "only {admitted} calls were admitted");
    }
}

#[test]
fn the_wait_of_a_refused_call_accounts_for_the_climb() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    use_up(&limiter, 9);
    take(&limiter).refused(refusal());
    clock.advance(millis(300));
    let Err(AcquireError::WouldWait { wait, .. }) = limiter.try_acquire(Cost::new()) else {
        panic!("there is no room")
    };
    clock.advance(wait - Duration::from_nanos(1));
    limiter.try_acquire(Cost::new()).expect_err("a nanosecond is missing");
    clock.advance(Duration::from_nanos(1));
    use_up(&limiter, 1);
}

#[test]
fn a_refusal_that_names_its_dimension_slows_down_that_limit_only() {
    let clock = ManualClock::new();
    let limits = || plain(&clock).requests(Rate::per_minute(600)).tokens(Rate::per_minute(60_000));
    let refused = |refusal: &Observation| {
        let limiter = limits().requests(Rate::per_day(100_000)).build().expect("valid rates");
        limiter.try_acquire(500).expect("there is room").refused(refusal);
        paces(&limiter)
    };
    let named = br#"{"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 60000, Used 60000, Requested 500. Please try again in 500ms.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    assert_eq!(refused(&refusal().body(named)), [1_000, 500, 1_000]);
    // Without a name, it is about the limits of less than a day.
    assert_eq!(refused(&refusal()), [500, 500, 1_000]);
    // And not about one that has enough left.
    let headers = [("x-ratelimit-remaining-requests", "300"), ("x-ratelimit-remaining-tokens", "20")];
    assert_eq!(refused(&Observation::from_parts(REFUSED, headers, b"")), [1_000, 500, 1_000]);
}

#[test]
fn a_tiny_wait_holds_and_keeps_the_rate() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    // A request flows back within 100 ms.
    take(&limiter).refused(refusal().header("retry-after-ms", "19"));
    assert_eq!(paces(&limiter), [1_000]);
    assert_eq!(limiter.status().expect("it is built").hold.map(|hold| hold.ends_in), Some(millis(19)));
    clock.advance(millis(19));
    take(&limiter).refused(refusal().header("retry-after-ms", "20"));
    assert_eq!(paces(&limiter), [500]);
}

#[test]
fn other_failures_keep_the_rate() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    let exhausted = br#"{"error":{"code":"insufficient_quota"}}"#;
    for response in [
        Observation::new(500),
        Observation::new(529),
        Observation::new(200),
        refusal().body(exhausted),
        Observation::new(413),
    ] {
        take(&limiter).refused(&response);
        assert_eq!(paces(&limiter), [1_000], "{response:?}");
        limiter.release().expect("it is built");
    }
}

#[test]
fn a_provider_that_asks_for_slower_growth_gets_half_an_hour() {
    let clock = ManualClock::new();
    let limiter = six_hundred(&clock);
    let slow_down = refusal()
        .body(br#"{"error":{"message":"slow down","code":"slow_down"}}"#)
        .header("retry-after-ms", "1");
    let verdict = take(&limiter).refused(&slow_down);
    assert!(matches!(verdict, Verdict::SlowDown { .. }), "{verdict:?}");
    clock.advance(limiter.status().expect("it is built").hold.expect("a hold").ends_in);
    for expected in [750, 1_000] {
        clock.advance(secs(900));
        assert_eq!(paces(&limiter), [expected]);
    }
}

#[test]
fn a_refusal_that_comes_after_more_than_ten_minutes_is_a_late_one() {
    for minutes in [1, 9, 11, 60] {
        let clock = ManualClock::new();
        let limiter = six_hundred(&clock);
        take(&limiter).refused(refusal());
        clock.advance(secs(60));
        let late = take(&limiter);
        clock.advance(secs(60 * minutes));
        drop(take(&limiter));
        late.refused(refusal());
        clock.advance(millis(300));
        // The rate climbs by a fortieth a second.
        for expected in [500, 625, 750, 875, 1_000] {
            assert_eq!(paces(&limiter), [expected], "{minutes} min");
            clock.advance(secs(5));
        }
    }
}

#[test]
fn cancelled_and_settled_calls_give_back_no_more_than_they_took_while_the_rate_changes() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).adopt_limits(true).tokens(Rate::per_hour(1_000)).build().expect("valid rates");
    let state = |of: u64| {
        let header = [("x-ratelimit-limit-tokens", of.to_string())];
        limiter
            .observe(&Observation::from_parts(200, header.iter().map(|(name, value)| (*name, value)), b""))
            .expect("it is built");
    };
    let available = || limiter.status().expect("it is built").limits[0].available;
    let first = limiter.try_acquire(600).expect("there is room");
    state(4_000);
    assert_eq!(available(), 3_400);
    let second = limiter.try_acquire(3_000).expect("there is room");
    assert_eq!(available(), 400);
    state(1_000);
    // It is lower by as much as that call weighed: 750 of 1 000.
    assert_eq!(available(), 100);
    first.cancel();
    assert_eq!(available(), 100);
    second.cancel();
    assert_eq!(available(), 850);
}

/// A response of a limit of `of` requests per minute.
fn stating(of: u64) -> Observation {
    Observation::new(200)
        .header("x-ratelimit-limit-requests", of.to_string())
        .header("x-ratelimit-remaining-requests", (of - of / 10).to_string())
        .header("x-ratelimit-reset-requests", "6s")
}

#[test]
fn a_higher_limit_is_adopted_if_that_is_asked_for_and_left_again_when_it_falls() {
    let clock = ManualClock::new();
    let build = |adopts| {
        plain(&clock).adopt_limits(adopts).requests(Rate::per_minute(600)).build().expect("valid rates")
    };
    for (adopts, expected) in
        [(true, [10_000, 50_000, 1_000, 500, 125, 2_000]), (false, [1_000, 1_000, 1_000, 500, 125, 1_000])]
    {
        let limiter = build(adopts);
        for (of, expected) in [6_000, 30_000, 600, 300, 70, 1_200].into_iter().zip(expected) {
            limiter.observe(&stating(of)).expect("it is built");
            assert_eq!(paces(&limiter), [expected], "{of} requests, adopts: {adopts}");
        }
    }
    let limiter = build(true);
    limiter.observe(&stating(6_000)).expect("it is built");
    // The burst of a second is 100 requests, and so is what refills in one.
    for _ in 0..2 {
        use_up(&limiter, 100);
        limiter.try_acquire(Cost::new()).expect_err("the burst is used up");
        clock.advance(secs(1));
    }
}

#[test]
fn a_limit_over_another_time_is_not_adopted() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).adopt_limits(true).requests(Rate::per_minute(600)).build().expect("valid rates");
    // Per day, by its reset; a window of an hour; and one of which nothing is used.
    let day = stating(14_400).header("x-ratelimit-reset-requests", "2h24m");
    let hour = Observation::new(200).header("ratelimit-policy", "\"hour\";q=5000;w=3600");
    let unused = stating(9_000).header("x-ratelimit-remaining-requests", "9000");
    for response in [day, hour, unused] {
        limiter.observe(&response).expect("it is built");
        assert_eq!(paces(&limiter), [1_000], "{response:?}");
    }
}

#[test]
fn calls_larger_than_the_declared_limit_are_left_to_a_provider_whose_limits_are_adopted() {
    let clock = ManualClock::new();
    let tokens = || plain(&clock).tokens(Rate::per_minute(1_000));
    let strict = tokens().build().expect("valid rates");
    assert!(matches!(strict.try_acquire(5_000), Err(AcquireError::TooLarge { .. })));
    let adopting = tokens().adopt_limits(true).build().expect("valid rates");
    drop(adopting.try_acquire(5_000).expect("the bucket is empty"));
    // It is in debt for it: five minutes, of which a second is the burst.
    let Err(AcquireError::WouldWait { wait, .. }) = adopting.try_acquire(1) else { panic!("it is in debt") };
    assert!((298..=300).contains(&wait.as_secs()), "{wait:?}");
    // A higher limit ends the debt sooner.
    let response = Observation::new(200).header("x-ratelimit-limit-tokens", "10000");
    adopting.observe(&response).expect("it is built");
    let Err(AcquireError::WouldWait { wait, .. }) = adopting.try_acquire(1) else { panic!("it is in debt") };
    assert!((28..=30).contains(&wait.as_secs()), "{wait:?}");
    assert!(matches!(adopting.try_acquire(u64::MAX >> 1), Err(AcquireError::TooLarge { .. })));
}

#[test]
fn limits_that_alternate_with_every_response_never_admit_more_than_the_higher_one() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).adopt_limits(true).requests(Rate::per_minute(600)).build().expect("valid rates");
    let mut calls: VecDeque<Call> = VecDeque::new();
    let (mut granted, mut admitted) = (0, 0);
    for step in 0..6_000 {
        clock.advance(millis(10));
        limiter
            .observe(&Observation::new(200).header("x-ratelimit-limit-requests", ["600", "1200"][step % 2]))
            .expect("it is built");
        while calls.len() < 30 {
            calls.push_back(Call::start(limiter.acquire(Cost::new())));
        }
        while let Some(permit) = calls.front_mut().and_then(Call::over) {
            calls.pop_front();
            let permit = permit.expect("no timeout");
            granted += 1;
            if granted % 3 == 0 {
                permit.cancel();
            } else {
                drop(permit);
                admitted += 1;
            }
        }
    }
    assert!((550..=1_220).contains(&admitted), "{admitted} in a minute");
}

#[test]
fn absurd_limits_move_the_rate_within_its_bounds() {
    let clock = ManualClock::new();
    for amount in [1, 600, 1 << 40, i64::MAX as u64] {
        let limiter =
            plain(&clock).adopt_limits(true).requests(Rate::per_day(amount)).build().expect("valid rates");
        for of in
            ["1", "9223372036854775808", "18446744073709551614", "0", "-1", "99999999999999999999999", "x"]
        {
            let response = Observation::new(200).header("x-ratelimit-limit-requests", of);
            limiter.observe(&response).expect("it is built");
            let pace = limiter.status().expect("it is built").limits[0].pace;
            assert!((0.125..=65_537.0).contains(&pace), "{pace} by {of} of {amount}");
            take(&limiter).refused(refusal());
            limiter.release().expect("it is built");
            let _ = limiter.acquire(Cost::new()).timeout(secs(1)).blocking();
        }
    }
}

/// What the responses of a provider state.
#[derive(Clone, Copy, PartialEq)]
enum States {
    Nothing,
    /// The limit, and what is left.
    Left,
    /// Also when the bucket is full again.
    Reset,
}

/// Runs for a time a limiter that discovers its limits, against a provider that allows `allows`
/// requests per minute, and returns how many were served and refused in the last minute. The
/// provider's bucket holds a second of it.
fn discovered(seconds: u64, allows: f64, states: States) -> (u32, u32) {
    let clock = ManualClock::new();
    let limiter = plain(&clock).discover(true).build().expect("it needs no limits");
    let full = allows / 60.0;
    let (mut left, mut served, mut refused) = (full, 0, 0);
    let mut calls: VecDeque<Call> = VecDeque::new();
    let mut responses: VecDeque<(u64, Permit, Observation)> = VecDeque::new();
    for milli in 0..seconds * 1_000 {
        clock.advance(millis(1));
        left = (left + full / 1_000.0).min(full);
        if milli + 60_000 == seconds * 1_000 {
            (served, refused) = (0, 0);
        }
        while responses.front().is_some_and(|(at, ..)| *at <= milli) {
            let (_, permit, response) = responses.pop_front().expect("there is one");
            permit.responded(&response);
        }
        while calls.len() < 50 {
            calls.push_back(Call::start(limiter.acquire(1)));
        }
        while let Some(permit) = calls.front_mut().and_then(Call::over) {
            calls.pop_front();
            let is_served = left >= 1.0;
            left -= f64::from(is_served);
            served += u32::from(is_served);
            refused += u32::from(!is_served);
            let mut response = Observation::new(if is_served { 200 } else { REFUSED });
            if states != States::Nothing {
                response = response
                    .header("x-ratelimit-limit-requests", allows.to_string())
                    .header("x-ratelimit-remaining-requests", left.floor().to_string());
            }
            if states == States::Reset {
                let reset = format!("{}ms", ((full - left) / full * 1_000.0).ceil());
                response = response.header("x-ratelimit-reset-requests", reset);
            }
            responses.push_back((milli + 50, permit.expect("no timeout"), response));
        }
    }
    (served, refused)
}

#[test]
fn limits_that_responses_state_are_discovered_with_the_first_of_them() {
    for states in [States::Left, States::Reset] {
        let (served, refused) = discovered(70, 3_000.0, states);
        assert!(served >= 2_900 && refused == 0, "{served} served, {refused} refused");
    }
}

#[test]
fn limits_that_nobody_states_are_found_by_trying() {
    let (served, refused) = discovered(180, 3_000.0, States::Nothing);
    assert!(served >= 2_400 && refused <= 60, "{served} served, {refused} refused");
}

#[test]
fn a_limiter_that_discovers_starts_with_the_limits_that_are_declared() {
    let clock = ManualClock::new();
    let limits = |limiter: RateLimiter| {
        let status = limiter.status().expect("it is built");
        status.limits.iter().map(|limit| limit.limit.to_string()).collect::<Vec<_>>()
    };
    let builder = || plain(&clock).discover(true);
    let default = builder().build().expect("valid rates");
    assert_eq!(limits(default), ["30 requests / minute", "6000 tokens / minute"]);
    let declared = builder().tokens(Rate::per_minute(90_000)).build().expect("valid rates");
    assert_eq!(limits(declared), ["90000 tokens / minute", "30 requests / minute"]);
    let split = builder().input_tokens(Rate::per_minute(9_000)).output_tokens(Rate::per_minute(3_000));
    assert_eq!(limits(split.build().expect("valid rates")).len(), 3);
    plain(&clock).discover(false).build().expect_err("it has no limits");
}

#[test]
fn after_a_refusal_the_cost_flows_back_at_the_rate_that_was_adopted() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).discover(true).build().expect("it needs no limits");
    let headers = [
        ("x-ratelimit-limit-requests", "3000"),
        ("x-ratelimit-remaining-requests", "2999"),
        ("x-ratelimit-limit-tokens", "150000"),
        ("x-ratelimit-remaining-tokens", "149000"),
    ];
    let permit = limiter.try_acquire(100).expect("there is room");
    permit.observe(&Observation::from_parts(200, headers, b""));
    let large = limiter.try_acquire(1_500).expect("there is room");
    large.refused(refusal());
    let hold = limiter.status().expect("it is built").hold.expect("it was refused");
    assert_eq!(hold.ends_in, millis(600));
    // A wait of a fifth of that cuts the rate, so the declared one of 15 s does not matter there.
    clock.advance(secs(60));
    let large = limiter.try_acquire(1_500).expect("there is room");
    large.refused(Observation::from_parts(REFUSED, [("retry-after-ms", "200")], b""));
    assert!(paces(&limiter)[1] < 25_000, "{:?}", paces(&limiter));
}
