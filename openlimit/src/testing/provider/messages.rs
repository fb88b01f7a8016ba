//! Anthropic's replies: a message, and its events.
//!
//! A stream states the input first and the output last. What it says is the sum so far, and never
//! to be added up. The tokens that the cache serves are not part of `input_tokens`.

use serde_json::{Value, json};

use super::request::ApiRequest;
use super::words::Words;

/// Returns the whole message.
pub(super) fn whole(request: &ApiRequest, words: &Words, number: usize) -> Value {
    let mut message = message(request, number, words.total(request));
    message["content"] = json!([{ "type": "text", "text": words.text() }]);
    message["stop_reason"] = stop_reason(words).into();
    message
}

/// Returns the events of the message.
pub(super) fn stream(request: &ApiRequest, words: &Words, number: usize) -> String {
    let event = |kind: &str, mut data: Value| {
        data["type"] = Value::from(kind);
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let mut start = message(request, number, 1);
    let mut delta = json!({ "delta": { "stop_reason": stop_reason(words), "stop_sequence": null } });
    if request.stream_usage {
        delta["usage"] = json!({ "output_tokens": words.total(request) });
    } else {
        start["usage"] = Value::Null;
    }
    let block = json!({ "index": 0, "content_block": { "type": "text", "text": "" } });
    let mut events = event("message_start", json!({ "message": start }));
    events += &event("content_block_start", block);
    events += &event("ping", json!({}));
    for piece in words.pieces() {
        let delta = json!({ "index": 0, "delta": { "type": "text_delta", "text": piece } });
        events += &event("content_block_delta", delta);
    }
    events += &event("content_block_stop", json!({ "index": 0 }));
    events += &event("message_delta", delta);
    events + &event("message_stop", json!({}))
}

fn message(request: &ApiRequest, number: usize, output: u64) -> Value {
    json!({
        "id": format!("msg_{number}"),
        "type": "message",
        "role": "assistant",
        "model": request.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": request.prompt - request.cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": request.cached,
            "output_tokens": output,
        },
    })
}

fn stop_reason(words: &Words) -> &'static str {
    if words.cut { "max_tokens" } else { "end_turn" }
}
