//! The events of OpenAI's streams. They are sent at once: in a slow stream, only the times of the
//! pieces differ.

use serde_json::{Value, json};

use super::request::ApiRequest;
use super::words::Words;

/// Returns the events of a chat. The usage comes last, with no choice, if it comes at all.
pub(super) fn chat(request: &ApiRequest, words: &Words, number: usize, created: u64) -> String {
    let event = |choices: Value, usage: Value| {
        let mut chunk = json!({
            "id": format!("chatcmpl-{number}"),
            "object": "chat.completion.chunk",
            "created": created,
            "model": request.model,
            "choices": choices,
        });
        if request.stream_usage {
            chunk["usage"] = usage;
        }
        format!("data: {chunk}\n\n")
    };
    let delta = |index: u64, delta: Value, finish: Option<&str>| {
        event(json!([{ "index": index, "delta": delta, "finish_reason": finish }]), Value::Null)
    };
    let mut events = String::new();
    for index in 0..request.answers {
        events += &delta(index, json!({ "role": "assistant", "content": "" }), None);
        events.extend(words.pieces().map(|piece| delta(index, json!({ "content": piece }), None)));
        events += &delta(index, json!({}), Some(words.finish()));
    }
    if request.stream_usage {
        events += &event(json!([]), words.usage(request));
    }
    events + "data: [DONE]\n\n"
}

/// Returns the events of a response. `response` is the whole one, which the last event repeats with
/// its usage.
pub(super) fn responses(request: &ApiRequest, response: &Value, words: &Words) -> String {
    let mut number = 0;
    let mut event = |kind: &str, mut data: Value| {
        data["type"] = Value::from(kind);
        data["sequence_number"] = Value::from(number);
        number += 1;
        format!("event: {kind}\ndata: {data}\n\n")
    };
    let mut begun = response.clone();
    begun["status"] = Value::from("in_progress");
    begun["output"] = json!([]);
    begun["usage"] = Value::Null;
    let mut done = response.clone();
    if !request.stream_usage {
        done["usage"] = Value::Null;
    }
    let mut events = event("response.created", json!({ "response": begun }));
    for piece in words.pieces() {
        let delta = json!({ "output_index": 0, "content_index": 0, "delta": piece });
        events += &event("response.output_text.delta", delta);
    }
    let last = if words.cut { "response.incomplete" } else { "response.completed" };
    events + &event(last, json!({ "response": done }))
}
