//! The headers and errors of each provider, by their names and as a limiter reads them.

use openlimit::feedback::{DenialKind, Verdict};
use openlimit::testing::{Dialect, Provider, ProviderBuilder, ProviderReply};
use openlimit::{Dimension, Rate};
use openlimit_tests::{millis, secs};
use serde_json::json;

use super::ask::{ask, chat, json_of, observe, on_clock, params};

const CHAT: &str = "/v1/chat/completions";

fn builder(dialect: Dialect) -> ProviderBuilder {
    let minute = secs(60);
    let limits = Provider::builder().requests(Rate::per_minute(60).burst(minute));
    limits.tokens(Rate::per_minute(60_000).burst(minute)).dialect(dialect)
}

/// Returns the headers about limits and waits.
fn limits(reply: &ProviderReply) -> Vec<String> {
    let about = |name: &str| name.contains("ratelimit") || name.starts_with("retry-after");
    reply.headers().filter(|(name, _)| about(name)).map(|(name, value)| format!("{name}: {value}")).collect()
}

/// Returns a reply of each dialect, after a call of 1 200 tokens.
fn reply(dialect: Dialect) -> ProviderReply {
    let (provider, clock) = on_clock(builder(dialect).count_prompts(|_, _| 1_184).latency(secs(2)));
    clock.advance(millis(250));
    chat(&provider)
}

/// Returns a refusal of a call that takes 10 of 6 000 tokens a minute, when 13.01 s are missing.
fn refusal(dialect: Dialect) -> ProviderReply {
    let tokens = Rate::per_minute(6_000).burst(secs(60));
    let (provider, _clock) = on_clock(
        Provider::builder().tokens(tokens).dialect(dialect).count_prompts(|body, _| body.len() as u64),
    );
    let mut body = params();
    let mut call = |tokens: u64| {
        body["max_tokens"] = json!(tokens);
        ask(&provider, CHAT, &body)
    };
    assert_eq!(call(5_500).status(), 200);
    call(1_501)
}

#[test]
fn openai_writes_durations_and_milliseconds() {
    assert_eq!(
        limits(&reply(Dialect::OpenAi)),
        [
            "x-ratelimit-limit-requests: 60",
            "x-ratelimit-remaining-requests: 59",
            "x-ratelimit-reset-requests: 1s",
            "x-ratelimit-limit-tokens: 60000",
            "x-ratelimit-remaining-tokens: 58800",
            "x-ratelimit-reset-tokens: 1.2s",
        ]
    );
    assert_eq!(limits(&refusal(Dialect::OpenAi))[0].split(':').next(), Some("retry-after"));
}

#[test]
fn azure_writes_seconds_and_the_period() {
    assert_eq!(
        limits(&reply(Dialect::Azure)),
        [
            "x-ratelimit-limit-requests: 60",
            "x-ratelimit-remaining-requests: 59",
            "x-ratelimit-reset-requests: 1",
            "x-ratelimit-renewalperiod-requests: 60",
            "x-ratelimit-limit-tokens: 60000",
            "x-ratelimit-remaining-tokens: 58800",
            "x-ratelimit-reset-tokens: 2",
            "x-ratelimit-renewalperiod-tokens: 60",
        ]
    );
    let refused = refusal(Dialect::Azure);
    let error = &json_of(&refused)["error"];
    assert_eq!(error["code"], "429");
    let message = error["message"].as_str().expect("a text");
    assert!(message.contains("have exceeded token rate limit of your current AIServices S0"), "{message}");
}

#[test]
fn anthropic_writes_dates_and_thousands() {
    assert_eq!(
        limits(&reply(Dialect::Anthropic)),
        [
            "anthropic-ratelimit-requests-limit: 60",
            "anthropic-ratelimit-requests-remaining: 59",
            "anthropic-ratelimit-requests-reset: 2026-01-01T00:00:02Z",
            "anthropic-ratelimit-tokens-limit: 60000",
            "anthropic-ratelimit-tokens-remaining: 59000",
            "anthropic-ratelimit-tokens-reset: 2026-01-01T00:00:02Z",
        ]
    );
    let input = Provider::builder().input_tokens(Rate::per_minute(40_000)).dialect(Dialect::Anthropic);
    let (provider, _clock) = on_clock(input.count_prompts(|_, _| 30_000));
    let refused = [chat(&provider), chat(&provider)].map(|reply| json_of(&reply))[1].clone();
    assert_eq!((&refused["type"], &refused["error"]["type"]), (&json!("error"), &json!("rate_limit_error")));
    let message = refused["error"]["message"].as_str().expect("a text");
    assert!(
        message.contains("your organization's rate limit of 40,000 input tokens per minute."),
        "{message}"
    );
}

#[test]
fn groq_writes_openais_names_and_no_milliseconds() {
    assert_eq!(limits(&reply(Dialect::Groq)), limits(&reply(Dialect::OpenAi)));
    let refused = refusal(Dialect::Groq);
    assert!(refused.header("retry-after").is_some() && refused.header("retry-after-ms").is_none());
    let body = json_of(&refused);
    let message = body["error"]["message"].as_str().expect("a text");
    let start = "Rate limit reached for model `gpt-4o` in organization `org_openlimit` on tokens per min (TPM): \
                 Limit 6000, Used ";
    assert!(message.starts_with(start) && message.contains(", Requested ~"), "{message}");
}

#[test]
fn a_bare_provider_says_nothing() {
    assert_eq!(limits(&reply(Dialect::Bare)), [""; 0]);
    let refused = refusal(Dialect::Bare);
    assert_eq!(limits(&refused), [""; 0]);
    assert_eq!((refused.status(), refused.body()), (429, b"Too Many Requests".as_slice()));
    assert_eq!(observe(&refused).verdict(), Verdict::Retry { after: None });
}

#[test]
fn a_limiter_reads_the_same_from_every_dialect() {
    for dialect in [Dialect::OpenAi, Dialect::Azure, Dialect::Anthropic, Dialect::Groq] {
        let observation = observe(&reply(dialect));
        let read: Vec<_> = observation
            .limits()
            .map(|limit| (limit.dimension().clone(), limit.limit(), limit.remaining()))
            .collect();
        let tokens = if dialect == Dialect::Anthropic { 59_000 } else { 58_800 };
        assert_eq!(
            read,
            [(Dimension::Requests, Some(60), Some(59)), (Dimension::Tokens, Some(60_000), Some(tokens)),],
            "{dialect:?}"
        );
        let refusal = observe(&refusal(dialect));
        assert_eq!(
            refusal.denial().map(|denial| denial.kind()),
            Some(DenialKind::RateLimited),
            "{dialect:?}"
        );
        let dimension = refusal.denial().and_then(|denial| denial.violations().first()?.dimension().cloned());
        assert_eq!(dimension, Some(Dimension::Tokens), "{dialect:?}");
        let wait = refusal.retry_after().expect("it states a wait");
        assert!((secs(10)..secs(20)).contains(&wait), "{dialect:?}: {wait:?}");
    }
}

#[test]
fn a_date_that_is_wrong_does_not_change_what_a_reset_means() {
    for skew in [0, 86_400, -86_400] {
        let (provider, _clock) = on_clock(builder(Dialect::Anthropic).date_skew(skew));
        let observation = observe(&chat(&provider));
        let resets: Vec<_> = observation.limits().filter_map(|limit| limit.reset()).collect();
        assert_eq!(resets, [secs(1), secs(1)], "a skew of {skew} s");
    }
}

#[test]
fn a_call_that_never_fits_is_too_large_in_every_dialect() {
    for dialect in [Dialect::OpenAi, Dialect::Azure, Dialect::Anthropic, Dialect::Groq, Dialect::Bare] {
        let (provider, _clock) = on_clock(builder(dialect).count_prompts(|_, _| 100_000));
        assert_eq!(observe(&chat(&provider)).verdict(), Verdict::TooLarge, "{dialect:?}");
    }
}

#[test]
fn errors_that_have_nothing_to_do_with_limits_have_the_same_shape() {
    for (dialect, pointer) in [
        (Dialect::OpenAi, "/error/message"),
        (Dialect::Azure, "/error/code"),
        (Dialect::Anthropic, "/error/type"),
        (Dialect::Bare, "/error/message"),
    ] {
        let (provider, _clock) = on_clock(builder(dialect));
        let reply = ask(&provider, CHAT, &json!({}));
        assert_eq!(reply.status(), 400);
        assert!(json_of(&reply).pointer(pointer).is_some_and(|text| text.is_string()), "{dialect:?}");
        assert_eq!(observe(&reply).verdict(), Verdict::NotLimited, "{dialect:?}");
    }
}
