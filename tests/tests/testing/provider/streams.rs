//! Streams and whole replies of each API, with and without their usage.

use openlimit::feedback::UsageReader;
use openlimit::testing::{Provider, ProviderBuilder};
use openlimit::{Dimension, Usage};
use serde_json::{Value, json};

use super::ask::{ask, on_clock};

/// The path and the request of each API that streams.
fn streams() -> [(&'static str, Value); 4] {
    let hi = json!([{ "role": "user", "content": "Hi" }]);
    let include = json!({ "include_usage": true });
    [
        (
            "/v1/chat/completions",
            json!({ "model": "gpt-4o", "messages": hi, "stream": true, "stream_options": include }),
        ),
        ("/v1/responses", json!({ "model": "gpt-4o", "input": "Hi", "stream": true })),
        (
            "/v1/messages",
            json!({ "model": "claude", "system": "Be brief.", "messages": hi, "max_tokens": 100, "stream": true }),
        ),
        (
            "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
            json!({ "contents": [{ "role": "user", "parts": [{ "text": "Hi" }] }] }),
        ),
    ]
}

/// Returns what a limiter reads of the usage, and the body.
fn read(builder: ProviderBuilder, path: &str, body: &Value) -> (Option<Usage>, String) {
    let (provider, _clock) = on_clock(builder.count_prompts(|_, _| 50));
    let reply = ask(&provider, path, body);
    let text = String::from_utf8(reply.body().to_vec()).expect("it is text");
    assert_eq!(reply.status(), 200, "{path}: {text}");
    let mut usage = UsageReader::new();
    usage.feed(reply.body());
    (usage.usage(), text)
}

#[test]
fn the_usage_of_a_stream_is_read_whatever_the_api() {
    for (path, body) in streams() {
        let (usage, text) = read(Provider::builder().answer_tokens(7), path, &body);
        let amount = |dimension| usage.as_ref().and_then(|usage| usage.amount(&dimension));
        assert_eq!(
            (amount(Dimension::InputTokens), amount(Dimension::OutputTokens)),
            (Some(50), Some(7)),
            "{path}: {text}"
        );
        assert!(text.contains("truth"), "{path}: {text}");
        for event in text.split_terminator("\n\n") {
            let data = event.lines().find_map(|line| line.strip_prefix("data: ")).expect("data");
            assert!(data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok(), "{data}");
        }
    }
}

#[test]
fn a_stream_can_leave_its_usage_out() {
    for (path, body) in streams() {
        let (usage, text) = read(Provider::builder().stream_usage(false), path, &body);
        assert_eq!(usage, None, "{path}: {text}");
    }
}

#[test]
fn a_whole_reply_states_its_usage_whatever_the_api() {
    for (path, mut body) in streams() {
        let path = path.replace("streamGenerateContent", "generateContent");
        if let Some(body) = body.as_object_mut() {
            body.remove("stream");
            body.remove("stream_options");
        }
        let (_, text) = read(Provider::builder().answer_tokens(7), &path, &body);
        let usage = Usage::from_json(text.as_bytes());
        let output = usage.and_then(|usage| usage.amount(&Dimension::OutputTokens));
        assert_eq!(output, Some(7), "{path}: {text}");
    }
}

#[test]
fn a_maximum_cuts_an_answer_whatever_the_api() {
    for (path, field, reason) in [
        ("/v1/messages", "max_tokens", "max_tokens"),
        ("/v1beta/models/gemini-2.5-flash:generateContent", "generationConfig", "MAX_TOKENS"),
    ] {
        let (_, mut body) = streams()[if field == "max_tokens" { 2 } else { 3 }].clone();
        body["stream"] = json!(false);
        body[field] = if field == "max_tokens" { json!(3) } else { json!({ "maxOutputTokens": 3 }) };
        let (_, text) = read(Provider::builder(), path, &body);
        assert!(text.contains(reason) && text.contains("It is a\""), "{text}");
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    let (provider, _clock) = on_clock(Provider::builder());
    let hi = json!([{ "role": "user", "content": "Hi" }]);
    for (path, body, missing) in [
        ("/v1/messages", json!({ "model": "claude", "messages": hi }), "max_tokens"),
        ("/v1/messages", json!({ "model": "claude", "max_tokens": 1 }), "messages"),
        ("/v1beta/models/gemini:generateContent", json!({ "contents": [] }), "contents"),
        ("/v1beta/models/gemini:countTokens", json!({}), "Invalid URL"),
        ("/openai/deployments/gpt-4o", json!({}), "Invalid URL"),
    ] {
        let reply = ask(&provider, path, &body);
        let text = String::from_utf8_lossy(reply.body()).into_owned();
        assert!(matches!(reply.status(), 400 | 404) && text.contains(missing), "{path}: {text}");
    }
}
