//! Nothing of a response is shown but numbers, and no header is read that is not about limits.

use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{Cost, Rate, RateLimiter};

const SECRET: &str = "sk-proj-0123456789";

/// Names of headers that have a secret, or that look like one that is read.
const OTHERS: [&str; 24] = [
    "authorization",
    "api-key",
    "x-api-key",
    "cookie",
    "set-cookie",
    "x-request-id",
    "openai-organization",
    "openai-project",
    "anthropic-organization-id",
    "anthropic-ratelimit-unified-representative-claim",
    "anthropic-ratelimit-secret-limit",
    "x-ratelimit-key",
    "x-ratelimit-type",
    "x-ratelimit-",
    "x-ratelimit-limit-secret",
    "x-ratelimit-sk_secret-limit-tokens",
    "x-ratelimit-limits-tokens",
    "x-amzn-requestid",
    "x-amzn-bedrock-secret",
    "ratelimit-secret",
    "retry-after-secret",
    "fireworks-secret",
    "date-secret",
    "",
];

#[test]
fn the_value_of_another_header_is_never_shown() {
    let nothing = format!("{:?}", Observation::new(429));
    for name in OTHERS {
        for value in [SECRET, "1234567", "1h"] {
            let observation = Observation::from_parts(429, [(name, value)], b"");
            assert_eq!(format!("{observation:?}"), nothing, "{name}: {value}");
            assert_eq!(
                format!("{:?}", Observation::new(429).header(name, value)),
                nothing,
                "{name}: {value}"
            );
        }
    }
}

#[test]
fn the_text_of_a_header_that_is_read_is_not_shown_either() {
    for name in [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-reset-tokens",
        "anthropic-ratelimit-unified-5h-status",
        "ratelimit",
        "ratelimit-policy",
        "retry-after",
        "retry-after-ms",
        "x-should-retry",
        "x-amzn-errortype",
        "x-amzn-bedrock-input-token-count",
        "date",
    ] {
        let policy = format!("\"{SECRET}\";q=5;qu=\"{SECRET}\";r=5, \"{SECRET}\";r=7;t=3");
        for value in [SECRET, &policy] {
            let shown = format!("{:?}", Observation::from_parts(429, [(name, value)], b""));
            assert!(!shown.contains("sk-proj"), "{name}: {shown}");
        }
    }
}

#[test]
fn the_text_of_a_body_is_not_shown() {
    for body in [
        format!(
            r#"{{"error": {{"message": "Rate limit reached for {SECRET}: Limit 5", "code": "{SECRET}"}}}}"#
        ),
        format!(r#"{{"error": {{"details": [{{"quotaId": "{SECRET}PerDay", "quotaValue": "{SECRET}"}}]}}}}"#),
        format!("{SECRET} too many requests"),
        format!(r#"{{"usage": {{"prompt_tokens": 3, "{SECRET}": 4}}}}"#),
    ] {
        for status in [0, 200, 429] {
            let observation = Observation::new(status).body(body.as_bytes());
            let shown = format!("{observation:?} {:?} {:?}", observation.denial(), observation.verdict());
            assert!(!shown.contains("sk-proj"), "{shown}");
        }
    }
}

#[test]
fn a_refused_call_shows_nothing_of_a_response() {
    let clock = ManualClock::new();
    let limiter =
        RateLimiter::builder().clock(&clock).requests(Rate::per_minute(600)).build().expect("valid");
    let headers = [("retry-after", "20"), ("authorization", SECRET), ("x-ratelimit-limit-tokens", SECRET)];
    for body in [SECRET.to_owned(), format!(r#"{{"error": {{"message": "{SECRET}", "code": "{SECRET}"}}}}"#)]
    {
        let refusal = Observation::from_parts(429, headers, body.as_bytes());
        let verdict = limiter.try_acquire(Cost::new()).expect("there is room").refused(&refusal);
        let error = limiter.try_acquire(Cost::new()).expect_err("it is on hold");
        let status = limiter.status().expect("it is built");
        let shown = format!("{verdict:?} {error} {error:?} {status} {status:#} {status:?}");
        assert!(shown.contains("refused a call") && !shown.contains("sk-proj"), "{shown}");
        clock.advance(Duration::from_secs(60));
    }
}
