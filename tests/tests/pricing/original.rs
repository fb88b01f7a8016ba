//! Tests of the Python library's defects in counting (numbers 20 to 22 and 25 of our list), which
//! cannot occur here.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{ChatRateLimiter, Dimension, EmbeddingRateLimiter, Rate, tokens};
use serde_json::{Value, json};

fn input(params: &Value) -> u64 {
    tokens::chat(params).unwrap().amount(&Dimension::InputTokens)
}

/// 20: lists as content, null content with tool calls, numbers, null maxima, token arrays and
/// special tokens raised an exception.
#[test]
fn requests_that_raised_there_have_a_price_here() {
    for params in [
        json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": "Hello" }] }] }),
        json!({ "messages": [{ "role": "assistant", "content": null, "tool_calls": [{ "id": "1" }] }] }),
        json!({ "messages": [{ "role": "user", "content": 42, "weight": 1 }] }),
        json!({ "messages": [], "max_tokens": null }),
        json!({ "messages": [], "n": null }),
        json!({ "messages": [{ "role": "user", "content": "<|endoftext|>" }] }),
    ] {
        assert!(tokens::chat(&params).is_ok(), "{params}");
    }
    assert!(tokens::embedding(&json!({ "input": [1, 2, 3] })).is_ok());
    assert!(tokens::embedding(&json!({ "input": [[1, 2, 3]] })).is_ok());
    assert!(tokens::completion(&json!({ "prompt": [1, 2, 3], "max_tokens": null })).is_ok());
}

/// 21: tools, functions, `response_format`, `max_completion_tokens` and `best_of` were ignored.
#[test]
fn what_was_ignored_there_is_counted_here() {
    let bare = json!({ "model": "gpt-4o", "messages": [] });
    let function = json!({ "name": "get_weather", "description": "Get the weather of a city" });
    for (field, value) in [
        ("tools", json!([{ "type": "function", "function": function }])),
        ("functions", json!([function])),
        (
            "response_format",
            json!({ "type": "json_schema", "json_schema": { "name": "a", "schema": function } }),
        ),
    ] {
        let mut params = bare.clone();
        params[field] = value;
        assert!(input(&params) > input(&bare) + 5, "{field}");
    }
    let chat = tokens::chat(&json!({ "messages": [], "max_completion_tokens": 700 })).unwrap();
    assert_eq!(chat.amount(&Dimension::OutputTokens), 700);
    let completion = tokens::completion(&json!({ "prompt": "x", "max_tokens": 10, "best_of": 7 })).unwrap();
    assert_eq!(completion.amount(&Dimension::OutputTokens), 70);
}

/// 22: every chat model had the encoding of gpt-4, and embeddings had an older one.
#[test]
fn each_model_is_counted_in_its_own_encoding() {
    let text = "Съешь же ещё этих мягких французских булок, да выпей чаю. 今天天气很好，我们去公园散步。";
    let [old, embedding, new] =
        ["text-davinci-003", "text-embedding-3-small", "gpt-4o"].map(|model| tokens::count(model, text));
    assert!(old > embedding && embedding > new, "{old} {embedding} {new}");

    let cost = tokens::embedding(&json!({ "model": "text-embedding-3-small", "input": text })).unwrap();
    assert_eq!(cost.amount(&Dimension::Tokens), embedding);
    let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": text }] });
    assert_eq!(input(&params), 3 + 3 + 1 + new);
}

/// 25: the import downloaded the vocabularies. Here all four are compiled in.
#[test]
fn every_vocabulary_is_in_the_program() {
    for model in ["gpt-4o", "gpt-4", "text-davinci-003", "davinci"] {
        assert_eq!(tokens::count(model, "Hello, world!"), 4, "{model}");
    }
}

/// Limiters charge the same prices as the functions.
#[test]
fn a_limiter_takes_the_price_of_the_request() {
    let limiter = ChatRateLimiter::builder().tokens(Rate::per_minute(1_000_000)).build().unwrap();
    let params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello" }] });
    assert!(limiter.try_acquire(&params).is_ok());
    let error = limiter.try_acquire(&json!({ "model": "gpt-4o" })).unwrap_err();
    let problem = "cannot read `messages` of the params: the field is missing";
    assert_eq!(error.to_string(), format!("limiter `unnamed` cannot price the call: {problem}"));
    let limiter = EmbeddingRateLimiter::builder().tokens(Rate::per_minute(1_000_000)).build().unwrap();
    assert!(limiter.try_acquire(&json!({ "input": [1, 2, 3] })).is_ok());
}
