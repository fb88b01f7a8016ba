//! Holds: nothing is admitted until they end, and then no burst departs.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Priority, Rate, RateLimiter};
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
        "limiter `unnamed` is on hold, and the call has to wait for at least 20s: 429 Too Many Requests; try \
         again after that, or allow more time"
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
fn a_refusal_does_not_count_the_wait_after_a_hold_as_hold() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(1)).build().expect("it is valid");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    limiter.hold(secs(30), "429").expect("it is built");
    let refusal = limiter.try_acquire(Cost::new()).expect_err("a hold").to_string();
    assert!(refusal.contains("is on hold, and the call has to wait for at least 1m 30s: 429"), "{refusal}");
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

/// A limiter of requests and tokens, all of which may be taken at once.
#[test]
fn a_hold_that_is_over_is_not_why_a_call_is_refused() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(1), "429").expect("it is built");
    clock.advance(secs(2));
    assert_eq!(at_once(&limiter), 10);
    let _low = Call::start(limiter.acquire(Cost::new()).priority(Priority::Low));
    let refusal = limiter.try_acquire(Cost::new().requests(0)).expect_err("a call waits");
    assert!(matches!(refusal, AcquireError::WouldWait { .. }), "{refusal}");
}

#[test]
fn a_call_that_a_hold_has_refused_says_why_however_late_it_is_polled() {
    type End = fn(&ManualClock, &RateLimiter);
    let ends: [End; 3] = [
        |_, limiter| limiter.release().expect("it is built"),
        |_, limiter| limiter.reset().expect("it is built"),
        |clock, _| clock.advance(secs(60)),
    ];
    for end in ends {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let mut calls = crowd(&limiter, 10);
        assert_eq!(over(&mut calls), 10);
        let mut call = Call::start(limiter.acquire(Cost::new()).timeout(secs(1)));
        limiter.hold(secs(30), "429 Too Many Requests").expect("it is built");
        end(&clock, &limiter);
        let refusal = call.over().expect("it is over").expect_err("the hold is longer than its timeout");
        assert!(refusal.to_string().contains("429 Too Many Requests"), "{refusal}");
    }
}

fn two_limits(clock: &ManualClock) -> RateLimiter {
    let limits = plain(clock).requests(Rate::per_second(10)).tokens(Rate::per_second(1_000));
    limits.tokens(Rate::per_day(50_000)).build().expect("valid rates")
}

/// OpenAI's refusal of tokens per minute or per day, with a wait of seven seconds.
fn refused_tokens(window: &str) -> Observation {
    let body = format!(
        r#"{{"error":{{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per {window}: Limit 1000, Used 990, Requested 20. Please try again in 7s.","type":"tokens","code":"rate_limit_exceeded"}}}}"#
    );
    Observation::new(429).body(body.as_bytes())
}

#[test]
fn a_refusal_that_names_its_dimension_stops_only_calls_that_take_something_from_it() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock);
    let permit = limiter.try_acquire(Cost::new().tokens(10)).expect("there is room");
    assert_eq!(permit.refused(refused_tokens("min (TPM)")), Verdict::Retry { after: Some(secs(7)) });
    assert!(matches!(limiter.try_acquire(Cost::new().tokens(1)), Err(AcquireError::Held { .. })));
    for _ in 0..9 {
        drop(limiter.try_acquire(Cost::new()).expect("it takes no tokens"));
    }
    // They are limited all the same.
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::WouldWait { .. })));
    clock.advance(secs(7));
    assert!(limiter.try_acquire(Cost::new().tokens(1)).is_ok());
    assert!(limiter.status().expect("it is built").limits.iter().all(|limit| limit.hold.is_none()));
}

#[test]
fn a_call_that_waits_for_the_hold_of_a_limit_holds_those_behind_it() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock);
    let permit = limiter.try_acquire(Cost::new().tokens(10)).expect("there is room");
    permit.refused(refused_tokens("min (TPM)"));
    let mut calls = [1, 0].map(|tokens| Call::start(limiter.acquire(Cost::new().tokens(tokens))));
    clock.advance(millis(6_999));
    assert_eq!(over(&mut calls), 0);
    let refusal = limiter.try_acquire(Cost::new()).expect_err("others wait");
    assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
    clock.advance(millis(1));
    assert_eq!(over(&mut calls), 2);
}

#[test]
fn the_status_shows_the_hold_of_the_limit_of_the_window_that_was_refused() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock);
    let permit = limiter.try_acquire(Cost::new().tokens(10)).expect("there is room");
    permit.refused(refused_tokens("day (TPD)"));
    let status = limiter.status().expect("it is built");
    let held: Vec<_> =
        status.limits.iter().map(|limit| limit.hold.as_ref().map(|hold| hold.ends_in)).collect();
    assert_eq!((status.hold, held), (None, vec![None, None, Some(secs(7))]));
    assert_eq!(status.limits[2].available, 0);
    let shown =
        ", on hold for another 7s: the provider refused a call with status 429 and asks for a wait of 7s";
    assert!(status.limits[2].to_string().ends_with(shown), "{}", status.limits[2]);
    limiter.release().expect("it is built");
    assert!(limiter.try_acquire(Cost::new().tokens(1)).is_ok());
}

#[test]
fn without_a_stated_wait_it_is_the_time_in_which_the_named_limit_refills() {
    let clock = ManualClock::new();
    let limits = plain(&clock).requests(Rate::per_minute(20)).tokens(Rate::per_minute(6_000));
    let limiter = limits.build().expect("valid rates");
    let body = br#"{"error":{"message":"Rate limit reached for gpt-4o in organization org-1 on tokens per min (TPM): Limit 6000, Used 6000, Requested 20.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let permit = limiter.try_acquire(Cost::new().tokens(50)).expect("there is room");
    permit.refused(Observation::new(429).body(body));
    let limits = limiter.status().expect("it is built").limits;
    assert_eq!(limits[1].hold.as_ref().map(|hold| hold.ends_in), Some(millis(500)));
}

#[test]
fn a_refusal_of_a_dimension_that_the_limiter_does_not_meter_stops_all_calls() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    permit.refused(refused_tokens("min (TPM)"));
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Held { .. })));
    assert!(limiter.status().expect("it is built").hold.is_some());
}

#[test]
fn a_hold_of_a_limit_ends_without_a_burst() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100)).tokens(Rate::per_second(10));
    let limiter = limiter.build().expect("valid rates");
    let cost = || Cost::new().tokens(1);
    let permits: Vec<_> = (0..10).map(|_| limiter.try_acquire(cost()).expect("there is room")).collect();
    permits.into_iter().for_each(|permit| _ = permit.refused(refused_tokens("min (TPM)")));
    let mut calls: Vec<_> = (0..10).map(|_| Call::start(limiter.acquire(cost()))).collect();
    clock.advance(millis(7_000));
    assert_eq!(over(&mut calls), 0);
    clock.advance(millis(500));
    // The refusals halved the rate of 10 a second, once.
    assert_eq!(over(&mut calls), 2);
}

/// A refusal that asks for so many milliseconds.
fn refused_for(millis: &str) -> Observation {
    Observation::from_parts(429, [("retry-after-ms", millis)], b"")
}

/// Returns how long the limiter is on hold.
fn held_for(limiter: &RateLimiter) -> Duration {
    limiter.status().expect("it is built").hold.map_or(Duration::ZERO, |hold| hold.ends_in)
}

#[test]
fn a_late_refusal_does_not_extend_a_hold_beyond_its_own_wait() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let mut permits = (0..3).map(|_| limiter.try_acquire(Cost::new()).expect("there is room"));
    let [first, second, third] = std::array::from_fn(|_| permits.next().expect("three"));
    first.refused(refused_for("10000"));
    clock.advance(secs(4));
    // It would end before the hold, and the next one after it.
    second.refused(refused_for("5000"));
    assert_eq!(held_for(&limiter), secs(6));
    clock.advance(secs(2));
    third.refused(refused_for("5000"));
    assert_eq!(held_for(&limiter), secs(5));
}

#[test]
fn a_wait_of_some_milliseconds_is_honoured_as_it_is() {
    let clock = ManualClock::new();
    for limiter in [limiter(&clock), named(&clock, "chat")] {
        limiter.try_acquire(Cost::new()).expect("there is room").refused(refused_for("7"));
        assert_eq!(held_for(&limiter), millis(7));
    }
}

fn named(clock: &ManualClock, name: &str) -> RateLimiter {
    plain(clock).name(name).requests(Rate::per_second(10)).build().expect("valid rates")
}

#[test]
fn limiters_that_are_refused_at_once_begin_again_one_after_another_and_none_too_early() {
    let clock = ManualClock::new();
    let limiters: Vec<_> = (0..100).map(|number| named(&clock, &format!("chat-{number}"))).collect();
    let mut ends: Vec<_> = limiters
        .iter()
        .map(|limiter| {
            limiter.try_acquire(Cost::new()).expect("there is room").refused(refused_for("8000"));
            held_for(limiter)
        })
        .collect();
    ends.sort();
    assert!(ends[0] >= secs(8) && ends[99] <= millis(8_500), "{ends:?}");
    // Spread over the whole of it.
    assert!(ends[25] < ends[75] - millis(150) && ends[99] > ends[0] + millis(350), "{ends:?}");
    ends.dedup();
    assert_eq!(ends.len(), 100);
    // The same again.
    let again = named(&clock, "chat-7");
    again.try_acquire(Cost::new()).expect("there is room").refused(refused_for("8000"));
    assert_eq!(held_for(&again), held_for(&limiters[7]));
}

#[test]
fn many_refusals_of_one_moment_end_when_one_of_them_does() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_second(20_000)).build().expect("valid rates");
    let take = |_| limiter.try_acquire(Cost::new()).expect("there is room");
    let mut permits = (0..10_000).map(take).collect::<Vec<_>>().into_iter();
    permits.next().expect("the first").refused(refused_for("8000"));
    let end = held_for(&limiter);
    permits.for_each(|permit| _ = permit.refused(refused_for("8000")));
    assert_eq!(held_for(&limiter), end);
}

#[test]
fn no_call_departs_when_a_refusal_leaves_the_head_no_hope() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(10)).build().expect("valid rates");
    let permit = limiter.try_acquire(5).expect("there is room");
    let head = Call::start(limiter.acquire(10).timeout(millis(600)));
    let mut behind = Call::start(limiter.acquire(1));
    permit.refused(Observation::from_parts(429, [("retry-after", "20")], b""));
    assert!(matches!(head.refused(), AcquireError::Held { .. }));
    assert!(!behind.poll(), "it departed although the provider has just refused a call");
    clock.advance(secs(20));
    drop(behind.admitted());
}

/// Lets time pass when it is woken.
struct Slow(ManualClock);

impl Wake for Slow {
    fn wake(self: Arc<Self>) {
        self.0.advance(millis(2));
    }
}

#[test]
fn no_call_departs_between_the_hold_and_the_slower_rate_however_short_the_stated_wait() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(10)).build().expect("valid rates");
    let permit = limiter.try_acquire(5).expect("there is room");
    let mut head = pin!(limiter.acquire(10).timeout(millis(500)).into_future());
    let waker = Waker::from(Arc::new(Slow(clock.clone())));
    assert!(head.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let mut behind = Call::start(limiter.acquire(1));
    // The hold leaves the head no hope. Its task takes longer than the wait.
    let slow_down = br#"{"error": {"code": "slow_down"}}"#;
    permit.refused(Observation::from_parts(503, [("retry-after-ms", "1")], slow_down));
    assert_eq!(clock.now(), millis(2), "the head still waits");
    assert!(!behind.poll(), "it departed although the provider has just asked for slower traffic");
    clock.advance(millis(297));
    assert!(!behind.poll());
    clock.advance(millis(1));
    drop(behind.admitted());
}
