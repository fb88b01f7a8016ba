//! Gemini's replies: generated content, and its events.
//!
//! Each event of a stream states the usage so far.

use serde_json::{Value, json};

use super::request::ApiRequest;
use super::words::Words;

/// Returns the whole content.
pub(super) fn whole(request: &ApiRequest, words: &Words) -> Value {
    part(request, &words.text(), words.tokens, Some(words), true)
}

/// Returns the events of the content, as `alt=sse` asks for.
pub(super) fn stream(request: &ApiRequest, words: &Words) -> String {
    let event = |part: Value| format!("data: {part}\n\n");
    let mut events = String::new();
    for (output, piece) in (1..).zip(words.pieces()) {
        let last = (output == words.tokens).then_some(words);
        events += &event(part(request, piece, output, last, request.stream_usage));
    }
    events
}

/// Returns a piece of the content. `last` is there if it is the last one.
fn part(request: &ApiRequest, text: &str, output: u64, last: Option<&Words>, usage: bool) -> Value {
    let finish = last.map(|words| if words.cut { "MAX_TOKENS" } else { "STOP" });
    let content = json!({ "role": "model", "parts": [{ "text": text }] });
    let mut part = json!({
        "candidates": [{ "content": content, "finishReason": finish, "index": 0 }],
        "modelVersion": request.model,
    });
    if usage {
        part["usageMetadata"] = json!({
            "promptTokenCount": request.prompt,
            "cachedContentTokenCount": request.cached,
            "candidatesTokenCount": output,
            "totalTokenCount": request.prompt.saturating_add(output),
        });
    }
    part
}
