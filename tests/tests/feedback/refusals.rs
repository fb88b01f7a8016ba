//! What clients return instead of a response: errors with a message, and parts of a response.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use openlimit::feedback::{DenialKind, Observation, Refusal, Verdict};
use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter};

use super::reader::{secs, violations};

/// An error of a client, with a message and a source.
#[derive(Debug)]
struct ClientError(String, Option<Box<ClientError>>);

impl ClientError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into(), None)
    }

    fn because_of(mut self, source: Self) -> Self {
        self.1 = Some(Box::new(source));
        self
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for ClientError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

fn verdict(message: &str) -> Verdict {
    Observation::from_error(&ClientError::new(message)).verdict()
}

const RETRY: Verdict = Verdict::Retry { after: None };

#[test]
fn the_status_in_a_message_is_believed() {
    for message in [
        "429 Too Many Requests",
        "http status: 429",
        "HTTP status client error (429 Too Many Requests) for url (http://localhost/v1/chat/completions)",
        "API error: status 429: {}",
        "Error code: 429 - {'error': {'message': 'busy'}}",
        "request failed with status code 529",
    ] {
        assert_eq!(verdict(message), RETRY, "{message}");
    }
}

#[test]
fn the_providers_own_sentence_is_read_wherever_it_is() {
    let sentence = "Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit 40000, \
                    Used 39729, Requested 1317. Please try again in 1.2s.";
    for message in [
        sentence.to_owned(),
        format!("429 Too Many Requests rate_limit_exceeded: {sentence} (code: rate_limit_exceeded)"),
        format!(
            "failed to deserialize api response: error:EOF content:{{\"error\":{{\"message\":\"{sentence}\"}}}}"
        ),
    ] {
        let observation = Observation::from_error(&ClientError::new(&*message));
        assert_eq!(observation.verdict(), Verdict::Retry { after: secs(1.2) }, "{message}");
        assert_eq!(violations(&observation), ["tokens/60s: limit 40000, used 39729, requested 1317"]);
    }
}

#[test]
fn codes_in_a_message_are_read() {
    for (message, kind) in [
        ("429 Too Many Requests insufficient_quota: You exceeded your current quota", DenialKind::Exhausted),
        ("503 Service Unavailable (code: slow_down)", DenialKind::SlowDown),
        ("400 Bad Request invalid_request_error: .. (code: context_length_exceeded)", DenialKind::TooLarge),
        ("service error: ThrottlingException", DenialKind::RateLimited),
        ("stream: overloaded_error", DenialKind::Overloaded),
    ] {
        let observation = Observation::from_message(message);
        assert_eq!(observation.denial().map(|denial| denial.kind()), Some(kind), "{message}");
    }
}

#[test]
fn an_error_that_is_not_about_limits_is_no_refusal() {
    for message in [
        "",
        "connection reset by peer",
        "error sending request for url (http://localhost/)",
        "used 429 tokens of 500",
        "401 Unauthorized: invalid key",
        "500 Internal Server Error",
        // The words are the caller's own, which the provider repeats.
        "400 Bad Request: invalid value 'tell me about the rate limit, error rate_limit_exceeded'",
        // A reply that could not be parsed. The words are the model's.
        "failed to deserialize: missing field `id` content:{\"choices\":[{\"message\":{\"content\":\"429: rate limit\"}}]}",
    ] {
        assert_eq!(verdict(message), Verdict::NotLimited, "{message}");
    }
}

#[test]
fn the_sources_of_an_error_are_read() {
    let inner = ClientError::new("429 Too Many Requests: try again in 3s");
    let error = ClientError::new("cannot chat").because_of(ClientError::new("call failed").because_of(inner));
    assert_eq!(Observation::from_error(&error).verdict(), Verdict::Retry { after: secs(3.0) });
    // Of an `io::Error`, too, which does not count what it wraps as its source.
    let error = io::Error::other(error);
    assert_eq!(Observation::from_error(&error).verdict(), Verdict::Retry { after: secs(3.0) });
}

#[test]
fn a_status_outvotes_the_words_of_other_errors_in_the_chain() {
    let error = ClientError::new("wrong").because_of(
        ClientError::new("400 Bad Request").because_of(ClientError::new("unknown parameter: rate limit")),
    );
    assert_eq!(Observation::from_error(&error).verdict(), Verdict::NotLimited);
}

/// An error that is its own source, and whose message never ends.
#[derive(Debug)]
struct Endless;

impl fmt::Display for Endless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        loop {
            f.write_str("é429 {")?;
        }
    }
}

impl Error for Endless {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&Self)
    }
}

#[test]
fn an_endless_error_comes_to_an_end() {
    assert_eq!(Observation::from_error(&Endless).verdict(), Verdict::NotLimited);
}

#[test]
fn hostile_messages_do_no_harm() {
    for piece in ["{", "{\"", "429", "status 429", "try again in ", "limit 9", "\\", "\u{0}", "é"] {
        for length in [1, 3, 100_000] {
            let _ = Observation::from_message(piece.repeat(length)).verdict();
        }
    }
    let _ = Observation::from_message([0xff; 100]).verdict();
}

fn limiter() -> RateLimiter {
    RateLimiter::builder().requests(Rate::per_day(1_000_000)).build().expect("valid limits")
}

/// Notes a refusal, and returns the verdict and the length of the hold in seconds.
/// Returns the verdict, and whether there is a hold of a bit more than 20 s.
fn refused<Form>(refusal: impl Refusal<Form>) -> (Verdict, Option<bool>) {
    let limiter = limiter();
    let permit: Permit = limiter.try_acquire(Cost::new()).expect("it has room");
    let verdict = permit.refused(refusal);
    let hold = limiter.status().expect("it is built").hold;
    let is_right = |wait: Duration| (19.5..21.5).contains(&wait.as_secs_f64());
    (verdict, hold.map(|hold| is_right(hold.ends_in)))
}

#[test]
fn a_limiter_takes_refusals_in_every_form() {
    let wait = Verdict::Retry { after: secs(20.0) };
    let expected = (wait, Some(true));
    let headers = [("retry-after", "20")];
    let observation = Observation::from_parts(429, headers, b"");
    assert_eq!(refused(&observation), expected);
    assert_eq!(refused(observation), expected);
    assert_eq!(refused((429, headers, b"")), expected);
    assert_eq!(refused((429, headers, "")), expected);
    let mut response = http::Response::new(Vec::new());
    *response.status_mut() = http::StatusCode::TOO_MANY_REQUESTS;
    response.headers_mut().insert("retry-after", http::HeaderValue::from_static("20"));
    assert_eq!(refused(&response), expected);
    assert_eq!(refused((429, response.headers(), response.body())), expected);

    let error = ClientError::new("429 Too Many Requests: try again in 20s");
    assert_eq!(refused(&error), expected);
    assert_eq!(refused(&error as &dyn Error), expected);
    assert_eq!(refused(&error as &(dyn Error + Send + Sync)), expected);
    let boxed: Box<dyn Error> = "429 Too Many Requests: try again in 20s".into();
    assert_eq!(refused(&boxed), expected);
    let boxed: Box<dyn Error + Send + Sync> = "429 Too Many Requests: try again in 20s".into();
    assert_eq!(refused(&boxed), expected);
    let error = anyhow::Error::new(error).context("cannot chat");
    assert_eq!(refused(error.as_ref() as &(dyn Error + Send + Sync)), expected);
}

#[test]
fn an_error_that_is_not_about_limits_holds_nothing() {
    assert_eq!(refused(&io::Error::other("connection reset")), (Verdict::NotLimited, None));
}

#[test]
fn the_error_of_a_limiter_is_no_refusal_of_the_provider() {
    let limiter = limiter();
    limiter.hold(Duration::from_secs(20), "429 Too Many Requests, try again in 20s").expect("it is built");
    let held = limiter.try_acquire(Cost::new()).expect_err("it is on hold");
    assert_eq!(refused(&held), (Verdict::NotLimited, None));
    let wrapped = io::Error::other(held);
    assert_eq!(refused(&wrapped), (Verdict::NotLimited, None));
    assert!(matches!(AcquireError::find(&wrapped), Some(AcquireError::Held { .. })));
    assert!(AcquireError::find(&io::Error::other("other")).is_none());
}
