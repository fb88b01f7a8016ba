//! Tests of `feedback` and `refused`: the value that a function returns settles the permit, or
//! holds the limiter.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::error::Error;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::{AcquireError, Limiter, RateLimiter, Usage, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;
use serde::Serialize;
use serde_json::{Value, json};

use super::client::{ClientError, HELD, REFUSED};

type Outcome<T> = Result<T, AcquireError>;

/// Returns for how long the limiter is on hold, and ends the hold.
fn held<K>(limiter: &Limiter<K>) -> Option<Duration> {
    let hold = limiter.status().unwrap().hold;
    limiter.release().unwrap();
    hold.map(|hold| hold.ends_in)
}

#[tokio::test]
async fn feedback_settles_by_the_usage_in_any_reply_that_is_serialize() {
    metered! { static CHAT: RateLimiter; }

    #[derive(Serialize)]
    struct Reply {
        id: String,
        usage: Tokens,
    }

    #[derive(Serialize)]
    struct Tokens {
        prompt_tokens: u32,
        completion_tokens: u32,
        total_tokens: u32,
    }

    #[rate_limited(limiter = CHAT, cost = 100, feedback)]
    async fn typed() -> Outcome<Reply> {
        let usage = Tokens { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21 };
        Ok(Reply { id: "usage".to_owned(), usage })
    }

    #[rate_limited(limiter = CHAT, cost = 100, feedback)]
    fn untyped(reply: Value) -> Outcome<Value> {
        Ok(reply)
    }

    #[rate_limited(limiter = CHAT, cost = 100, feedback, on_error = |_| None)]
    fn without_result() -> Option<Value> {
        Some(json!({"usage": {"input_tokens": 1, "output_tokens": 2}}))
    }

    assert_eq!(typed().await.unwrap().id, "usage");
    assert_eq!(taken(&CHAT), (1, 21));
    untyped(json!({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 3}})).unwrap();
    assert_eq!(taken(&CHAT), (2, 25));
    without_result();
    assert_eq!(taken(&CHAT), (3, 28));
    untyped(json!({"choices": []})).unwrap();
    assert_eq!(taken(&CHAT), (4, 128), "without usage, the reservation stays");
}

#[tokio::test]
async fn feedback_holds_the_limiter_after_a_refusal_in_any_error() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, feedback)]
    async fn own(error: &'static str) -> Result<(), ClientError> {
        Err(ClientError(error))
    }

    #[rate_limited(limiter = CHAT, feedback)]
    async fn anyhow(error: &'static str) -> anyhow::Result<()> {
        Err(anyhow::Error::new(ClientError(error)).context("in a call"))
    }

    #[rate_limited(limiter = CHAT, feedback)]
    fn boxed(error: &'static str) -> Result<(), Box<dyn Error + Send + Sync>> {
        Err(Box::new(ClientError(error)))
    }

    #[rate_limited(limiter = CHAT, feedback)]
    fn boxed_here(error: &'static str) -> Result<(), Box<dyn Error>> {
        Err(Box::new(ClientError(error)))
    }

    own(REFUSED).await.unwrap_err();
    assert_eq!(held(&CHAT), HELD);
    anyhow(REFUSED).await.unwrap_err();
    assert_eq!(held(&CHAT), HELD);
    boxed(REFUSED).unwrap_err();
    assert_eq!(held(&CHAT), HELD);
    boxed_here(REFUSED).unwrap_err();
    assert_eq!(held(&CHAT), HELD);
    assert_eq!(taken(&CHAT).0, 4, "the charges stay");

    own("connection reset by peer").await.unwrap_err();
    assert_eq!(held(&CHAT), None);
    assert_eq!(taken(&CHAT).0, 5, "the call may have been sent");
}

#[test]
fn refused_reads_errors_that_the_library_does_not_know() {
    metered! { static CHAT: RateLimiter; }

    struct Failure {
        status: u16,
        retry_after: &'static str,
    }

    #[rate_limited(limiter = CHAT, refused = |error| (error.status, [("retry-after", error.retry_after)], ""),
        on_error = |_| Err(Failure { status: 0, retry_after: "" }))]
    fn parts(status: u16) -> Result<(), Failure> {
        Err(Failure { status, retry_after: "20" })
    }

    #[rate_limited(limiter = CHAT, refused = read, on_error = |_| Err("not admitted"))]
    fn by_name() -> Result<(), &'static str> {
        Err("slow down")
    }

    fn read(error: &&'static str) -> Observation {
        assert_eq!(*error, "slow down");
        Observation::new(429).header("retry-after", "20")
    }

    parts(429).ok();
    assert_eq!(held(&CHAT), HELD);
    parts(400).ok();
    assert_eq!(held(&CHAT), None);
    by_name().ok();
    assert_eq!(held(&CHAT), HELD);
}

#[test]
fn usage_and_refused_take_the_place_of_what_feedback_finds() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 100, feedback, usage = |reply| Usage::new(*reply, 1))]
    fn usage(tokens: Option<u64>) -> Result<u64, ClientError> {
        tokens.ok_or(ClientError(REFUSED))
    }

    #[rate_limited(limiter = CHAT, cost = 100, feedback, refused = |error| (error.0.len() as u16, [("", ""); 0], ""))]
    fn refused(error: &'static str) -> Result<Value, ClientError> {
        if error.is_empty() { Ok(json!({"usage": {"total_tokens": 7}})) } else { Err(ClientError(error)) }
    }

    usage(Some(9)).unwrap();
    assert_eq!(taken(&CHAT), (1, 10));
    usage(None).unwrap_err();
    assert_eq!(held(&CHAT), HELD);
    refused("").unwrap();
    assert_eq!(taken(&CHAT), (3, 117));
    refused(REFUSED).unwrap_err();
    assert_eq!(held(&CHAT), None, "a status of {} is no refusal", REFUSED.len());
}

#[test]
fn the_refusal_of_another_limiter_is_no_refusal_of_the_provider() {
    metered! { static CHAT: RateLimiter; static INNER: RateLimiter; }

    #[rate_limited(limiter = CHAT, feedback)]
    fn nested() -> anyhow::Result<()> {
        INNER.hold(Duration::from_secs(9), "429 Too Many Requests: try again in 9s").unwrap();
        Ok(INNER.try_acquire(1).map(drop)?)
    }

    assert!(nested().unwrap_err().is::<AcquireError>());
    assert_eq!(held(&CHAT), None);
}
