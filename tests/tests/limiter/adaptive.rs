//! `Concurrency::Adaptive`: it finds how many calls a provider serves at a time, by what that
//! refuses.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Concurrency, Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{Call, millis, plain, secs};
use proptest::collection::vec;
use proptest::prelude::*;

fn adaptive(clock: &ManualClock, least: u32, most: u32) -> RateLimiter {
    plain(clock).concurrency(Concurrency::Adaptive(least..=most)).build().expect("it is valid")
}

/// Returns the most calls that may be in flight now.
fn most(limiter: &RateLimiter) -> u32 {
    limiter.status().expect("it is built").in_flight.expect("it is limited").most
}

fn full(limiter: &RateLimiter) -> Vec<Permit> {
    std::iter::from_fn(|| limiter.try_acquire(Cost::new()).ok()).collect()
}

/// A refusal that asks for a wait of a millisecond.
fn refusal() -> Observation {
    Observation::from_parts(429, [("retry-after-ms", "1")], b"")
}

fn refuse(permit: Permit, clock: &ManualClock) {
    permit.refused(refusal());
    clock.advance(secs(1));
}

#[test]
fn it_doubles_with_each_round_until_the_first_refusal_and_not_beyond_the_upper_end() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 1, 40);
    for expected in [1, 2, 4, 8, 16, 32, 40, 40] {
        assert_eq!(most(&limiter), expected);
        let calls = full(&limiter);
        assert_eq!(calls.len(), expected as usize);
        // Each is followed by others at once, so as many are in flight as may be.
        let mut next = Vec::new();
        for call in calls {
            drop(call);
            next.extend(full(&limiter));
        }
        next.into_iter().for_each(Permit::cancel);
    }
}

#[test]
fn it_does_not_grow_while_it_is_not_used_up() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 4, 64);
    for _ in 0..1_000 {
        let three = [0; 3].map(|_| limiter.try_acquire(Cost::new()).expect("there is room"));
        three.into_iter().for_each(|permit| permit.settle(1));
    }
    assert_eq!(most(&limiter), 4);
}

#[test]
fn a_crowd_of_refusals_cuts_it_once() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 50, 100);
    drop(full(&limiter));
    let before = most(&limiter);
    let crowd = full(&limiter);
    crowd.into_iter().for_each(|permit| refuse(permit, &clock));
    let lower = before * 4 / 5;
    assert_eq!(most(&limiter), lower.max(50));
}

#[test]
fn it_is_cut_to_four_fifths_and_never_below_the_lower_end() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 3, 100);
    while most(&limiter) < 100 {
        let mut calls = full(&limiter);
        calls.pop().expect("there is room").settle(1);
    }
    let mut seen = Vec::new();
    for _ in 0..20 {
        refuse(limiter.try_acquire(Cost::new()).expect("there is room"), &clock);
        seen.push(most(&limiter));
    }
    assert_eq!(seen[..6], [80, 64, 51, 40, 32, 25]);
    assert_eq!(seen[13..], [3; 7]);
}

#[test]
fn after_a_refusal_it_grows_by_one_in_each_round() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 1, 100);
    refuse(limiter.try_acquire(Cost::new()).expect("there is room"), &clock);
    for round in [19, 20, 40] {
        for _ in 0..round {
            let mut calls = full(&limiter);
            calls.swap_remove(0).settle(1);
        }
    }
    // 79 successes, each while as many were in flight as may be.
    assert_eq!(most(&limiter), 4);
}

#[test]
fn calls_that_departed_before_a_cut_do_not_let_it_grow() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 40, 64);
    let mut crowd = full(&limiter);
    refuse(crowd.pop().expect("there is one"), &clock);
    crowd.into_iter().for_each(|permit| permit.settle(1));
    assert_eq!(most(&limiter), 40);
}

#[test]
fn only_what_can_be_about_concurrency_cuts_it() {
    let tokens_left = [("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "0")];
    let enough_left = [("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", "900")];
    let named: &[u8] = br#"{"error": {"code": "rate_limit_exceeded", "message":
        "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 1000, Used 900, Requested 500."}}"#;
    let cases = [
        ("429", Observation::new(429), true),
        ("overloaded", Observation::new(529), true),
        ("enough is left of the limits", Observation::from_parts(429, enough_left, b""), true),
        ("nothing is left of a limit", Observation::from_parts(429, tokens_left, b""), false),
        ("it names a limit", Observation::new(429).body(named), false),
        ("another error", Observation::new(400), false),
        ("a success", Observation::new(200), false),
    ];
    for (what, response, cuts) in cases {
        let clock = ManualClock::new();
        let limiter = plain(&clock).tokens(Rate::per_minute(1_000)).burst(secs(60));
        let limiter = limiter.concurrency(Concurrency::Adaptive(1..=64)).build().expect("it is valid");
        for _ in 0..9 {
            let mut calls = full(&limiter);
            calls.pop().expect("there is room").settle(0);
        }
        let before = most(&limiter);
        limiter.try_acquire(Cost::new().tokens(1)).expect("there is room").refused(&response);
        assert_eq!(most(&limiter) < before, cuts, "{what}");
    }
}

#[test]
fn cancelled_and_failed_calls_do_not_let_it_grow() {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 1, 64);
    let permit = || limiter.try_acquire(Cost::new()).expect("there is room");
    for _ in 0..100 {
        permit().cancel();
        permit().refused(Observation::new(400));
        drop(limiter.acquire(Cost::new()));
    }
    assert_eq!(most(&limiter), 1);
    drop(permit());
    assert_eq!(most(&limiter), 2);
}

#[test]
fn a_head_that_waits_for_a_call_in_flight_is_no_reason_to_try_a_higher_rate() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).discover(true).concurrency(1).build().expect("it is valid");
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    let mut waits = Call::start(limiter.acquire(Cost::new()));
    clock.advance(secs(60));
    permit.observe(&Observation::new(200));
    assert!(!waits.poll());
    assert!(limiter.status().expect("it is built").limits.iter().all(|limit| limit.pace <= 1.0));
    drop(permit);
    assert!(waits.poll());
}

/// The end of a call.
#[derive(Clone, Copy, Debug)]
enum End {
    Settled,
    Dropped,
    Cancelled,
    Refused,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_stays_within_its_range_counts_every_call_and_is_never_stuck(
        least in 1..10_u32,
        more in 0..40_u32,
        moves in vec((any::<usize>(), 0..4_usize), 1..400),
    ) {
        let clock = ManualClock::new();
        let limiter = adaptive(&clock, least, least + more);
        let mut running = Vec::new();
        let mut waiting: VecDeque<Call> = VecDeque::new();
        for (which, end) in moves {
            match which % 3 {
                0 if !running.is_empty() => {
                    let permit: Permit = running.swap_remove(which / 3 % running.len());
                    let end = [End::Settled, End::Dropped, End::Cancelled, End::Refused][end];
                    match end {
                        End::Settled => permit.settle(1),
                        End::Dropped => drop(permit),
                        End::Cancelled => permit.cancel(),
                        End::Refused => refuse(permit, &clock),
                    }
                }
                1 if end == 0 => drop(waiting.pop_back()),
                _ => waiting.push_back(Call::start(limiter.acquire(Cost::new()))),
            }
            while let Some(Ok(permit)) = waiting.front_mut().and_then(Call::over) {
                waiting.pop_front();
                running.push(permit);
            }
            let flights = limiter.status().expect("it is built").in_flight.expect("it is limited");
            prop_assert_eq!(flights.calls as usize, running.len());
            prop_assert!((least..=least + more).contains(&flights.most));
            prop_assert!(waiting.is_empty() || flights.calls >= flights.most, "a call waits for nothing");
        }
        drop(running);
        while let Some(call) = waiting.pop_front() {
            drop(call.admitted());
        }
        prop_assert_eq!(limiter.status().expect("it is built").in_flight.expect("it is limited").calls, 0);
    }
}

/// A provider that serves so many calls at a time, each for about four seconds, and refuses others
/// at once. Returns the part of its places that were used, and of the calls that it refused.
fn beside_a_provider(serves: u32, most: u32, minutes: u64) -> (f64, f64) {
    let clock = ManualClock::new();
    let limiter = adaptive(&clock, 1, most);
    let mut running: BTreeMap<(Duration, u64), Permit> = BTreeMap::new();
    let (mut sent, mut refused, mut used) = (0_u64, 0_u64, Duration::ZERO);
    let end = secs(60) * u32::try_from(minutes).expect("it is small");
    while clock.now() < end {
        while let Ok(permit) = limiter.try_acquire(Cost::new()) {
            sent += 1;
            if running.len() < serves as usize {
                // From two to six seconds.
                let takes = millis(2_000 + sent.wrapping_mul(0x9E37_79B9_7F4A_7C15) % 4_000);
                running.insert((clock.now() + takes, sent), permit);
                used += takes;
            } else {
                refused += 1;
                permit.refused(refusal());
            }
        }
        clock.advance(millis(10));
        while let Some(call) = running.first_entry().filter(|call| call.key().0 <= clock.now()) {
            call.remove().settle(1);
        }
    }
    (used.as_secs_f64() / f64::from(serves) / end.as_secs_f64(), refused as f64 / sent as f64)
}

#[test]
fn it_uses_most_of_what_a_provider_serves_and_is_hardly_refused() {
    for (serves, used, refused) in [(1, 0.95, 0.06), (4, 0.9, 0.05), (32, 0.85, 0.01)] {
        let found = beside_a_provider(serves, 256, 30);
        assert!(found.0 > used && found.1 < refused, "{serves}: {found:?}");
    }
    // The provider serves more than the upper end.
    let (used, refused) = beside_a_provider(20, 10, 15);
    assert!(used > 0.48 && refused == 0.0, "{used} {refused}");
}
