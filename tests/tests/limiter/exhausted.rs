//! A quota that is used up: calls are refused at once, and one finds out when it is back.

use std::mem;
use std::thread;
use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Permit, Priority, Rate, RateLimiter, Stack};
use openlimit_tests::{Call, Outcome, millis, plain, requests_and_tokens, secs};

/// A limiter of ten requests per second.
fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::per_second(10)).build().expect("valid rates")
}

/// What OpenAI says if a quota is used up.
const USED_UP: &[u8] = br#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#;

fn used_up() -> Observation {
    Observation::new(429).body(USED_UP)
}

fn refusal(retry_after: &str) -> Observation {
    Observation::from_parts(429, [("retry-after", retry_after)], b"")
}

fn take(limiter: &RateLimiter) -> Outcome {
    limiter.try_acquire(Cost::new())
}

/// Returns the time until the next probe, for a call that is refused.
#[track_caller]
fn refused(outcome: Outcome) -> Duration {
    match outcome {
        Err(AcquireError::Exhausted { until, .. }) => until,
        other => panic!("expected `Exhausted`, found {other:?}"),
    }
}

fn crowd(limiter: &RateLimiter, size: usize) -> Vec<Call> {
    (0..size).map(|_| Call::start(limiter.acquire(Cost::new()))).collect()
}

/// A limiter whose quota is used up, at the moment of the first probe.
fn at_first_probe() -> (ManualClock, RateLimiter) {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    take(&limiter).expect("there is room").refused(used_up());
    clock.advance(secs(600));
    (clock, limiter)
}

#[test]
fn all_calls_are_refused_at_once_those_in_the_queue_included() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = take(&limiter).expect("there is room");
    let mut calls = crowd(&limiter, 12);
    assert_eq!(calls.iter_mut().filter_map(Call::over).count(), 9);
    assert!(matches!(permit.refused(used_up()), Verdict::Exhausted { until: None }));
    for call in &mut calls[9..] {
        assert_eq!((call.wakes(), refused(call.over().expect("it is over"))), (1, secs(600)));
    }
    clock.advance(secs(100));
    assert_eq!(refused(take(&limiter)), secs(500));
    let mut call = Call::start(limiter.acquire(Cost::new()).timeout(secs(3_600)));
    assert_eq!(refused(call.over().expect("it is over")), secs(500));
    assert_eq!(limiter.status().expect("it is built").waiting, 0);
}

#[test]
fn the_error_and_the_status_say_why_and_for_how_long() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    take(&limiter).expect("there is room").refused(used_up());
    let error = take(&limiter).expect_err("a quota is used up");
    assert_eq!(
        error.to_string(),
        "limiter `unnamed` admits no calls for another 10m: the provider refused a call with status 429 because \
         a quota is used up; raise the quota at the provider and call `release`, or try again after that"
    );
    assert_eq!((error.retry_after(), error.limit(), &**error.limiter()), (Some(secs(600)), None, "unnamed"));
    let status = limiter.status().expect("it is built");
    let hold = status.hold.clone().expect("a hold");
    assert_eq!((hold.ends_in, hold.is_exhausted), (secs(600), true));
    let shown =
        "; no quota, and no calls for another 10m: the provider refused a call with status 429 because";
    assert!(status.to_string().contains(shown), "{status}");
    clock.advance(secs(700));
    let status = limiter.status().expect("it is built");
    let hold = status.hold.clone().expect("nobody knows yet");
    assert_eq!((hold.ends_in, hold.is_exhausted), (Duration::ZERO, true));
    assert!(status.to_string().contains("; no quota, the next call finds out if it is back: "), "{status}");
}

#[test]
fn a_wait_beyond_the_longest_hold_is_a_quota_that_is_used_up() {
    for (wait, shown) in [("18000", "5h"), ("18446744073709551615", "213503982334601d 8h")] {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let verdict = take(&limiter).expect("there is room").refused(refusal(wait));
        assert!(matches!(verdict, Verdict::Exhausted { until: Some(_) }), "{verdict:?}");
        // It is believed for as long as the longest hold. Then a call tries.
        let error = take(&limiter).expect_err("a quota is used up");
        assert!(error.to_string().contains("because a quota is used up for another "), "{error}");
        assert!(error.to_string().contains(shown), "{error}");
        assert_eq!(refused(Err(error)), secs(600));
        clock.advance(secs(600));
        assert!(take(&limiter).is_ok());
    }
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let verdict = take(&limiter).expect("there is room").refused(refusal("600"));
    assert_eq!(verdict, Verdict::Retry { after: Some(secs(600)) });
    assert!(matches!(take(&limiter), Err(AcquireError::Held { .. })));
}

#[test]
fn a_quota_that_is_renewed_sooner_is_tried_then() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let refusal = Observation::from_parts(429, [("retry-after", "30")], USED_UP);
    take(&limiter).expect("there is room").refused(&refusal);
    assert_eq!(refused(take(&limiter)), secs(30));
    clock.advance(secs(30));
    assert!(take(&limiter).is_ok());
}

#[test]
fn one_call_is_admitted_when_the_time_is_over_and_the_others_go_on_being_refused() {
    let (clock, limiter) = at_first_probe();
    let mut calls = crowd(&limiter, 5);
    let probe = calls[0].over().expect("it is over").expect("it is the probe");
    for call in &mut calls[1..] {
        assert_eq!(refused(call.over().expect("it is over")), secs(60));
    }
    clock.advance(secs(59));
    assert_eq!(refused(take(&limiter)), secs(1));
    drop(probe);
}

#[test]
fn of_many_threads_one_gets_the_probe() {
    let (_clock, limiter) = at_first_probe();
    let probes: Vec<_> = thread::scope(|scope| {
        let calls = |number: usize| {
            let limiter = &limiter;
            move || {
                let call = |_| match number % 2 {
                    0 => take(limiter),
                    _ => limiter.acquire(Cost::new()).blocking(),
                };
                (0..200).filter_map(|round| call(round).ok()).collect::<Vec<_>>()
            }
        };
        let threads: Vec<_> = (0..8).map(|number| scope.spawn(calls(number))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("it did not panic")).collect()
    });
    assert_eq!(probes.len(), 1);
}

#[test]
fn a_hold_of_one_limit_outlasts_the_probe_however_that_ends() {
    type End = fn(Permit);
    let ends: [(End, bool); 3] = [(drop, false), (|probe| probe.settle(1), false), (Permit::cancel, true)];
    for (end, is_used_up) in ends {
        let clock = ManualClock::new();
        let builder = plain(&clock).requests(Rate::per_second(10)).tokens(Rate::per_second(100));
        let limiter = builder.build().expect("valid rates");
        let [other, permit] = [(); 2].map(|()| take(&limiter).expect("there is room"));
        permit.refused(used_up());
        clock.advance(secs(595));
        other.refused(Observation::new(429).body(
            br#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 6000, Used 6000, Requested 20. Please try again in 7s.","type":"tokens","code":"rate_limit_exceeded"}}"#,
        ));
        clock.advance(secs(5));
        end(take(&limiter).expect("it is the probe"));
        if is_used_up {
            take(&limiter).expect("it is the next probe").settle(1);
        }
        drop(take(&limiter).expect("the quota is back"));
        let Err(AcquireError::Held { wait, reason, .. }) = limiter.try_acquire(1) else {
            panic!("it is not held")
        };
        assert_eq!((wait, &*reason), (secs(2), "the provider refused a call while a quota was used up, too"));
        clock.advance(wait);
        drop(limiter.try_acquire(1).expect("the hold is over"));
    }
}

#[test]
fn every_way_of_calling_can_be_the_probe() {
    type Probe = fn(&RateLimiter) -> Outcome;
    let probes: [Probe; 6] = [
        take,
        |limiter| Stack::of([limiter]).try_acquire(Cost::new()),
        |limiter| Stack::of([limiter]).acquire(Cost::new()).timeout(Duration::ZERO).blocking(),
        |limiter| limiter.acquire(Cost::new()).blocking(),
        |limiter| limiter.acquire(Cost::new()).timeout(Duration::ZERO).blocking(),
        |limiter| limiter.acquire(Cost::new().requests(1)).timeout(secs(1)).blocking(),
    ];
    for probe in probes {
        let (_clock, limiter) = at_first_probe();
        let permit = probe(&limiter).expect("it is the probe");
        refused(take(&limiter));
        permit.settle(0);
        assert!(take(&limiter).is_ok());
    }
}

#[test]
fn a_probe_that_is_not_refused_opens_the_limiter() {
    type End = fn(Permit);
    let ends: [(&str, End); 7] = [
        ("settle", |permit| permit.settle(0)),
        ("settle_so_far", |mut permit| {
            permit.settle_so_far(0);
            mem::forget(permit);
        }),
        ("observe", |permit| {
            permit.observe(&Observation::new(200));
            mem::forget(permit);
        }),
        ("responded", |permit| _ = permit.responded(&Observation::new(200))),
        ("responded with an error about nothing of that", |permit| {
            _ = permit.responded(&Observation::new(500));
        }),
        ("refused with an error about nothing of that", |permit| {
            _ = permit.refused(Observation::new(400));
        }),
        ("drop", drop),
    ];
    for (how, end) in ends {
        let (_clock, limiter) = at_first_probe();
        let probe = take(&limiter).expect("it is the probe");
        refused(take(&limiter));
        end(probe);
        assert_eq!(limiter.status().expect("it is built").hold, None, "{how}");
        assert!(take(&limiter).is_ok() && take(&limiter).is_ok(), "{how}");
    }
}

#[test]
fn a_probe_that_is_refused_for_the_same_reason_shuts_the_limiter_again() {
    let (clock, limiter) = at_first_probe();
    for _ in 0..3 {
        take(&limiter).expect("it is the probe").refused(used_up());
        assert_eq!(refused(take(&limiter)), secs(600));
        clock.advance(secs(600));
    }
    take(&limiter).expect("it is the probe").settle(0);
    assert!(take(&limiter).is_ok());
}

#[test]
fn a_refused_probe_says_anew_for_how_long_a_quota_is_used_up() {
    let (clock, limiter) = at_first_probe();
    // It is less than its response was waited for.
    let refusal = Observation::from_parts(429, [("retry-after", "30")], USED_UP);
    take(&limiter).expect("it is the probe").refused(&refusal);
    assert_eq!(refused(take(&limiter)), secs(30));
    clock.advance(secs(30));
    take(&limiter).expect("it is the probe").settle(0);
    assert!(take(&limiter).is_ok());
}

#[test]
fn a_probe_that_is_refused_for_another_reason_holds_as_any_refusal_does() {
    let (clock, limiter) = at_first_probe();
    take(&limiter).expect("it is the probe").refused(refusal("7"));
    let error = take(&limiter).expect_err("a hold");
    assert!(matches!(error, AcquireError::Held { .. }), "{error}");
    clock.advance(secs(7));
    assert!(take(&limiter).is_ok() && take(&limiter).is_ok());
}

#[test]
fn a_response_with_a_refusal_that_is_only_observed_leaves_the_probe_open() {
    let (_clock, limiter) = at_first_probe();
    let probe = take(&limiter).expect("it is the probe");
    probe.observe(&used_up());
    refused(take(&limiter));
    probe.refused(used_up());
    assert_eq!(refused(take(&limiter)), secs(600));
}

#[test]
fn a_probe_that_was_never_sent_leaves_its_place_to_the_next_call() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permits: Vec<_> = (0..10).map(|_| take(&limiter).expect("there is room")).collect();
    permits.into_iter().for_each(|permit| _ = permit.refused(used_up()));
    clock.advance(secs(600));
    // A future that is dropped after its call was admitted, and before it was polled again.
    let call = Call::start(limiter.acquire(Cost::new()));
    clock.advance(millis(100));
    refused(take(&limiter));
    drop(call);
    let probe = take(&limiter).expect("it is the next probe");
    refused(take(&limiter));
    probe.cancel();
    let _probe = take(&limiter).expect("it is the next probe");
    refused(take(&limiter));
}

#[test]
fn a_probe_whose_request_fails_without_a_response_finds_out_nothing() {
    let (_clock, limiter) = at_first_probe();
    for _ in 0..3 {
        let probe = take(&limiter).expect("it is the probe");
        refused(take(&limiter));
        probe.refused(&std::io::Error::other("connection reset by peer"));
        assert!(limiter.status().expect("it is built").hold.is_some_and(|hold| hold.is_exhausted));
    }
    take(&limiter).expect("it is the probe").settle(0);
    assert!(take(&limiter).is_ok() && take(&limiter).is_ok());
}

#[test]
fn a_probe_of_a_stack_that_fails_finds_out_nothing_in_any_limiter() {
    let clock = ManualClock::new();
    let (inner, outer) = (limiter(&clock), limiter(&clock));
    let stack = Stack::of((&inner, &outer));
    stack.try_acquire(Cost::new()).expect("there is room").refused(used_up());
    clock.advance(secs(600));
    let probe = stack.try_acquire(Cost::new()).expect("it is the probe");
    probe.refused(&std::io::Error::other("connection reset by peer"));
    for limiter in [&inner, &outer] {
        let _probe = take(limiter).expect("it is the next probe");
        refused(take(limiter));
    }
}

#[test]
fn a_probe_that_is_lost_does_not_shut_the_limiter_for_ever() {
    let (clock, limiter) = at_first_probe();
    let lost = take(&limiter).expect("it is the probe");
    clock.advance(secs(60));
    let next = take(&limiter).expect("it is the next probe");
    // The one before says nothing any more.
    drop(lost);
    refused(take(&limiter));
    next.settle(0);
    assert!(take(&limiter).is_ok());
}

#[test]
fn a_lost_probe_shuts_the_limiter_for_no_longer_than_the_longest_hold() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).max_hold(secs(5)).build().expect("valid");
    take(&limiter).expect("there is room").refused(used_up());
    clock.advance(secs(5));
    mem::forget(take(&limiter).expect("it is the probe"));
    assert_eq!(refused(take(&limiter)), secs(5));
    clock.advance(secs(5));
    assert!(take(&limiter).is_ok());
}

#[test]
fn a_probe_waits_for_the_limits_and_calls_behind_it_are_refused_when_it_departs() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permits: Vec<_> = (0..10).map(|_| take(&limiter).expect("there is room")).collect();
    permits.into_iter().for_each(|permit| _ = permit.refused(used_up()));
    clock.advance(secs(600));
    // The bucket is as full as it was.
    let mut calls = crowd(&limiter, 3);
    assert!(calls.iter_mut().all(|call| !call.poll()));
    assert!(matches!(take(&limiter), Err(AcquireError::WouldWait { .. })));
    // One that leaves makes way for the next.
    drop(calls.remove(0));
    clock.advance(millis(100));
    let probe = calls[0].over().expect("it is over").expect("it is the probe");
    refused(calls[1].over().expect("it is over"));
    probe.settle(0);
    assert_eq!(limiter.status().expect("it is built").hold, None);
}

#[test]
fn a_call_that_cannot_be_the_probe_within_its_timeout_fails_on_arrival() {
    let (_clock, limiter) = at_first_probe();
    // The limit has room again in a second.
    drop(limiter.charge(Cost::new().requests(20)).expect("it is built"));
    let mut call = Call::start(limiter.acquire(Cost::new()).timeout(millis(500)));
    let refusal = call.over().expect("it is over").unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { waited: Duration::ZERO, .. }), "{refusal}");
}

#[test]
fn a_call_behind_one_that_waits_to_be_the_probe_is_not_told_of_a_hold_that_is_over() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(10));
    take(&limiter).expect("there is room").refused(used_up());
    clock.advance(secs(600));
    drop(limiter.charge(20).expect("it is built"));
    let first = Call::start(limiter.acquire(1).priority(Priority::High));
    let refusal = limiter.acquire(Cost::new().requests(0)).timeout(Duration::ZERO).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    clock.advance(secs(2));
    drop(first.admitted());
}

#[test]
fn late_refusals_of_calls_from_before_do_not_keep_a_successful_probe_from_opening() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let (first, second, third) = (take(&limiter), take(&limiter), take(&limiter));
    first.expect("there is room").refused(used_up());
    clock.advance(secs(600));
    let probe = take(&limiter).expect("it is the probe");
    second.expect("there is room").refused(used_up());
    third.expect("there is room").settle(0);
    assert_eq!(refused(take(&limiter)), secs(600));
    probe.settle(0);
    assert!(take(&limiter).is_ok());
}

#[test]
fn a_hold_by_hand_and_a_used_up_quota_merge_and_release_ends_both() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = take(&limiter).expect("there is room");
    limiter.hold(secs(50), "by hand").expect("it is built");
    permit.refused(Observation::from_parts(429, [("retry-after", "30")], USED_UP));
    limiter.hold(secs(100), "by hand").expect("it is built");
    let error = take(&limiter).expect_err("a quota is used up");
    assert!(error.to_string().contains("because a quota is used up for another 30s"), "{error}");
    assert_eq!(refused(Err(error)), secs(100));
    limiter.release().expect("it is built");
    assert_eq!(limiter.status().expect("it is built").hold, None);
    assert!(take(&limiter).is_ok() && take(&limiter).is_ok());
}

#[test]
fn ten_thousand_refusals_at_once_are_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(20_000)).build().expect("valid rates");
    let permits: Vec<_> = (0..10_000).map(|_| take(&limiter).expect("there is room")).collect();
    let mut calls = crowd(&limiter, 10_000 + 10_000);
    for (number, permit) in permits.into_iter().enumerate() {
        let _ = if number % 2 == 0 { permit.refused(used_up()) } else { permit.refused(refusal("9e99")) };
    }
    assert_eq!(calls.iter_mut().filter_map(Call::over).filter(Result::is_err).count(), 10_000);
    assert_eq!(refused(take(&limiter)), secs(600));
    // The bucket is full when that is over.
    clock.advance(secs(600) + millis(1));
    take(&limiter).expect("it is the probe").settle(0);
    assert!(take(&limiter).is_ok());
}

#[test]
fn without_holds_no_refusal_stops_a_call() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).requests(Rate::per_second(10)).max_hold(Duration::ZERO).build().expect("valid");
    take(&limiter).expect("there is room").refused(used_up());
    let verdict = take(&limiter).expect("it is off").refused(refusal("7"));
    assert_eq!(verdict, Verdict::Retry { after: Some(secs(7)) });
    assert!(take(&limiter).is_ok());
    assert_eq!(limiter.status().expect("it is built").hold, None);
}

#[test]
fn programs_that_are_refused_at_once_do_not_try_at_once() {
    let clock = ManualClock::new();
    let mut ends: Vec<_> = (0..20)
        .map(|number| {
            let name = format!("chat-{number}");
            let limiter =
                plain(&clock).name(name).requests(Rate::per_second(10)).build().expect("valid rates");
            take(&limiter).expect("there is room").refused(used_up());
            refused(take(&limiter))
        })
        .collect();
    ends.sort();
    ends.dedup();
    assert!(ends.len() == 20 && ends[0] > secs(599) && ends[19] <= secs(600), "{ends:?}");
}
