//! Tests of `testing::unlimited`.

use std::time::Duration;

use openlimit::feedback::{Observation, Verdict};
use openlimit::{AcquireError, ChatRateLimiter, Cost, RateLimiter, Usage, testing};
use serde_json::json;

#[test]
fn every_cost_is_admitted_at_once() {
    let limiter: RateLimiter = testing::unlimited();
    let all =
        Cost::new().requests(u64::MAX).tokens(u64::MAX).input_tokens(u64::MAX).output_tokens(9).images(9);
    for cost in [Cost::new(), all.clone(), all.with("audio_seconds", u64::MAX), Cost::from(900)] {
        for _ in 0..100 {
            drop(limiter.try_acquire(&cost).expect("no limit"));
            let permit = limiter.acquire(&cost).timeout(Duration::ZERO).blocking().expect("no limit");
            assert_eq!(permit.waited(), Duration::ZERO);
        }
    }
    let status = limiter.status().expect("it is built");
    assert_eq!(status.to_string(), "unlimited: 0 waiting");
}

#[test]
fn requests_are_priced() {
    let limiter: ChatRateLimiter = testing::unlimited();
    let request = json!({ "model": "gpt-4o", "messages": [], "max_tokens": 9 });
    assert!(limiter.cost(&request).expect("a chat").amount(&"tokens".into()) > 9);
    drop(limiter.try_acquire(&request).expect("no limit"));
    let error = limiter.try_acquire(&json!({ "model": "gpt-4o" })).expect_err("no messages");
    assert!(matches!(error, AcquireError::Params { .. }), "{error}");
}

#[test]
fn nothing_that_a_response_says_makes_a_call_wait() {
    let limiter: RateLimiter = testing::unlimited();
    let permit = || limiter.try_acquire(900).expect("no limit");
    let left = [("x-ratelimit-limit-tokens", "100"), ("x-ratelimit-remaining-tokens", "0")];
    permit().responded(&Observation::from_parts(200, left, br#"{"usage": {"total_tokens": 9}}"#));
    limiter.observe(&Observation::from_parts(200, left, b"")).expect("it is built");
    let refused = permit().refused(Observation::from_parts(429, [("retry-after", "20")], b""));
    assert!(refused.retry_after().is_some(), "{refused:?}");
    permit().refused(Observation::from_parts(429, left, b"Rate limit reached for tokens"));
    permit().refused(Observation::from_parts(529, [("", ""); 0], b""));
    let quota = br#"{"error": {"code": "insufficient_quota", "message": "You exceeded your quota"}}"#;
    let verdict = permit().refused(Observation::from_parts(429, [("", ""); 0], quota));
    assert!(matches!(verdict, Verdict::Exhausted { .. }), "{verdict:?}");
    limiter.hold(Duration::from_secs(9), "a test").expect("it is built");
    permit().settle(Usage::new(9, 9));
    permit().cancel();
}

#[test]
fn a_plan_takes_no_time() {
    let limiter: RateLimiter = testing::unlimited();
    let forecast = limiter.plan(vec![900_u64; 10]).expect("no limit");
    assert_eq!(forecast.to_string(), "unlimited: 10 calls take 0ns");
    assert_eq!(forecast.in_flight(1, Duration::from_secs(1)).time(), Duration::from_secs(10));
}
