//! Plans: how long a list of calls takes, what binds it, and what would halve it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, ChatRateLimiter, Cost, Counting, Percent, Rate, RateLimiter, limiter,
};
use openlimit_tests::{Call, millis, plain, requests_and_tokens, secs};
use proptest::prelude::*;
use serde_json::json;

/// A limiter of one request a second, without a burst, jitter and headroom.
fn one_a_second() -> RateLimiter {
    plain(&ManualClock::new()).requests(Rate::per_second(1)).build().unwrap()
}

#[test]
fn an_empty_list_takes_no_time() {
    let forecast = one_a_second().plan(Vec::<Cost>::new()).unwrap();
    assert_eq!((forecast.calls(), forecast.time()), (0, Duration::ZERO));
    assert!(forecast.halved_by().is_none());
    assert_eq!(
        forecast.to_string(),
        "unnamed: 0 calls take 0ns\n1 requests / second  0 taken  binds   0 % of the time"
    );
}

#[test]
fn calls_depart_as_the_limit_allows() {
    let forecast = one_a_second().plan(vec![Cost::new(); 4]).unwrap();
    assert_eq!(forecast.departures().collect::<Vec<_>>(), [secs(0), secs(1), secs(2), secs(3)]);
    assert_eq!(forecast.time(), secs(3));
    assert_eq!((forecast.limits()[0].taken, forecast.limits()[0].bound), (4, secs(3)));
}

#[test]
fn a_call_larger_than_the_limit_is_named_by_its_row() {
    let limiter = plain(&ManualClock::new()).name("chat").tokens(Rate::per_minute(100)).build().unwrap();
    let error = limiter.plan([10_u64, 100, 101, 102]).unwrap_err();
    assert_eq!(error.row(), Some(3));
    assert!(matches!(error.error(), AcquireError::TooLarge { cost: 101, most: 100, .. }));
    let expected = "call 3 of the list: limiter `chat` can never admit a call of 101 tokens";
    assert!(error.to_string().starts_with(expected), "{error}");
    let error = limiter.plan([Cost::new().images(1)]).unwrap_err();
    assert!(matches!(error.error(), AcquireError::UnknownDimension { .. }) && error.row() == Some(1));
    let error = limiter.plan([1_i64, -1]).unwrap_err();
    assert!(matches!(error.error(), AcquireError::Params { .. }) && error.row() == Some(2));
}

#[test]
fn a_limiter_that_cannot_be_built_has_no_plan() {
    limiter! { static BAD: RateLimiter = { requests: Rate::per_minute(0) }; }
    let error = BAD.plan(Vec::<Cost>::new()).unwrap_err();
    let AcquireError::Build(problem) = error.error() else { panic!("{error}") };
    assert!(matches!(problem.problem(), BuildProblem::ZeroRate(_)) && error.row().is_none());
}

#[test]
fn requests_are_priced_as_for_a_call() {
    let limiter = ChatRateLimiter::builder().tokens(Rate::per_minute(40_000)).build().unwrap();
    let request = json!({
        "model": "gpt-4o", "max_tokens": 300,
        "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
    });
    let requests = vec![request.clone(); 3];
    let forecast = limiter.plan(&requests).unwrap();
    let cost = limiter.cost(&request).unwrap().amount(&"tokens".into());
    assert_eq!(forecast.limits()[0].taken, 3 * cost);
    let error = limiter.plan([&request, &json!({ "model": "gpt-4o" })]).unwrap_err();
    assert!(matches!(error.error(), AcquireError::Params { .. }) && error.row() == Some(2));
}

#[test]
fn a_plan_leaves_the_limiter_as_it_is_and_starts_with_full_buckets() {
    let limiter = one_a_second();
    drop(limiter.try_acquire(Cost::new()).unwrap());
    let before = limiter.status().unwrap().to_string();
    let forecast = limiter.plan(vec![Cost::new(); 100]).unwrap();
    assert_eq!(forecast.departures().next(), Some(Duration::ZERO));
    assert_eq!(limiter.status().unwrap().to_string(), before);
}

#[test]
fn the_time_is_shared_among_the_limits_that_bind() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(1), Rate::per_second(1_000));
    // Three calls wait for requests, then two for the tokens of the one before.
    let tokens = [1, 1, 1, 1, 1_000, 1_000];
    let forecast = limiter.plan(tokens.map(|tokens| Cost::new().tokens(tokens))).unwrap();
    let bound = forecast.limits().iter().map(|limit| limit.bound).sum::<Duration>();
    assert_eq!(bound, forecast.time());
    assert_eq!(forecast.limits()[0].taken, 6);
    assert_eq!(forecast.limits()[1].taken, 2_004);
}

#[test]
fn the_limit_that_binds_is_the_one_to_double() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_minute(600), Rate::per_minute(6_000));
    let forecast = limiter.plan(vec![100_u64; 100]).unwrap();
    let doubling = forecast.halved_by().unwrap();
    assert_eq!(doubling.to_string(), "12000 tokens / minute");
    assert!(doubling.in_flight.is_none());
    let doubled = requests_and_tokens(&clock, Rate::per_minute(600), Rate::per_minute(12_000));
    assert_eq!(doubled.plan(vec![100_u64; 100]).unwrap().time(), doubling.time);
}

#[test]
fn limits_that_bind_alike_have_to_be_doubled_together() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_minute(60), Rate::per_minute(6_000));
    let mut calls = vec![1_u64; 100];
    calls.extend(vec![200; 40]);
    let doubling = limiter.plan(calls).unwrap().halved_by().unwrap();
    assert_eq!(doubling.to_string(), "120 requests / minute, 12000 tokens / minute");
}

#[test]
fn calls_in_flight_bind_if_they_are_few() {
    let limiter = plain(&ManualClock::new()).requests(Rate::per_second(100)).build().unwrap();
    let forecast = limiter.plan(vec![Cost::new(); 10]).unwrap().in_flight(2, secs(3));
    assert_eq!(forecast.time(), secs(15));
    assert_eq!(forecast.bound_in_flight(), secs(12));
    let departures = [0, 0, 3, 3, 6, 6, 9, 9, 12, 12];
    assert_eq!(forecast.departures().collect::<Vec<_>>(), departures.map(secs));
    let doubling = forecast.halved_by();
    assert!(doubling.is_none(), "ten calls in fours take 9 s: {doubling:?}");
    assert_eq!(
        forecast.to_string(),
        "unnamed: 10 calls take 15s\n\
         100 requests / second  10 taken  binds   0 % of the time\n\
         2 calls at once         3s each  binds  80 % of the time\n\
         half the time: twice what binds is not enough"
    );
    let twelve = limiter.plan(vec![Cost::new(); 12]).unwrap().in_flight(2, secs(3)).halved_by().unwrap();
    assert_eq!((twelve.in_flight, twelve.time), (Some(4), secs(9)));
    let none = limiter.plan(vec![Cost::new(); 2]).unwrap().in_flight(0, secs(3));
    assert_eq!(none.time(), secs(6), "zero counts as one");
}

#[test]
fn what_takes_longer_than_any_clock_ends_at_its_end() {
    let month = Rate::new(1, secs(31 * 86_400)).burst(Duration::from_nanos(1));
    let limiter = RateLimiter::builder().requests(month).build().unwrap();
    let forecast = limiter.plan(vec![Cost::new(); 10_000]).unwrap();
    assert_eq!(forecast.time(), Duration::from_nanos(u64::MAX));
    assert!(forecast.departures().is_sorted());
    _ = forecast.to_string();
}

#[test]
fn a_million_calls_are_planned_at_once() {
    let limiter = RateLimiter::builder()
        .requests(Rate::per_minute(5_000))
        .tokens(Rate::per_minute(1_000_000))
        .build()
        .unwrap();
    let forecast = limiter.plan((0..1_000_000).map(|row| Cost::new().tokens(row % 900))).unwrap();
    assert_eq!(forecast.departures().len(), 1_000_000);
    assert!(forecast.departures().is_sorted());
}

/// Limits of every kind.
fn limiters() -> impl Strategy<Value = (u64, u64, Duration, Duration, bool)> {
    let burst = prop::sample::select(vec![millis(10), secs(1), secs(20)]);
    let jitter = prop::sample::select(vec![Duration::ZERO, millis(50)]);
    (1..500_u64, 1_000..5_000_u64, burst, jitter, any::<bool>())
}

#[test]
fn a_call_that_waits_for_another_one_alone_departs_as_in_a_limiter() {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().clock(&clock).headroom(Percent(0)).jitter(Duration::from_millis(50));
    let limiter = builder.requests(Rate::per_minute(5)).tokens(Rate::per_minute(3_000)).build().unwrap();
    // The third has room from the start, and waits for the second.
    let costs = [(1, 0), (1, 0), (0, 600), (0, 1)];
    let costs = costs.map(|(requests, tokens)| Cost::new().requests(requests).tokens(tokens));
    let forecast = limiter.plan(&costs).unwrap();
    let mut calls: Vec<_> = costs.iter().map(|cost| Call::start(limiter.acquire(cost))).collect();
    let last = forecast.time();
    clock.advance(last - Duration::from_nanos(1));
    assert!(!calls[3].poll());
    clock.advance(Duration::from_nanos(1));
    assert!(calls[3].poll());
}

proptest! {
    /// The forecast says to the nanosecond when a real limiter admits calls that all wait.
    #[test]
    fn a_plan_is_what_a_limiter_does(
        (requests, tokens, burst, jitter, in_windows) in limiters(),
        costs in prop::collection::vec((0..3_u64, 0..1_000_u64), 1..30),
    ) {
        let clock = ManualClock::new();
        let counting = if in_windows { Counting::InWindows } else { Counting::Refilling };
        let limiter = RateLimiter::builder()
            .requests(Rate::per_minute(requests + 2))
            .tokens(Rate::per_minute(tokens))
            .burst(burst)
            .jitter(jitter)
            .headroom(Percent(1))
            .counting(counting)
            .clock(&clock)
            .build()
            .unwrap();
        let costs: Vec<_> = costs.iter().map(|(requests, tokens)| Cost::new().requests(*requests).tokens(*tokens)).collect();
        let forecast = limiter.plan(&costs).unwrap();
        let mut calls: Vec<_> = costs.iter().map(|cost| Call::start(limiter.acquire(cost))).collect();
        for (call, departure) in calls.iter_mut().zip(forecast.departures()) {
            if departure > clock.now() {
                clock.advance(departure - clock.now() - Duration::from_nanos(1));
                prop_assert!(!call.poll(), "not before {departure:?}");
                clock.advance(Duration::from_nanos(1));
            }
            prop_assert!(call.poll(), "at {departure:?}");
        }
    }
}
