//! Tests of the accessors of permits and errors (cost, limiter and limit), and of the messages that
//! show durations and dimensions.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, ChatRateLimiter, Cost, Dimension, Limit, Rate, RateLimiter, limiter};
use openlimit_tests::{Call, millis, nanos, plain, requests_and_tokens, secs};
use serde_json::json;

/// Returns the amounts of a cost, in the order of `dimensions`.
fn amounts<const N: usize>(cost: &Cost, dimensions: [&'static str; N]) -> [u64; N] {
    dimensions.map(|dimension| cost.amount(&Dimension::from(dimension)))
}

#[test]
fn a_permit_knows_its_cost_whether_it_waited_or_not() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(100));
    let at_once = limiter.try_acquire(90).unwrap();
    let waits = Call::start(limiter.acquire(Cost::new().requests(2).tokens(70)));
    clock.advance(secs(1));
    assert_eq!(amounts(&at_once.cost(), ["requests", "tokens"]), [1, 90]);
    assert_eq!(amounts(&waits.admitted().cost(), ["requests", "tokens"]), [2, 70]);
}

#[test]
fn the_cost_of_a_permit_has_every_dimension_of_the_limiter_and_no_other() {
    let clock = ManualClock::new();
    const NAMES: [&str; 4] = ["audio_seconds", "images", "input_tokens", "pages"];
    let builder = NAMES
        .into_iter()
        .fold(plain(&clock), |builder, name| builder.limit(Limit::new(name, Rate::per_second(1 << 40))));
    let limiter = builder.build().unwrap();
    let cost = NAMES
        .into_iter()
        .zip(1_u64..)
        .fold(Cost::new(), |cost, (name, amount)| cost.with(name, amount << 33));
    let permit = limiter.try_acquire(&cost).unwrap();
    assert_eq!(amounts(&permit.cost(), NAMES), [1, 2, 3, 4].map(|amount| amount << 33));
    assert_eq!(amounts(&permit.cost(), ["requests", "tokens"]), [1, 0], "requests are 1 by default");
    // The cost of a permit can be used for the same call again.
    assert!(limiter.try_acquire(permit.cost()).is_ok());
}

#[test]
fn the_cost_of_a_priced_request_is_what_the_limiter_meters_of_it() {
    let clock = ManualClock::new();
    let limiter = ChatRateLimiter::builder().clock(&clock).tokens(Rate::per_day(40_000)).build().unwrap();
    let request = json!({
        "model": "gpt-4o",
        "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
        "max_completion_tokens": 300,
    });
    let permit = limiter.try_acquire(&request).unwrap();
    assert_eq!(amounts(&permit.cost(), ["requests", "tokens", "input_tokens"]), [1, 313, 0]);
}

#[test]
fn a_permit_knows_its_limiter() {
    limiter! {
        static DECLARED: RateLimiter = { requests: 5 / second };
    }
    let clock = ManualClock::new();
    let built = plain(&clock).name("gpt").requests(Rate::per_second(1)).build().unwrap();
    let first = built.try_acquire(Cost::new()).unwrap();
    let waits = Call::start(built.acquire(Cost::new()));
    clock.advance(secs(1));
    assert_eq!((first.limiter(), waits.admitted().limiter()), (&"gpt".into(), &"gpt".into()));
    drop(built);
    assert_eq!(first.limiter(), "gpt", "the permit lost the name of its dropped limiter");
    assert_eq!(DECLARED.try_acquire(Cost::new()).unwrap().limiter(), "limiter::accessors::DECLARED");
}

/// Asserts that an error names the limiter `gpt` and `limit`.
#[track_caller]
fn says(error: AcquireError, limit: Option<&str>) {
    assert_eq!(error.limiter(), "gpt", "{error}");
    assert_eq!(error.limit().map(ToString::to_string).as_deref(), limit, "{error}");
}

#[test]
fn every_error_knows_its_limiter_and_its_limit_if_there_is_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("gpt").requests(Rate::per_minute(9)).tokens(Rate::per_second(60));
    let limiter = limiter.build().unwrap();
    let limit = Some("60 tokens / second");
    says(limiter.try_acquire(61).unwrap_err(), limit);
    assert!(limiter.try_acquire(Cost::new().requests(0).tokens(60)).is_ok());
    says(limiter.try_acquire(1).unwrap_err(), limit);
    says(Call::start(limiter.acquire(1).timeout(millis(9))).refused(), limit);
    says(limiter.try_acquire(Cost::new().images(1)).unwrap_err(), None);

    let chat = ChatRateLimiter::builder().name("gpt").tokens(Rate::per_minute(60)).build().unwrap();
    says(chat.try_acquire(&json!({ "model": "gpt-4o" })).unwrap_err(), None);

    let error = Arc::new(std::io::Error::other("no threads left"));
    says(AcquireError::Timer { limiter: "gpt".into(), error }, None);

    // No server listens on port 1.
    let shared = RateLimiter::builder().name("gpt").requests(Rate::per_second(9));
    let shared = shared.redis("redis://127.0.0.1:1").build().unwrap();
    let refused = shared.acquire(Cost::new()).timeout(millis(50)).blocking().unwrap_err();
    assert!(matches!(refused, AcquireError::Store { .. }), "{refused}");
    says(refused, None);

    let unbuilt = RateLimiter::builder().name("gpt").build().unwrap_err();
    says(unbuilt.into(), None);
    let unbuilt = RateLimiter::builder().name("gpt").tokens(Rate::per_minute(0)).build().unwrap_err();
    says(unbuilt.into(), Some("0 tokens / minute"));
}

#[test]
fn messages_show_durations_with_three_significant_digits_rounded_up() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("gpt").tokens(Rate::per_second(1_000_000_000)).build().unwrap();
    drop(limiter.try_acquire(1_000_000_000).unwrap());
    // One token takes one nanosecond to refill.
    assert_eq!(
        limiter.try_acquire(234_567_891).unwrap_err().to_string(),
        "limiter `gpt` has no capacity now: the limit of 1000000000 tokens / second requires a wait of at least \
         235ms; try again after that, or use `acquire`, which waits"
    );
    let timeout = nanos(12_340_001);
    assert_eq!(
        Call::start(limiter.acquire(987_654_321).timeout(timeout)).refused().to_string(),
        "limiter `gpt` cannot admit the call within its timeout of 12.4ms: the limit of 1000000000 tokens / second \
         requires a wait of at least 988ms; allow more time or send less"
    );
}

#[test]
fn an_integer_on_a_limiter_without_tokens_is_told_apart_from_one_request() {
    const TEXT: &str = "limiter `gpt` has no limit for `tokens`; declare one, or leave `tokens` out of the cost \
                        (an integer counts tokens; `Cost::new()` is one request and nothing else)";
    let limiter = RateLimiter::builder().name("gpt").requests(Rate::per_second(9)).build().unwrap();
    let refused = [
        limiter.try_acquire(1).unwrap_err(),
        limiter.try_acquire(Cost::new().tokens(1)).unwrap_err(),
        limiter.acquire(1).blocking().unwrap_err(),
    ];
    for error in refused {
        assert!(matches!(error, AcquireError::UnknownDimension { dimension: Dimension::Tokens, .. }));
        assert_eq!(error.to_string(), TEXT);
    }
    assert!(limiter.try_acquire(Cost::new()).is_ok());
}
