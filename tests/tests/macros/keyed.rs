//! Tests of `limiter!` for a limiter of each key, and of annotated functions that use one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::{
    AcquireError, BuildProblem, ChatRateLimiter, Cost, Keyed, Rate, RateLimiter, limiter, rate_limited,
};
use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TenantId(String);

limiter! {
    /// What each tenant may use.
    static TENANTS: Keyed<TenantId, ChatRateLimiter> = {
        tokens: 20_000 / minute,
        max_keys: 3,
        burst: Duration::from_secs(60),
    };

    static USERS: Keyed<u64, RateLimiter> = {
        limits: |user, limits| if *user == 0 { limits.requests(Rate::per_day(100)) } else { limits },
        requests: 2 / day,
        jitter: Duration::ZERO,
    };
}

fn tenant(name: &str) -> TenantId {
    TenantId(name.to_owned())
}

fn request(max_tokens: u64) -> Value {
    json!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": max_tokens,
    })
}

#[rate_limited(limiter = TENANTS.of(tenant), params = request, feedback, timeout = Duration::ZERO)]
async fn chat(tenant: &TenantId, request: &Value) -> Result<Value, AcquireError> {
    Ok(json!({"usage": {"prompt_tokens": 8, "completion_tokens": 92, "total_tokens": 100}}))
}

#[rate_limited(limiter = USERS.of(&user), timeout = Duration::ZERO)]
fn call(user: u64) -> Result<u64, AcquireError> {
    Ok(user)
}

#[tokio::test]
async fn an_annotated_function_uses_the_limiter_of_its_argument() {
    let (anna, berta) = (tenant("anna"), tenant("berta"));
    // The usage of 100 replaces the reservation each time.
    for _ in 0..3 {
        chat(&anna, &request(19_000)).await.unwrap();
    }
    assert!(chat(&anna, &request(19_900)).await.is_err());
    assert!(chat(&berta, &request(19_900)).await.is_ok());
    // Both are in use, and a third tenant has room.
    chat(&tenant("carla"), &request(100)).await.unwrap();
    let error = chat(&tenant("dora"), &request(100)).await.unwrap_err();
    assert!(matches!(error, AcquireError::TooManyKeys { max_keys: 3, .. }), "{error}");
    assert!(error.to_string().contains("keyed::TENANTS"), "{error}");
}

#[test]
fn the_order_of_the_options_does_not_matter() {
    assert!(call(7).is_ok() && call(7).is_ok() && call(7).is_err());
    assert!((0..99).all(|_| call(0).is_ok()));
}

#[test]
fn a_wrong_declaration_is_the_error_of_every_key() {
    limiter! {
        static ZERO: Keyed<u64, RateLimiter> = { requests: 1 / day, max_keys: 0 };
        static FAILS: Keyed<u64, RateLimiter> = { requests: 1 / day, max_keys: "many".parse()? };
    }

    assert!(matches!(ZERO.init().unwrap_err().problem(), BuildProblem::NoKeys));
    let error = ZERO.of(&1).try_acquire(Cost::new()).unwrap_err();
    assert!(matches!(error, AcquireError::Build(_)), "{error}");
    let error = FAILS.of(&1).try_acquire(Cost::new()).unwrap_err();
    assert!(error.to_string().contains("the value of `max_keys` failed"), "{error}");
    assert_eq!(FAILS.len(), 0);
}

#[test]
fn a_declaration_that_uses_itself_is_an_error() {
    limiter! {
        static SELF: Keyed<u64, RateLimiter> = { requests: 1 / day, max_keys: 1 + SELF.len() };
    }

    assert!(SELF.of(&1).try_acquire(Cost::new()).is_ok());
    assert_eq!(SELF.len(), 1);
}
