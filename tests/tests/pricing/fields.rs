//! Tests of the fields of a request itself: those that only the API reads count nothing, and
//! unknown ones count as their text. Unknown fields at any depth are listed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Cost, Dimension, ParamsError, kind, tokens};
use serde_json::{Value, json};

use super::unknown::{base64, count};

type Price = fn(&Value) -> Result<Cost, ParamsError>;

fn input(price: Price, params: &Value) -> u64 {
    price(params).unwrap().amount(&Dimension::InputTokens)
}

/// Returns `params` with the fields of `more`.
fn with(params: &Value, more: &Value) -> Value {
    let mut params = params.clone();
    params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    params
}

/// The least request of each kind.
fn least() -> [(Price, Value); 4] {
    [
        (tokens::chat, json!({ "model": "gpt-5", "messages": [{ "role": "user", "content": "Why?" }] })),
        (tokens::completion, json!({ "model": "gpt-3.5-turbo-instruct", "prompt": "Why?" })),
        (tokens::embedding, json!({ "model": "text-embedding-3-small", "input": "Why?" })),
        (tokens::responses, json!({ "model": "gpt-5", "input": "Why?" })),
    ]
}

/// All settings that OpenAI's specification names, in the order of `least`.
fn settings() -> [Value; 4] {
    let moderation = json!({ "model": "omni-moderation-latest", "policy": { "input": { "mode": "block" } } });
    let metadata = json!({ "customer": "a very important customer of ours" });
    [
        json!({
            "audio": { "voice": "alloy", "format": "wav" },
            "frequency_penalty": 0.5,
            "function_call": { "name": "get_weather" },
            "logit_bias": { "50256": -100 },
            "logprobs": true,
            "metadata": metadata,
            "modalities": ["text", "audio"],
            "moderation": moderation,
            "parallel_tool_calls": true,
            "presence_penalty": 0.5,
            "prompt_cache_key": "conversation-12345678",
            "prompt_cache_options": { "mode": "explicit", "ttl": "30m" },
            "prompt_cache_retention": "24h",
            "reasoning_effort": "high",
            "safety_identifier": "d41d8cd98f00b204e9800998ecf8427e",
            "seed": 123_456_789,
            "service_tier": "flex",
            "stop": ["the end", "and so on"],
            "store": true,
            "stream": true,
            "stream_options": { "include_usage": true },
            "temperature": 0.5,
            "tool_choice": { "type": "function", "function": { "name": "get_weather" } },
            "top_logprobs": 20,
            "top_p": 0.5,
            "user": "user-12345678",
            "verbosity": "low",
        }),
        json!({
            "echo": true,
            "frequency_penalty": 0.5,
            "logit_bias": { "50256": -100 },
            "logprobs": 5,
            "presence_penalty": 0.5,
            "seed": 123_456_789,
            "stop": "the end",
            "stream": true,
            "stream_options": { "include_usage": true },
            "temperature": 0.5,
            "top_p": 0.5,
            "user": "user-12345678",
        }),
        json!({ "dimensions": 256, "encoding_format": "base64", "user": "user-12345678" }),
        json!({
            "background": true,
            "context_management": [{ "type": "compaction", "compact_threshold": 100_000 }],
            "conversation": "conv_12345678",
            "include": ["reasoning.encrypted_content"],
            "max_tool_calls": 3,
            "metadata": metadata,
            "moderation": moderation,
            "parallel_tool_calls": true,
            "previous_response_id": "resp_12345678",
            "prompt_cache_key": "conversation-12345678",
            "prompt_cache_options": { "mode": "explicit", "ttl": "30m" },
            "prompt_cache_retention": "24h",
            "reasoning": { "effort": "high", "summary": "auto" },
            "safety_identifier": "d41d8cd98f00b204e9800998ecf8427e",
            "service_tier": "flex",
            "store": true,
            "stream": true,
            "stream_options": { "include_obfuscation": false },
            "temperature": 0.5,
            "tool_choice": { "type": "function", "name": "get_weather" },
            "top_logprobs": 20,
            "top_p": 0.5,
            "truncation": "auto",
            "user": "user-12345678",
        }),
    ]
}

#[test]
fn the_settings_of_a_request_cost_nothing() {
    for ((price, params), settings) in least().into_iter().zip(settings()) {
        assert_eq!(price(&with(&params, &settings)), price(&params), "{params}");
    }
}

#[test]
fn an_unknown_field_of_a_request_counts_as_its_text() {
    let text = "It was a dark and stormy night. ".repeat(100);
    for (price, params) in least() {
        let model = params["model"].as_str().unwrap();
        let added = |more: Value| input(price, &with(&params, &more)) - input(price, &params);
        assert_eq!(added(json!({ "system": text })), tokens::count(model, &text), "{params}");
        assert!(added(json!({ "system": [{ "type": "text", "text": text }] })) > tokens::count(model, &text));
        assert_eq!(added(json!({ "top_k": 40, "think": true, "nothing": null })), 2);
        let file = added(json!({ "attachment": base64(500_000) }));
        assert!((600..40_000).contains(&file), "{file}");
    }
}

/// The request of genai 0.5, and one of Anthropic's Messages.
#[test]
fn the_requests_of_other_clients_cost_at_least_their_texts() {
    let text = "It was a dark and stormy night. ".repeat(100);
    let part = json!({ "Text": text });
    let tool =
        json!({ "name": "search", "description": text, "schema": { "type": "object", "title": text } });
    let genai = json!({
        "model": "gpt-5",
        "system": text,
        "messages": [{ "role": "User", "content": { "parts": [part] }, "options": null }],
        "tools": [tool],
    });
    let anthropic = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 100,
        "system": [{ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }],
        "messages": [{ "role": "user", "content": [{ "type": "text", "text": text }] }],
        "tools": [{ "name": "search", "description": text, "input_schema": { "type": "object", "title": text } }],
    });
    for request in [genai, anthropic] {
        let each = tokens::count(request["model"].as_str().unwrap(), &text);
        let cost = input(tokens::chat, &request);
        assert!((4 * each..4 * each + 200).contains(&cost), "{cost} for 4 * {each}");
    }
}

/// The provider counts the tokens of a prediction that are not in the reply as output.
#[test]
fn a_prediction_counts_as_its_text() {
    let [(price, params), ..] = least();
    let text = "fn main() {}\n".repeat(50);
    for content in [json!(text), json!([{ "type": "text", "text": text }])] {
        let request = with(&params, &json!({ "prediction": { "type": "content", "content": content } }));
        assert_eq!(input(price, &request), input(price, &params) + count(&text));
        assert!(tokens::unknown_fields::<kind::Chat>(&request).unwrap().is_empty());
    }
}

#[test]
fn unknown_fields_are_listed_by_their_paths() {
    let request = json!({
        "messages": [
            { "role": "user", "content": "Hi", "lang": "en", "thinking": "So", "nothing": null, "n": 1, "on": true },
            { "role": { "is": "user" }, "content": [
                { "type": "text", "text": "Hi" },
                { "type": "text", "text": "Hi", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
            ] },
            { "role": "assistant", "tool_calls": [{ "function": { "name": "f", "id": 1, "strict": [] } }] },
        ],
        "model": "gpt-4o",
        "stop_sequences": ["a", ["b"]],
        "system": [{ "type": "text", "text": "Be brief." }],
        "temperature": 0.5,
        "tools": [{ "name": "f", "input_schema": { "type": "object" } }, { "type": "web_search", "filters": { "a": 1 } }],
        "top_k": null,
    });
    let unknown = tokens::unknown_fields::<kind::Chat>(&request).unwrap();
    let expected = [
        "messages[0].lang",
        "messages[0].n",
        "messages[0].on",
        "messages[0].thinking",
        "messages[1].content[1].cache_control",
        "messages[1].role.is",
        "messages[2].tool_calls[0].function.strict",
        "stop_sequences",
        "system",
        "tools[0].input_schema",
    ];
    let sorted = std::collections::BTreeSet::from_iter(unknown.iter().map(String::as_str));
    assert_eq!(sorted, std::collections::BTreeSet::from(expected));
    assert_eq!(unknown.len(), expected.len());
}

#[test]
fn a_request_without_a_price_has_no_unknown_fields_but_an_error() {
    let params = json!({ "system": "Be brief." });
    assert_eq!(tokens::unknown_fields::<kind::Chat>(&params), Err(tokens::chat(&params).unwrap_err()));
}

#[test]
fn the_documented_requests_have_no_unknown_fields() {
    let [chat, completion, embedding, responses] = least();
    let [of_chat, of_completion, of_embedding, of_responses] = settings();
    for (unknown, (_, params), settings) in [
        (tokens::unknown_fields::<kind::Chat> as fn(&Value) -> _, chat, of_chat),
        (tokens::unknown_fields::<kind::Completion>, completion, of_completion),
        (tokens::unknown_fields::<kind::Embedding>, embedding, of_embedding),
        (tokens::unknown_fields::<kind::Responses>, responses, of_responses),
    ] {
        assert_eq!(unknown(&with(&params, &settings)), Ok(Vec::new()));
    }
}

/// Otherwise a name that is repeated in many paths would take much more memory than the request.
#[test]
fn a_path_shows_the_start_of_a_long_name() {
    let name = "é".repeat(10_000);
    let values = vec![json!([1]); 100];
    let properties = json!({ name: { "enum": values } });
    let request = json!({ "messages": [], "tools": [{ "parameters": { "properties": properties } }] });
    let unknown = tokens::unknown_fields::<kind::Chat>(&request).unwrap();
    let start = "é".repeat(100);
    assert_eq!(unknown.len(), 100);
    assert_eq!(unknown[99], format!("tools[0].parameters.properties.{start}.enum[99][0]"));
}
