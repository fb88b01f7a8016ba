//! The headers of each provider, as it sends them, and the state of the limits read from them.

use std::time::{Duration, UNIX_EPOCH};

use openlimit::feedback::Observation;
use openlimit::{Dimension, Usage};

use super::reader::{headers, limits};

#[track_caller]
fn reads(lines: &str, expected: &[&str]) {
    assert_eq!(limits(&headers(lines)), expected, "{lines}");
}

#[test]
fn openai_sends_requests_and_tokens_with_durations_of_go() {
    reads(
        "x-ratelimit-limit-requests: 60
        x-ratelimit-limit-tokens: 150000
        x-ratelimit-remaining-requests: 59
        x-ratelimit-remaining-tokens: 149984
        x-ratelimit-reset-requests: 1s
        x-ratelimit-reset-tokens: 6m0s",
        &["requests: limit 60, remaining 59, reset 1s", "tokens: limit 150000, remaining 149984, reset 360s"],
    );
}

#[test]
fn a_projects_tokens_are_a_second_limit() {
    reads(
        "x-ratelimit-limit-project-tokens: 60000
        x-ratelimit-remaining-project-tokens: 57000
        x-ratelimit-reset-project-tokens: 3s",
        &["tokens: limit 60000, remaining 57000, reset 3s"],
    );
    reads(
        "x-ratelimit-remaining-tokens: 1000
        x-ratelimit-remaining-project-tokens: 0
        x-ratelimit-reset-project-tokens: 1m30s",
        &["tokens: remaining 1000", "tokens: remaining 0, reset 90s"],
    );
}

#[test]
fn a_bucket_charged_by_usage_is_a_limit_of_its_own() {
    reads(
        "x-ratelimit-remaining-tokens: 10
        x-ratelimit-remaining-tokens_usage_based: 20",
        &["tokens: remaining 10", "tokens: remaining 20"],
    );
}

#[test]
fn groq_sends_fractions_and_long_resets() {
    reads(
        "x-ratelimit-limit-requests: 14400
        x-ratelimit-remaining-requests: 14370
        x-ratelimit-reset-requests: 2m59.56s
        x-ratelimit-reset-tokens: 7.66s
        x-ratelimit-limit-tokens: 18000",
        &["requests: limit 14400, remaining 14370, reset 179.56s", "tokens: limit 18000, reset 7.66s"],
    );
}

#[test]
fn cerebras_names_the_window_and_sends_floats() {
    reads(
        "x-ratelimit-limit-tokens-minute: 60000
        x-ratelimit-reset-tokens-minute: 11.382867097854614
        x-ratelimit-limit-requests-day: 14400
        x-ratelimit-remaining-requests-day: 14399
        x-ratelimit-reset-requests-day: 33011.382867097855
        x-ratelimit-limit-tokens-hour: 1000000
        x-ratelimit-reset-tokens-hour: 26.5",
        &[
            "tokens/60s: limit 60000, reset 11.382867098s",
            "requests/86400s: limit 14400, remaining 14399, reset 33011.382867098s",
            "tokens/3600s: limit 1000000, reset 26.5s",
        ],
    );
}

#[test]
fn mistral_names_the_window_and_the_cost_of_the_call() {
    let lines = "x-ratelimit-limit-tokens-minute: 5000000
        x-ratelimit-remaining-tokens-minute: 4999911
        x-ratelimit-tokens-query-cost: 52
        x-ratelimit-limit-req-minute: 720
        x-ratelimit-remaining-req-minute: 717
        x-ratelimit-limit-req-10-second: 20
        x-ratelimit-limit-tokens-5-minute: 9
        x-ratelimit-limit-tokens-month: 10000000000";
    reads(
        lines,
        &[
            "tokens/60s: limit 5000000, remaining 4999911",
            "requests/60s: limit 720, remaining 717",
            "requests/10s: limit 20",
            "tokens/300s: limit 9",
            "tokens/2592000s: limit 10000000000",
        ],
    );
    assert_eq!(headers(lines).usage(), Some(Usage::from(52_u64)));
}

#[test]
fn together_sends_bare_names_and_a_set_that_follows_the_load() {
    reads(
        "x-ratelimit-limit: 10
        x-ratelimit-remaining: 9
        x-ratelimit-reset: 0.0001
        x-tokenlimit-limit: 2000
        x-tokenlimit-remaining: 1990
        x-tokenlimit-limit-dynamic: 1000
        x-ratelimit-limit-dynamic: 5
        x-ratelimit-remaining-dynamic: 4",
        &[
            "requests: limit 10, remaining 9, reset 100µs",
            "tokens/1s: limit 2000, remaining 1990",
            "tokens/1s: limit 1000",
            "requests: limit 5, remaining 4",
        ],
    );
}

#[test]
fn fireworks_separates_prompt_generated_and_uncached_prompt() {
    let lines = "x-ratelimit-limit-tokens-prompt: 100
        x-ratelimit-remaining-tokens-prompt: 90
        x-ratelimit-limit-tokens-generated: 50
        x-ratelimit-limit-tokens-cache-adjusted-prompt: 80
        fireworks-prompt-tokens: 12
        fireworks-cached-prompt-tokens: 4";
    reads(
        lines,
        &[
            "input_tokens: limit 100, remaining 90",
            "output_tokens: limit 50",
            "uncached_input_tokens: limit 80",
        ],
    );
    assert_eq!(headers(lines).usage(), Some(Usage::default().with(Dimension::InputTokens, 12)));
}

#[test]
fn azure_states_the_window_apart_and_the_reset_in_seconds() {
    reads(
        "x-ratelimit-limit-requests: 60
        x-ratelimit-renewalperiod-requests: 10
        x-ratelimit-remaining-requests: 59
        x-ratelimit-reset-requests: 7
        x-ratelimit-type: Tokens
        x-ratelimit-key: secret
        x-rate-limit-reset-tokens: 3
        x-ratelimit-limit-tokens: 30000",
        &["requests/10s: limit 60, remaining 59, reset 7s", "tokens: limit 30000, reset 3s"],
    );
}

#[test]
fn a_limit_of_minus_one_or_zero_is_not_known() {
    for unknown in ["-1", "0"] {
        let lines = format!(
            "x-ratelimit-limit-tokens: {unknown}
            x-ratelimit-remaining-tokens: {unknown}
            x-ratelimit-reset-tokens: 0"
        );
        let observation = headers(&lines);
        assert_eq!(limits(&observation), [""; 0]);
        assert_eq!(observation.retry_after(), None);
    }
}

#[test]
fn anthropics_resets_are_relative_to_the_date_of_the_response() {
    reads(
        "anthropic-ratelimit-requests-limit: 1000
        anthropic-ratelimit-requests-remaining: 999
        anthropic-ratelimit-requests-reset: 2025-08-21T12:41:05.5Z
        anthropic-ratelimit-input-tokens-reset: 2025-08-21T12:40:59Z
        anthropic-ratelimit-input-tokens-limit: 80000
        anthropic-ratelimit-input-tokens-remaining: 80000
        date: Thu, 21 Aug 2025 12:41:00 GMT",
        &[
            "requests: limit 1000, remaining 999, reset 5.5s",
            "input_tokens: limit 80000, remaining 80000, reset 0ns",
        ],
    );
}

#[test]
fn anthropics_sum_of_input_and_output_is_no_limit() {
    let sum = "anthropic-ratelimit-tokens-limit: 96000";
    reads(
        &format!(
            "{sum}
            anthropic-ratelimit-input-tokens-limit: 80000
            anthropic-ratelimit-output-tokens-limit: 16000"
        ),
        &["input_tokens: limit 80000", "output_tokens: limit 16000"],
    );
    reads(sum, &["tokens: limit 96000"]);
}

#[test]
fn anthropics_priority_and_fast_limits_are_separate() {
    reads(
        "anthropic-priority-input-tokens-limit: 10000
        anthropic-priority-input-tokens-remaining: 9618
        anthropic-priority-input-tokens-reset: 2025-01-12T23:11:59Z
        anthropic-fast-output-tokens-remaining: 5
        anthropic-ratelimit-output-tokens-limit: 7
        Date: Sun, 12 Jan 2025 23:11:50 GMT",
        &[
            "input_tokens: limit 10000, remaining 9618, reset 9s",
            "output_tokens: remaining 5",
            "output_tokens: limit 7",
        ],
    );
}

#[test]
fn anthropics_subscriptions_state_a_share_of_a_window() {
    reads(
        "anthropic-ratelimit-unified-status: allowed
        anthropic-ratelimit-unified-5h-utilization: 0.042598363636363636
        anthropic-ratelimit-unified-5h-reset: 1765944000
        anthropic-ratelimit-unified-5h-status: allowed
        anthropic-ratelimit-unified-7d-utilization: 1.01
        anthropic-ratelimit-unified-7d-status: rejected
        anthropic-ratelimit-unified-fallback-percentage: 0.5
        date: Wed, 17 Dec 2025 03:00:00 GMT",
        &[
            "subscription/18000s: reset 3600s, utilization 0.042599",
            "subscription/604800s: remaining 0, utilization 1.01",
        ],
    );
}

#[test]
fn openrouter_sends_its_reset_in_milliseconds_since_1970() {
    reads(
        "X-RateLimit-Limit: 20
        X-RateLimit-Remaining: 0
        X-RateLimit-Reset: 1765944060000
        Date: Wed, 17 Dec 2025 04:00:00 GMT",
        &["requests: limit 20, remaining 0, reset 60s"],
    );
}

#[test]
fn litellm_names_the_scope_of_each_limit() {
    reads(
        "x-ratelimit-api_key-remaining-requests: 599
        x-ratelimit-api_key-limit-requests: 600
        x-ratelimit-api_key-limit-tokens: 100000
        x-ratelimit-api_key-limit-max_parallel_requests: 5
        x-ratelimit-team-remaining-requests: 47
        x-ratelimit-model_per_key-remaining-tokens: 1
        x-ratelimit-sk_secret-remaining-tokens: 7",
        &[
            "requests: limit 600, remaining 599",
            "tokens: limit 100000",
            "requests: remaining 47",
            "tokens: remaining 1",
        ],
    );
}

#[test]
fn the_ietfs_policies_are_joined_by_their_names() {
    reads(
        r#"RateLimit-Policy: "default";q=100;qu="requests";w=60;pk=:c2VjcmV0:, "daily";q=5000;w=86400
        RateLimit: "daily";r=4000, "default";r=50;t=30"#,
        &["requests/60s: limit 100, remaining 50, reset 30s", "requests/86400s: limit 5000, remaining 4000"],
    );
    reads(
        r#"RateLimit-Policy: "a;b,c";q=7;w=1;qu="content-bytes", "t";q=9;qu="tokens""#,
        &["tokens: limit 9"],
    );
    reads(
        r#"RateLimit-Policy: "a;r=3;b,c";q=7, "a,c";q=9
        RateLimit: "a,c";r=5"#,
        &["requests: limit 7", "requests: limit 9, remaining 5"],
    );
    reads("RateLimit: limit=100, remaining=50, reset=5", &["requests: limit 100, remaining 50, reset 5s"]);
    reads(
        "RateLimit-Limit: 100
        RateLimit-Remaining: 99
        RateLimit-Reset: 60
        RateLimit-Policy: 100;w=60",
        &["requests/60s: limit 100, remaining 99, reset 60s"],
    );
}

#[test]
fn the_first_number_of_an_older_gateways_list_binds() {
    reads(
        "x-ratelimit-limit: 1000, 1000;w=1, 60000;w=60
        x-ratelimit-remaining: 1000
        x-ratelimit-reset: 1",
        &["requests/1s: limit 1000, remaining 1000, reset 1s", "requests/60s: limit 60000"],
    );
    reads(
        "x-ratelimit-limit: 100, 100;window=60, 10000;window=86400",
        &["requests/60s: limit 100", "requests/86400s: limit 10000"],
    );
}

#[test]
fn the_openai_realtime_event_states_limits_in_its_body() {
    let event = br#"{"event_id": "event_5758", "type": "rate_limits.updated", "rate_limits": [
        {"name": "requests", "limit": 1000, "remaining": 999, "reset_seconds": 60},
        {"name": "other", "limit": 5},
        {"name": "tokens", "limit": 50000, "remaining": 49950, "reset_seconds": 0.06}]}"#;
    let observation = Observation::new(200).body(event);
    assert_eq!(
        limits(&observation),
        [
            "requests: limit 1000, remaining 999, reset 60s",
            "tokens: limit 50000, remaining 49950, reset 60ms"
        ]
    );
    let forged = br#"{"id": "1", "model": "m", "content": [{"input": {"type": "rate_limits.updated",
        "rate_limits": [{"name": "tokens", "limit": 1}]}}]}"#;
    assert_eq!(Observation::new(200).body(forged).limits().count(), 0);
}

#[test]
fn without_a_date_a_point_in_time_is_related_to_the_time_of_arrival() {
    let lines = "anthropic-ratelimit-requests-limit: 5
        anthropic-ratelimit-requests-reset: 2025-08-21T12:41:05Z";
    reads(lines, &["requests: limit 5"]);
    let arrival = UNIX_EPOCH + Duration::from_secs(1_755_780_060);
    assert_eq!(limits(&headers(lines).received(arrival)), ["requests: limit 5, reset 5s"]);
    let dated = format!("{lines}\ndate: Thu, 21 Aug 2025 12:41:04 GMT");
    assert_eq!(limits(&headers(&dated).received(arrival)), ["requests: limit 5, reset 1s"]);
}

#[test]
fn malformed_values_are_ignored_and_leave_the_others() {
    reads(
        "x-ratelimit-limit-tokens: many
        x-ratelimit-remaining-tokens: 5
        x-ratelimit-reset-tokens: soon
        x-ratelimit-limit-requests: 99999999999999999999999999
        x-ratelimit-remaining-requests: 1e3
        x-ratelimit-remaining-images: ",
        &["tokens: remaining 5"],
    );
}

#[test]
fn headers_may_come_one_by_one_and_repeatedly() {
    let observation = Observation::new(200)
        .header("X-RateLimit-Remaining-Tokens", "7")
        .header(b"x-ratelimit-remaining-tokens".as_slice(), String::from("6"));
    assert_eq!(limits(&observation), ["tokens: remaining 6"]);
}
