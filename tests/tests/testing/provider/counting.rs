//! Providers that count in another way than the limiter does.

use openlimit::testing::Provider;
use openlimit::{Dimension, Percent, Rate};
use serde_json::{Value, json};

use super::ask::{ask, chat, json_of, number, observe, on_clock, params};

const CHAT: &str = "/v1/chat/completions";

#[test]
fn prompts_can_be_counted_by_their_length() {
    let builder =
        Provider::builder().tokens(Rate::per_day(10_000)).count_prompts(|body, _| body.len() as u64 / 4);
    let (provider, _clock) = on_clock(builder);
    let reply = chat(&provider);
    let prompt = params().to_string().len() as u64 / 4;
    assert_eq!(json_of(&reply)["usage"]["prompt_tokens"], prompt);
    assert_eq!(number(&reply, "x-ratelimit-remaining-tokens"), 10_000 - prompt - 16);
}

#[test]
fn prompts_can_be_counted_a_little_higher() {
    let two = |body: &[u8], tokens: u64| {
        let body: Value = serde_json::from_slice(body).expect("it was read before");
        tokens + u64::from(body["messages"].as_array().is_some_and(|messages| messages.len() == 2))
    };
    let (ours, _clock) = on_clock(Provider::builder());
    let (theirs, _clock) = on_clock(Provider::builder().count_prompts(two));
    let mut body = params();
    let difference = |body: &Value| {
        let [ours, theirs] = [&ours, &theirs].map(|provider| {
            ask(provider, CHAT, body);
            provider.arrivals().last().expect("one arrived").tokens
        });
        theirs - ours
    };
    assert_eq!(difference(&body), 0);
    body["messages"].as_array_mut().expect("a list").push(json!({ "role": "user", "content": "Well?" }));
    assert_eq!(difference(&body), 1);
}

#[test]
fn the_largest_counts_are_too_large_and_no_panic() {
    let limits = Provider::builder().tokens(Rate::per_minute(1_000)).input_tokens(Rate::per_minute(1_000));
    let (provider, _clock) = on_clock(limits.count_prompts(|_, _| u64::MAX).charges_usage(true));
    assert_eq!(chat(&provider).status(), 429);
    let (provider, clock) =
        on_clock(Provider::builder().count_prompts(|_, _| u64::MAX).quota(u64::MAX, None));
    assert_eq!(chat(&provider).status(), 200);
    clock.advance(openlimit_tests::secs(1));
    assert_eq!(chat(&provider).status(), 429);
}

#[test]
fn cached_input_is_stated_and_not_charged() {
    let builder = Provider::builder().tokens(Rate::per_day(1_000)).count_prompts(|_, _| 200);
    let (provider, _clock) = on_clock(builder.cached_input(Percent(75)));
    let reply = chat(&provider);
    let usage = &json_of(&reply)["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["prompt_tokens_details"]["cached_tokens"]),
        (&json!(200), &json!(150))
    );
    assert_eq!(number(&reply, "x-ratelimit-remaining-tokens"), 1_000 - 50 - 16);

    let message =
        json!({ "model": "claude", "max_tokens": 100, "messages": [{ "role": "user", "content": "Hi" }] });
    let usage = json_of(&ask(&provider, "/v1/messages", &message))["usage"].clone();
    assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(50), &json!(150)));

    let (provider, _clock) =
        on_clock(Provider::builder().cached_input(Percent(200)).count_prompts(|_, _| 200));
    chat(&provider);
    assert_eq!(provider.arrivals()[0].tokens, 16);
}

#[test]
fn input_and_output_can_have_limits_of_their_own() {
    let builder = Provider::builder().input_tokens(Rate::per_day(500)).output_tokens(Rate::per_day(30));
    let (provider, _clock) = on_clock(builder.count_prompts(|_, _| 200));
    let left = |reply: &openlimit::testing::ProviderReply| {
        [Dimension::InputTokens, Dimension::OutputTokens].map(|dimension| {
            let observation = observe(reply);
            observation
                .limits()
                .find(|limit| *limit.dimension() == dimension)
                .and_then(|limit| limit.remaining())
        })
    };
    // The output is what is put out, 12 tokens, and not what the request allows.
    assert_eq!(left(&chat(&provider)), [Some(300), Some(18)]);
    assert_eq!(left(&chat(&provider)), [Some(100), Some(6)]);
    assert_eq!(chat(&provider).status(), 429);
}
