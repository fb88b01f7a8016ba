//! Input that is too long, out of range, or garbage: it is read in linear time and bounded memory,
//! and never panics.
//!
//! Memory is bounded by counts, not measured: an observation holds only limits and violations.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openlimit::feedback::{Observation, ObservedLimit, Verdict, Violation, retry_after};
use proptest::prelude::*;

use super::reader::{limits, response};

/// The most that an observation may allocate.
const MOST_MEMORY: usize = 64 * 1024;

#[test]
fn headers_of_a_megabyte_are_ignored() {
    let long = "9".repeat(1 << 20);
    for name in
        ["retry-after", "retry-after-ms", "x-ratelimit-limit-tokens", "ratelimit", "date", "x-amzn-errortype"]
    {
        let observation = Observation::from_parts(429, [(name, long.as_str())], b"");
        assert_eq!(observation.retry_after(), None);
        assert_eq!(observation.limits().count(), 0);
    }
    let observation = Observation::from_parts(429, [(format!("x-ratelimit-{long}"), "1")], b"");
    assert_eq!(observation.limits().count(), 0);
}

#[test]
fn the_first_128_headers_that_are_about_limits_are_read() {
    let others = (0..10_000).map(|number| ("x-request-id", number.to_string()));
    let limits = (0..10_000).map(|number| ("x-ratelimit-remaining-tokens", number.to_string()));
    let observation = Observation::from_parts(200, others.chain(limits), b"");
    assert_eq!(observation.limits().next().and_then(ObservedLimit::remaining), Some(127));
}

#[test]
fn a_body_of_100_megabytes_is_read_in_one_pass() {
    let body = vec![b'{'; 100 << 20];
    assert_eq!(Observation::new(200).body(&body).usage(), None);
    let body = [b"{\"error\": \"".as_slice(), &vec![b'a'; 100 << 20]].concat();
    assert_eq!(Observation::new(400).body(&body).verdict(), Verdict::NotLimited);
}

#[test]
fn repeated_phrases_take_linear_time() {
    for part in ["limit ", "try again in ", "requested ", "{\"message\": \"limit ", "\"\\", "1h", "PerDay"] {
        let body = part.repeat((1 << 20) / part.len());
        let _ = Observation::new(429).body(body.as_bytes()).verdict();
    }
}

#[test]
fn any_number_of_limits_and_violations_fits_the_memory_that_is_allowed() {
    let list: Vec<String> = (1..40).map(|window| format!("{};w={window}", window + 5)).collect();
    let policies: Vec<String> = (0..40).map(|name| format!("p{name};q=5")).collect();
    let mut observation = Observation::new(429);
    for scope in ["api_key", "user", "team", "team_member", "organization", "end_user", "model_per_key"] {
        observation = observation.header(format!("x-ratelimit-{scope}-limit-requests"), list.join(", "));
    }
    let observation = observation.header("ratelimit-policy", policies.join(", "));
    let count = observation.limits().count();
    assert_eq!(count, 32);
    let quotas = r#"{"quotaId": "RequestsPerMinute", "quotaValue": "7"},"#.repeat(1_000);
    let body = format!(r#"{{"error": {{"details": [{quotas}], "status": "RESOURCE_EXHAUSTED"}}}}"#);
    let observation = observation.body(body.as_bytes());
    let violations = observation.denial().map_or(0, |denial| denial.violations().len());
    assert_eq!(violations, 16);
    // Twice the sizes: a growing list doubles. Violations are held twice.
    let most = 2 * count * size_of::<ObservedLimit>() + 4 * violations * size_of::<Violation>();
    assert!(most < MOST_MEMORY, "{most}");
    assert!(size_of::<Observation>() < 1_024);
}

#[test]
fn a_wait_of_584_years_and_more_is_kept_as_it_is() {
    for (value, wait) in [
        ("18446744073", Duration::from_secs(18_446_744_073)),
        ("18446744073709551615", Duration::from_secs(u64::MAX)),
        ("99999999999999999999999999999", Duration::from_secs(u64::MAX)),
        ("5124095576030431h1s", Duration::from_secs(18_446_744_073_709_551_601)),
    ] {
        assert_eq!(retry_after(value, None), Some(wait), "{value}");
        let verdict = response(429, &format!("retry-after: {value}"), "").verdict();
        assert_eq!(verdict, Verdict::Retry { after: Some(wait) });
    }
    let sentence = format!("Please try again in {0}h{0}h{0}s.", "9".repeat(300));
    assert!(response(429, "", &sentence).retry_after().is_some_and(|wait| wait.as_secs() == u64::MAX));
}

#[test]
fn a_date_in_1970_counts_as_none() {
    let lines = "date: Thu, 01 Jan 1970 00:00:00 GMT
        x-ratelimit-limit: 5
        x-ratelimit-reset: 1765944060";
    assert_eq!(limits(&response(200, lines, "")), ["requests: limit 5"]);
    let retry = "date: Thu, 01 Jan 1970 00:00:00 GMT\nretry-after: Thu, 21 Aug 2025 12:41:07 GMT";
    assert_eq!(response(429, retry, "").retry_after(), None);
    assert_eq!(retry_after("Thu, 21 Aug 2025 12:41:07 GMT", Some(UNIX_EPOCH)), None);
    let before = UNIX_EPOCH.checked_sub(Duration::from_secs(5)).unwrap_or(SystemTime::UNIX_EPOCH);
    assert_eq!(Observation::new(429).received(before).retry_after(), None);
}

/// Words of names and values, so that arbitrary headers reach the readers behind the names.
const NAMES: [&str; 22] = [
    "x-ratelimit-limit-tokens",
    "x-ratelimit-remaining-tokens",
    "x-ratelimit-reset-tokens",
    "x-ratelimit-limit",
    "x-ratelimit-reset",
    "x-ratelimit-api_key-limit-requests",
    "x-ratelimit-renewalperiod-requests",
    "x-ratelimit-tokens-query-cost",
    "x-tokenlimit-limit-dynamic",
    "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-unified-5h-utilization",
    "anthropic-ratelimit-unified-5h-reset",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-limit",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "x-amzn-errortype",
    "x-amzn-bedrock-input-token-count",
    "date",
    "Date",
];

proptest! {
    #[test]
    fn no_headers_make_it_panic(
        status: u16,
        known in proptest::collection::vec((proptest::sample::select(&NAMES[..]), r#"[0-9.,;=:"wqrt hmsTZ+-]{0,40}"#), 0..20),
        any in proptest::collection::vec(any::<(Vec<u8>, Vec<u8>)>(), 0..5),
        body: Vec<u8>,
    ) {
        let known = known.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let any = any.iter().map(|(name, value)| (name.as_slice(), value.as_slice()));
        let observation = Observation::from_parts(status, known.chain(any), &body);
        let _ = format!("{observation:?} {:?}", observation.verdict());
    }

    #[test]
    fn no_sentence_makes_it_panic(
        text in r#"(limit|used|requested|try again in|PerDay|TPM|regain access on|[0-9]{1,30}|[ .,:~hms-]|[a-z]|\PC){0,40}"#,
    ) {
        let body = serde_json::json!({ "error": { "message": text, "details": [{ "quotaId": text, "retryDelay": text }] } });
        for body in [text.as_str(), &body.to_string()] {
            let observation = Observation::new(429).body(body.as_bytes());
            let _ = format!("{observation:?} {:?}", observation.verdict());
        }
        let _ = retry_after(&text, Some(SystemTime::now()));
    }

    #[test]
    fn headers_in_any_order_say_the_same(order in Just([
        ("x-ratelimit-limit-tokens", "100"),
        ("x-ratelimit-remaining-tokens", "50"),
        ("x-ratelimit-reset-tokens", "2025-08-21T12:41:05Z"),
        ("date", "Thu, 21 Aug 2025 12:41:00 GMT"),
    ]).prop_shuffle()) {
        let observation = Observation::from_parts(200, order, b"");
        prop_assert_eq!(limits(&observation), ["tokens: limit 100, remaining 50, reset 5s"]);
    }
}
