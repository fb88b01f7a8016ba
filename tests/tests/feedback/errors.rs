//! The errors of each provider, as it sends them: the verdict, and the limits that they name.

use openlimit::feedback::{DenialKind, Observation, Verdict};

use super::reader::{response, secs, violations};

/// Reads a response, and returns its verdict.
#[track_caller]
fn verdict(status: u16, body: &str) -> Verdict {
    response(status, "", body).verdict()
}

const RETRY: Verdict = Verdict::Retry { after: None };
const EXHAUSTED: Verdict = Verdict::Exhausted { until: None };

/// Returns an error as OpenAI writes it.
fn openai(message: &str, kind: &str, code: &str) -> String {
    serde_json::json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
        .to_string()
}

/// Returns an error as Anthropic writes it.
fn anthropic(message: &str, kind: &str) -> String {
    serde_json::json!({ "type": "error", "error": { "type": kind, "message": message } }).to_string()
}

#[test]
fn openais_message_states_the_limit_and_what_the_call_costs() {
    let message = "Rate limit reached for gpt-4 in organization org-x on tokens per min (TPM): Limit 40000, \
                   Used 39729, Requested 1317. Please try again in 1.569s. Visit https://platform.openai.com.";
    let observation = response(429, "", &openai(message, "tokens", "rate_limit_exceeded"));
    assert_eq!(observation.verdict(), Verdict::Retry { after: secs(1.569) });
    assert_eq!(violations(&observation), ["tokens/60s: limit 40000, used 39729, requested 1317"]);
}

#[test]
fn the_message_alone_is_enough() {
    for (message, wait, violation) in [
        (
            "Rate limit reached for model `llama3-8b-8192` in organization `org_xxx` on tokens per minute (TPM): \
             Limit 7500, Used 16673, Requested ~3658. Please try again in 1m42.653s.",
            102.653,
            "tokens/60s: limit 7500, used 16673, requested 3658",
        ),
        (
            "Rate limit reached for text-embedding-3-small in organization org-x on tokens per min (TPM): \
             Limit 1000000, Used 1000000, Requested 8503. Please try again in 510ms.",
            0.51,
            "tokens/60s: limit 1000000, used 1000000, requested 8503",
        ),
        (
            "Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200, Used 200, \
             Requested 1. Please try again in 7m12s.",
            432.0,
            "requests/86400s: limit 200, used 200, requested 1",
        ),
    ] {
        for status in [0, 429] {
            let observation = response(status, "", message);
            assert_eq!(observation.verdict(), Verdict::Retry { after: secs(wait) }, "{message}");
            assert_eq!(violations(&observation), [violation]);
        }
    }
}

#[test]
fn an_exhausted_quota_is_told_from_a_rate_limit() {
    let message = "You exceeded your current quota, please check your plan and billing details.";
    for code in [
        "insufficient_quota",
        "credit_balance_exhausted",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
    ] {
        assert_eq!(verdict(429, &openai(message, "insufficient_quota", code)), EXHAUSTED);
        assert_eq!(verdict(429, &openai("..", "x", code)), EXHAUSTED);
    }
    assert_eq!(verdict(429, message), EXHAUSTED);
    assert_eq!(verdict(402, ""), EXHAUSTED);
}

#[test]
fn a_ramp_that_is_too_steep_asks_to_slow_down() {
    assert_eq!(
        verdict(429, &openai("..", "rate_limit_error", "slow_down")),
        Verdict::SlowDown { after: None }
    );
    let acceleration = "This request would exceed your organization's (8d86) maximum usage increase rate for input \
                        tokens per minute. Your current limit is 58,276 input tokens per minute. Please scale up \
                        your input tokens usage more gradually to stay within the acceleration limit.";
    let observation = response(429, "retry-after: 9", &anthropic(acceleration, "rate_limit_error"));
    assert_eq!(observation.verdict(), Verdict::SlowDown { after: secs(9.0) });
    assert_eq!(violations(&observation), ["input_tokens/60s: limit 58276"]);
    assert_eq!(verdict(429, &openai("..", "limit_burst_rate", "limit_burst_rate")).retry_after(), None);
}

#[test]
fn an_overloaded_provider_is_retried() {
    assert_eq!(verdict(529, &anthropic("Overloaded", "overloaded_error")), RETRY);
    assert_eq!(verdict(0, &anthropic("..", "overloaded_error")), RETRY);
    let event = format!("event: error\ndata: {}\n\n", anthropic("..", "overloaded_error"));
    assert_eq!(verdict(0, &event), RETRY);
    assert_eq!(verdict(503, &openai("..", "server_error", "server_is_overloaded")), RETRY);
    assert_eq!(verdict(429, &openai("..", "x", "resource_unavailable")), RETRY);
    assert_eq!(verdict(498, &openai("..", "x", "capacity_exceeded")), RETRY);
    let busy = response(503, "retry-after: 4", "");
    assert_eq!(busy.verdict(), Verdict::Retry { after: secs(4.0) });
    assert_eq!(busy.denial().map(|denial| denial.kind()), Some(DenialKind::Overloaded));
}

#[test]
fn anthropics_limits_are_read_from_its_sentences() {
    let message = "This request would exceed your organization's rate limit of 40,000 input tokens per minute. \
                   For details, refer to: https://docs.anthropic.com/en/api/rate-limits.";
    let observation = response(429, "retry-after: 12", &anthropic(message, "rate_limit_error"));
    assert_eq!(observation.verdict(), Verdict::Retry { after: secs(12.0) });
    assert_eq!(violations(&observation), ["input_tokens/60s: limit 40000"]);
    for (message, violation) in [
        ("Number of request tokens has exceeded your per-minute rate limit", "tokens/60s"),
        ("Number of requests has exceeded your per-minute rate limit", "requests/60s"),
        ("output_tokens rate limit exceeded — retry after 2s", "output_tokens"),
    ] {
        let observation = response(429, "", &anthropic(message, "rate_limit_error"));
        assert_eq!(observation.denial().map(|denial| denial.kind()), Some(DenialKind::RateLimited));
        assert_eq!(violations(&observation), [violation]);
    }
}

#[test]
fn anthropics_spend_limits_state_a_date_or_a_wait_of_days() {
    let date = "date: Mon, 31 Aug 2026 23:00:00 GMT";
    let until = Verdict::Exhausted { until: secs(3_600.0) };
    let reached = r#"{"type":"error","error":{"type":"rate_limit_error","message":"You have reached your API usage
        limits: … You will regain access on 2026-09-01 at 00:00 UTC.","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    assert_eq!(response(429, date, reached).verdict(), until);
    assert_eq!(response(429, "", reached).verdict(), EXHAUSTED);
    let own = anthropic(
        "You have reached your specified API usage limits. You will regain access on 2026-09-01 at 00:00 UTC.",
        "invalid_request_error",
    );
    assert_eq!(response(400, date, &own).verdict(), until);
    let monthly = anthropic(
        "This request would exceed your account's monthly spend limit. Please try again later.",
        "rate_limit_error",
    );
    let observation = response(429, "retry-after-ms: 274579000", &monthly);
    assert_eq!(observation.verdict(), Verdict::Exhausted { until: secs(274_579.0) });
    let credit =
        anthropic("Your credit balance is too low to access the Anthropic API.", "invalid_request_error");
    assert_eq!(verdict(400, &credit), EXHAUSTED);
}

/// Returns an error as Gemini writes it.
fn gemini(message: &str, quotas: &[(&str, &str)], delay: Option<&str>) -> String {
    let violations: Vec<_> = quotas
        .iter()
        .map(|(id, value)| serde_json::json!({ "quotaMetric": "m", "quotaId": id, "quotaValue": value }))
        .collect();
    let mut details = vec![serde_json::json!({
        "@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations,
    })];
    details.extend(delay.map(|delay| {
        serde_json::json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay })
    }));
    serde_json::json!({ "error": {
        "code": 429, "message": message, "status": "RESOURCE_EXHAUSTED", "details": details,
    }})
    .to_string()
}

const GEMINI: &str = "You exceeded your current quota, please check your plan and billing details. \
    * Quota exceeded for metric: generate_content_free_tier_requests, limit: 0\nPlease retry in 10.689924287s.";

#[test]
fn gemini_names_several_violations_at_once() {
    let body = gemini(
        GEMINI,
        &[
            ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "50"),
            ("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "0"),
            ("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000"),
        ],
        Some("10s"),
    );
    let observation = response(429, "", &body);
    assert_eq!(
        violations(&observation),
        ["requests/86400s: limit 50", "requests/60s", "input_tokens/60s: limit 250000"]
    );
    // The stated wait is not that of the daily quota.
    assert_eq!((observation.verdict(), observation.retry_after()), (EXHAUSTED, None));
    let proxied = response(429, "retry-after: 7", &body);
    assert_eq!(proxied.verdict(), Verdict::Exhausted { until: secs(7.0) });
}

#[test]
fn geminis_limits_per_minute_are_retried_after_the_stated_wait() {
    let quota = [("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "15")];
    let retry = |body: &str| verdict(429, body);
    assert_eq!(retry(&gemini("..", &quota, Some("22s"))), Verdict::Retry { after: secs(22.0) });
    // The delay is cut to whole seconds. The sentence is exact.
    assert_eq!(retry(&gemini(GEMINI, &quota, Some("10s"))), Verdict::Retry { after: secs(10.689_924_287) });
    assert_eq!(retry(&gemini("..", &quota, None)), RETRY);
    assert_eq!(retry(GEMINI), Verdict::Retry { after: secs(10.689_924_287) });
}

#[test]
fn google_without_details_is_judged_by_its_words() {
    let body = |message: &str| {
        serde_json::json!({ "error": { "code": 429, "message": message, "status": "RESOURCE_EXHAUSTED" } })
            .to_string()
    };
    assert_eq!(verdict(429, &body("Resource exhausted. Please try again later.")), RETRY);
    assert_eq!(verdict(429, &body("Your project has exceeded its monthly spending cap.")), EXHAUSTED);
    assert_eq!(verdict(429, &body("Your prepayment credits are depleted.")), EXHAUSTED);
    // Without a known status, the body repeats it.
    assert_eq!(verdict(0, &body("..")), RETRY);
}

#[test]
fn mistrals_body_has_no_error_object() {
    let body = r#"{"object":"error","message":"Rate limit exceeded","type":"rate_limited","param":null,
        "code":"1300","raw_status_code":429}"#;
    assert_eq!(verdict(429, body), RETRY);
    assert_eq!(violations(&response(429, "", body)), [""; 0]);
}

#[test]
fn azure_names_the_dimension_and_the_wait_in_a_sentence() {
    let message = "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version 2024-08-01-preview \
                   have exceeded token rate limit of your current AIServices S0 pricing tier. Please retry after 37 \
                   seconds.";
    let body = serde_json::json!({ "error": { "code": "429", "message": message } }).to_string();
    let observation = response(429, "", &body);
    assert_eq!(observation.verdict(), Verdict::Retry { after: secs(37.0) });
    assert_eq!(violations(&observation), ["tokens"]);
    let calls = response(429, "", &body.replace("token rate", "call rate"));
    assert_eq!(violations(&calls), ["requests"]);
    let day = r#"{"statusCode": 429, "message": "Rate limit is exceeded. Try again in 86400 seconds."}"#;
    assert_eq!(verdict(429, day), Verdict::Retry { after: secs(86_400.0) });
    let quota = r#"{"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 02:10:15."}"#;
    assert_eq!(verdict(403, quota), Verdict::Exhausted { until: secs(7_815.0) });
    let demand = "The system is currently experiencing high demand. Please try again later.";
    assert_eq!(verdict(429, &openai(demand, "x", "429")), RETRY);
}

#[test]
fn moonshot_has_types_of_its_own() {
    let message =
        "Your account org-1 request reached organization TPD rate limit, current: 1505241, limit: 1500000";
    let daily = response(429, "", &openai(message, "rate_limit_reached_error", ""));
    assert_eq!(violations(&daily), ["tokens/86400s: limit 1500000, used 1505241"]);
    // A quota of a day whose end nobody states.
    assert_eq!(daily.verdict(), EXHAUSTED);
    let minute = message.replace("TPD", "TPM") + ". Please try again after 1 seconds";
    let after = Verdict::Retry { after: secs(1.0) };
    assert_eq!(verdict(429, &openai(&minute, "rate_limit_reached_error", "")), after);
    assert_eq!(verdict(429, &openai("..", "exceeded_current_quota_error", "")), EXHAUSTED);
    assert_eq!(verdict(429, &openai("..", "engine_overloaded_error", "")), RETRY);
}

#[test]
fn bedrock_names_its_errors_in_a_header_or_in_the_body() {
    let minute = r#"{"message":"Too many tokens, please wait before trying again."}"#;
    let observation =
        response(429, "x-amzn-errortype: ThrottlingException:http://internal.amazon.com/", minute);
    assert_eq!(observation.verdict(), RETRY);
    assert_eq!(violations(&observation), ["tokens"]);
    let day = "ThrottlingException: Too many tokens per day, please wait before trying again.";
    assert_eq!(verdict(429, day), EXHAUSTED);
    assert_eq!(violations(&response(429, "", day)), ["tokens/86400s"]);
    let typed = |kind: &str| format!(r#"{{"__type":"com.amazon.bedrock#{kind}","message":".."}}"#);
    assert_eq!(verdict(429, &typed("ThrottlingException")), RETRY);
    assert_eq!(verdict(400, &typed("ServiceQuotaExceededException")), EXHAUSTED);
    let header = Observation::new(400).header("X-Amzn-ErrorType", "ServiceQuotaExceededException");
    assert_eq!(header.verdict(), EXHAUSTED);
    assert_eq!(verdict(429, &typed("ModelNotReadyException")), RETRY);
}

#[test]
fn openrouter_repeats_the_error_of_the_provider_behind_it() {
    let body = serde_json::json!({ "error": { "message": "Provider returned error", "code": 429, "metadata": {
        "raw": "{\"error\": {\"message\": \"Rate limit reached. Please try again in 4s.\"}}", "provider_name": "x",
    }}});
    assert_eq!(verdict(429, &body.to_string()), Verdict::Retry { after: secs(4.0) });
    let free = openai("Rate limit exceeded: free-models-per-day. Add credits to unlock more.", "x", "429");
    assert_eq!(verdict(429, &free), EXHAUSTED);
    assert_eq!(verdict(429, "50 requests per day are used up"), EXHAUSTED);
}

#[test]
fn a_request_that_is_too_large_is_never_retried() {
    let limit = "Request too large for gpt-4 in organization org-x on tokens per min (TPM): Limit 10000, Requested \
                 12000. The input or output tokens must be reduced in order to run successfully.";
    let observation = response(429, "retry-after: 1", &openai(limit, "tokens", "rate_limit_exceeded"));
    assert_eq!(observation.verdict(), Verdict::TooLarge);
    assert_eq!(violations(&observation), ["tokens/60s: limit 10000, requested 12000"]);
    let batch = "Requested 673477 tokens, max 300000 tokens per request";
    let observation = response(400, "", &openai(batch, "invalid_request_error", "max_tokens_per_request"));
    assert_eq!(observation.verdict(), Verdict::TooLarge);
    assert_eq!(violations(&observation), ["tokens: limit 300000, requested 673477"]);
    assert_eq!(verdict(413, &anthropic("..", "request_too_large")), Verdict::TooLarge);
    assert_eq!(verdict(400, &openai("..", "x", "context_length_exceeded")), Verdict::TooLarge);
    // As Python prints it.
    assert_eq!(
        verdict(400, "Error code: 400 - {'error': {'code': 'max_tokens_per_request'}}"),
        Verdict::TooLarge
    );
}

#[test]
fn too_large_is_recognised_in_its_many_wordings() {
    for message in [
        "prompt is too long: 213462 tokens > 200000 maximum",
        "Prompt too long",
        "input is too long for requested model",
        "Your input exceeds the context window of this model.",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "This model's maximum prompt length is 131072 but the request contains 537812 tokens.",
        "Please reduce the length of the messages or completion.",
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 8545 tokens.",
        "the request exceeds the available context size, try increasing it",
        "tokens to keep from the initial prompt is greater than the context length",
        "invalid params, context window exceeds limit",
        "Your request exceeded model token limit: 131072",
        "Prompt contains 40000 tokens, too large for model with 32768 maximum context length",
        "model_context_window_exceeded",
        "context_length_exceeded",
        "The input length exceeds the context length",
        "Prompt exceeds maximum context length",
        "Too many input tokens",
        "413 Request Entity Too Large",
        "The context size has been exceeded.",
        "tokens in request more than max tokens allowed",
        "Prompt exceeds max length",
        "The input exceeds the maximum allowed input length of 262144",
        "Prompt has 9000 tokens, longer than the model's context length",
        "but the configured context size is 32768",
        "exceeded max context length by 100 tokens",
        "Range of input length should be [1, 129024]",
    ] {
        assert_eq!(
            verdict(400, &openai(message, "invalid_request_error", "x")),
            Verdict::TooLarge,
            "{message}"
        );
        assert_eq!(verdict(0, message), Verdict::TooLarge, "{message}");
    }
}

#[test]
fn vague_words_about_size_count_for_invalid_requests_only() {
    for message in
        ["Too many tokens", "prompt token count of 90000 exceeds the limit of 64000", "Token limit exceeded"]
    {
        let body = openai(message, "x", "y");
        assert_eq!(verdict(400, &body), Verdict::TooLarge, "{message}");
        assert_eq!(verdict(429, &body), RETRY, "{message}");
        assert_ne!(verdict(0, &body), Verdict::TooLarge, "{message}");
    }
}

#[test]
fn errors_about_other_things_are_not_about_limits() {
    for (status, body) in [
        (200, ""),
        (200, r#"{"error": {"code": "rate_limit_exceeded"}}"#),
        (401, r#"{"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}"#),
        (404, "model not found"),
        (400, r#"{"error": {"message": "Invalid value: 'write about rate limits'"}}"#),
        (500, "The server had an error while processing your request."),
        (503, ""),
        (0, "connection reset by peer"),
        (0, ""),
    ] {
        assert_eq!(verdict(status, body), Verdict::NotLimited, "{status} {body}");
    }
    assert_eq!(Observation::new(200).denial(), None);
    let other = Observation::new(404);
    assert_eq!(other.denial().map(|denial| denial.kind()), Some(DenialKind::Other));
}

#[test]
fn a_429_without_words_is_a_rate_limit() {
    assert_eq!(verdict(429, ""), RETRY);
    assert_eq!(verdict(429, "<html>no JSON</html>"), RETRY);
    assert_eq!(Observation::new(429).verdict(), RETRY);
    assert_eq!(Observation::new(429).status(), 429);
}

#[test]
fn the_test_provider_and_the_reader_understand_each_other() {
    // The wording is that of `testing::Provider`.
    let body = openai(
        "Rate limit reached for gpt-4o in organization org-openlimit on requests per sec (RPS): Limit 5, Used 5, \
         Requested 1. Please try again in 200ms. Visit https://platform.openai.com/account/rate-limits to learn more.",
        "requests",
        "rate_limit_exceeded",
    );
    let observation = response(429, "retry-after: 1\nretry-after-ms: 200", &body);
    assert_eq!(observation.verdict(), Verdict::Retry { after: secs(0.2) });
    assert_eq!(violations(&observation), ["requests/1s: limit 5, used 5, requested 1"]);
}
