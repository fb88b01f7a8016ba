//! The wait after a refusal: which of several is taken, and how each is written.

use std::time::{Duration, UNIX_EPOCH};

use openlimit::feedback::{Observation, Verdict, retry_after};

use super::reader::{response, secs};

#[track_caller]
fn waits(lines: &str, body: &str, expected: Option<Duration>) {
    assert_eq!(response(429, lines, body).retry_after(), expected, "{lines} {body}");
}

const MESSAGE: &str = r#"{"error": {"message": "Please try again in 3s."}}"#;

#[test]
fn the_first_wait_in_the_order_of_precedence_is_taken() {
    waits("retry-after: 2\nretry-after-ms: 1500", MESSAGE, secs(1.5));
    waits("retry-after: 2", MESSAGE, secs(2.0));
    waits("", MESSAGE, secs(3.0));
    waits("", "", None);
}

#[test]
fn the_time_until_a_limit_is_full_is_never_the_wait() {
    waits("retry-after: 2\nx-ratelimit-reset-requests: 24h0m0s", "", secs(2.0));
    waits("x-ratelimit-limit-requests: 14400\nx-ratelimit-reset-requests: 24h0m0s", "", None);
}

#[test]
fn a_wait_of_zero_says_nothing() {
    waits("retry-after: 1\nretry-after-ms: 0", "", secs(1.0));
    waits("retry-after: 0", "", None);
    waits("retry-after: 0", MESSAGE, secs(3.0));
}

#[test]
fn retry_after_is_a_number_a_duration_or_a_date() {
    let date = "date: Thu, 21 Aug 2025 12:41:00 GMT";
    waits("retry-after: 56", "", secs(56.0));
    waits("retry-after: 12.5", "", secs(12.5));
    waits("retry-after: 999999999", "", secs(999_999_999.0));
    waits("retry-after: 1m30s", "", secs(90.0));
    waits(&format!("retry-after: Thu, 21 Aug 2025 12:41:07 GMT\n{date}"), "", secs(7.0));
    waits(&format!("{date}\nretry-after: Thu, 21 Aug 2025 12:41:07 GMT"), "", secs(7.0));
    waits(&format!("{date}\nretry-after: Thu, 21 Aug 2025 12:40:00 GMT"), "", None);
    waits("retry-after: Thu, 21 Aug 2025 12:41:07 GMT", "", None);
    for malformed in ["-1", "soon", "", "1e3", "NaN", "1,5", "٣"] {
        waits(&format!("retry-after: {malformed}"), "", None);
        waits(&format!("retry-after-ms: {malformed}"), "", None);
    }
}

#[test]
fn the_reader_of_retry_after_is_public() {
    let date = UNIX_EPOCH + Duration::from_secs(1_755_780_060);
    let http_date = "Thu, 21 Aug 2025 12:41:07 GMT";
    assert_eq!(retry_after(http_date, Some(date)), secs(7.0));
    assert_eq!(retry_after(http_date, None), None);
    assert_eq!(retry_after(b" 0 ", None), secs(0.0));
    assert_eq!(retry_after("18446744073709551616", None), Some(Duration::from_secs(u64::MAX)));
}

#[test]
fn the_wait_is_found_in_the_wordings_of_all_providers() {
    for (sentence, expected) in [
        ("Limit 40000, Used 39729, Requested 1317. Please try again in 1.569s. Visit ..", 1.569),
        ("Please try again in 1m42.653s. Need more tokens?", 102.653),
        ("Please try again in 510ms.", 0.51),
        ("Please try again in 6m0s.", 360.0),
        ("Please retry after 37 seconds.", 37.0),
        ("Rate limit is exceeded. Try again in 86400 seconds.", 86_400.0),
        ("output_tokens rate limit exceeded — retry after 2s", 2.0),
        ("Please retry in 10.689924287s.", 10.689_924_287),
        ("please try again after 1 seconds", 1.0),
        ("Try again in 5 minutes.", 300.0),
        ("Out of call volume quota. Quota will be replenished in 02:10:15.", 7_815.0),
    ] {
        waits("", &format!(r#"{{"error": {{"message": "{sentence}"}}}}"#), secs(expected));
        waits("", sentence, secs(expected));
    }
    for sentence in
        ["Please try again later.", "Please wait before trying again.", "try again in -5s", "retry after 5"]
    {
        waits("", sentence, None);
    }
}

#[test]
fn should_retry_is_read() {
    let observation = |value| Observation::new(429).header("x-should-retry", value).should_retry();
    assert_eq!(observation("true"), Some(true));
    assert_eq!(observation("False"), Some(false));
    assert_eq!(observation("maybe"), None);
}

#[test]
fn a_verdict_has_a_wait_only_if_to_wait_helps() {
    let after = secs(1.0);
    assert_eq!(Verdict::Retry { after }.retry_after(), after);
    assert_eq!(Verdict::SlowDown { after }.retry_after(), after);
    assert_eq!(Verdict::Exhausted { until: after }.retry_after(), None);
    assert_eq!(Verdict::TooLarge.retry_after(), None);
    assert_eq!(Verdict::NotLimited.retry_after(), None);
}
