//! Tests of what a limit on tokens is charged: the sum of prompt and output, or OpenAI's estimate.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{
    Charge, ChatRateLimiter, CompletionRateLimiter, Cost, Dimension, EmbeddingRateLimiter, Rate,
    ResponsesRateLimiter, limiter, tokens,
};
use serde_json::{Value, json};

limiter! {
    static CHAT: ChatRateLimiter = { tokens: 1_000_000 / minute, admission: Charge::OpenAi, default_output: 5 };
    static COMPLETION: CompletionRateLimiter = { tokens: 1_000_000 / minute, admission: Charge::OpenAi };
    static EMBEDDING: EmbeddingRateLimiter = { tokens: 1_000_000 / minute, admission: Charge::OpenAi };
    static RESPONSES: ResponsesRateLimiter = { tokens: 1_000_000 / minute, admission: Charge::OpenAi };
    static SUM: ChatRateLimiter = { tokens: 1_000_000 / minute, admission: Charge::Sum, default_output: 5 };
}

fn amounts(cost: &Cost) -> [u64; 3] {
    [Dimension::Tokens, Dimension::InputTokens, Dimension::OutputTokens].map(|part| cost.amount(&part))
}

fn chat(content: &str, fields: &Value) -> Value {
    let mut params = json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": content }] });
    params.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    params
}

#[test]
fn the_sum_is_the_default() {
    let params = chat("Why is the sky blue?", &json!({ "max_tokens": 100, "n": 2 }));
    let sum = SUM.cost(&params).unwrap();
    assert_eq!(amounts(&sum), [213, 13, 200]);
    assert_eq!(sum, tokens::chat(&params).unwrap());
    let limiter = ChatRateLimiter::builder().tokens(Rate::per_minute(40_000)).build().unwrap();
    assert_eq!(limiter.cost(&params).unwrap(), sum);
}

#[test]
fn the_estimate_is_a_quarter_of_the_characters_where_that_is_more_than_the_output() {
    // Four characters of the role, the frame of one message, and the start of the reply.
    let long = chat(&"é".repeat(4_001), &json!({ "max_tokens": 100 }));
    assert_eq!(CHAT.cost(&long).unwrap().amount(&Dimension::Tokens), 4_005_u64.div_ceil(4) + 3 + 3);
    let short = chat("Why is the sky blue?", &json!({ "max_tokens": 100, "n": 3 }));
    assert_eq!(amounts(&CHAT.cost(&short).unwrap()), [300, 13, 300]);
}

#[test]
fn a_default_output_stands_in_for_a_maximum_under_both_rules() {
    let params = chat("Hi", &json!({}));
    assert_eq!(amounts(&SUM.cost(&params).unwrap()), [8 + 5, 8, 5]);
    assert_eq!(amounts(&CHAT.cost(&params).unwrap()), [2 + 6, 8, 5]);
    let none = chat("Hi", &json!({ "max_tokens": 0 }));
    assert_eq!(amounts(&SUM.cost(&none).unwrap()), [8, 8, 0]);
}

#[test]
fn input_and_output_apart_are_the_same_under_both_rules() {
    let params = chat("Why is the sky blue?", &json!({ "max_tokens": 100, "n": 2 }));
    assert_eq!(amounts(&SUM.cost(&params).unwrap())[1..], amounts(&CHAT.cost(&params).unwrap())[1..]);
}

#[test]
fn every_kind_of_limiter_can_charge_as_openai_does() {
    let prompts =
        json!({ "prompt": ["a".repeat(400), "b".repeat(400)], "suffix": "c".repeat(40), "max_tokens": 10 });
    assert_eq!(COMPLETION.cost(&prompts).unwrap().amount(&Dimension::Tokens), 220);
    assert_eq!(
        COMPLETION.cost(&json!({ "prompt": [1, 2, 3], "max_tokens": 0 })).unwrap().amount(&Dimension::Tokens),
        3
    );
    let input = json!({ "model": "text-embedding-3-small", "input": "a".repeat(400) });
    assert_eq!(amounts(&EMBEDDING.cost(&input).unwrap()), [100, 50, 0]);
    let input = json!({ "model": "gpt-5", "input": "a".repeat(400), "max_output_tokens": 10 });
    assert_eq!(RESPONSES.cost(&input).unwrap().amount(&Dimension::Tokens), 3 + 4 + 100);
}
