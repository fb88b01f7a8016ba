//! `Answer`: the body of a successful reply.
//!
//! It has the shape of OpenAI's replies, so that any client can read it, and its `usage` is
//! correct. The text is a sentence repeated to the wanted length.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::request::{ApiRequest, Endpoint, Vectors};

/// The text of every answer, repeated. Each piece is one token in every encoding of OpenAI, so a
/// text of `n` pieces has `n` tokens.
const PIECES: [&str; 12] =
    [" It", " is", " a", " truth", " as", " long", " as", " it", " was", " asked", " to", " be"];

const JSON: &str = "application/json";

/// A successful reply.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: &'static str,
    pub(super) body: String,
    /// The tokens of the prompt and of all choices.
    pub(super) used: u64,
}

impl Answer {
    /// Creates the answer to `request` with `length` tokens, or fewer if its maximum is lower.
    /// `number` is the call's number, for the reply's id.
    pub(super) fn new(request: &ApiRequest, number: usize, length: u64) -> Self {
        let words = Words::new(request, length);
        let body = match request.endpoint {
            Endpoint::Chat if request.stream => stream(request, number, &words),
            Endpoint::Chat => chat(request, number, &words).to_string(),
            Endpoint::Completion => completion(request, number, &words).to_string(),
            Endpoint::Embedding => embedding(request),
            Endpoint::Responses => response(request, number, &words).to_string(),
        };
        let content_type = if request.stream { "text/event-stream" } else { JSON };
        Self { content_type, body, used: request.prompt_tokens().saturating_add(words.total(request)) }
    }

    /// Creates the answer to `GET /v1/models`.
    pub(super) fn models() -> Self {
        let models = ["gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo-instruct", "text-embedding-3-small"];
        let models = models.map(
            |id| json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "openlimit" }),
        );
        Self { content_type: JSON, body: json!({ "object": "list", "data": models }).to_string(), used: 0 }
    }
}

/// The text of each choice.
struct Words {
    /// Its length.
    tokens: u64,
    /// Whether the request's maximum cut it short.
    cut: bool,
}

impl Words {
    fn new(request: &ApiRequest, length: u64) -> Self {
        let length = if request.endpoint == Endpoint::Embedding { 0 } else { length };
        let tokens = request.most.map_or(length, |most| most.min(length));
        Self { tokens, cut: tokens < length }
    }

    fn pieces(&self) -> impl Iterator<Item = &'static str> {
        let count = usize::try_from(self.tokens).unwrap_or(usize::MAX);
        let pieces = PIECES.into_iter().cycle().take(count);
        pieces.enumerate().map(|(index, piece)| if index == 0 { piece.trim_start() } else { piece })
    }

    fn text(&self) -> String {
        self.pieces().collect()
    }

    fn finish(&self) -> &'static str {
        if self.cut { "length" } else { "stop" }
    }

    fn total(&self, request: &ApiRequest) -> u64 {
        self.tokens.saturating_mul(request.answers)
    }

    fn usage(&self, request: &ApiRequest) -> Value {
        let (prompt, completion) = (request.prompt_tokens(), self.total(request));
        json!({
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt.saturating_add(completion),
            "prompt_tokens_details": { "cached_tokens": 0, "audio_tokens": 0 },
            "completion_tokens_details": { "reasoning_tokens": 0, "audio_tokens": 0 },
        })
    }
}

fn chat(request: &ApiRequest, number: usize, words: &Words) -> Value {
    let text = words.text();
    let choice = |index| {
        json!({
            "index": index,
            "message": { "role": "assistant", "content": text, "refusal": null },
            "logprobs": null,
            "finish_reason": words.finish(),
        })
    };
    json!({
        "id": format!("chatcmpl-{number}"),
        "object": "chat.completion",
        "created": unix_time(),
        "model": request.model,
        "choices": (0..request.answers).map(choice).collect::<Vec<_>>(),
        "usage": words.usage(request),
    })
}

/// Returns the events of a whole stream. They are sent at once: in a slow stream, only the times of
/// the pieces differ.
fn stream(request: &ApiRequest, number: usize, words: &Words) -> String {
    let created = unix_time();
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

fn completion(request: &ApiRequest, number: usize, words: &Words) -> Value {
    let text = words.text();
    let choice =
        |index| json!({ "index": index, "text": text, "logprobs": null, "finish_reason": words.finish() });
    json!({
        "id": format!("cmpl-{number}"),
        "object": "text_completion",
        "created": unix_time(),
        "model": request.model,
        "choices": (0..request.answers).map(choice).collect::<Vec<_>>(),
        "usage": words.usage(request),
    })
}

fn response(request: &ApiRequest, number: usize, words: &Words) -> Value {
    let (input, output) = (request.prompt_tokens(), words.total(request));
    let status = if words.cut { "incomplete" } else { "completed" };
    let incomplete = words.cut.then(|| json!({ "reason": "max_output_tokens" }));
    json!({
        "id": format!("resp_{number}"),
        "object": "response",
        "created_at": unix_time(),
        "status": status,
        "error": null,
        "incomplete_details": incomplete,
        "model": request.model,
        "output": [{
            "type": "message",
            "id": format!("msg_{number}"),
            "status": status,
            "role": "assistant",
            "content": [{ "type": "output_text", "text": words.text(), "annotations": [] }],
        }],
        "parallel_tool_calls": true,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": input,
            "input_tokens_details": { "cached_tokens": 0 },
            "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": input.saturating_add(output),
        },
    })
}

/// Returns the reply to an embeddings request. It is written by hand, since a `Value` for each of
/// thousands of numbers would cost more than everything else.
fn embedding(request: &ApiRequest) -> String {
    let vector = unit_vector(request.vectors);
    let entry = |index| format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#);
    let data = (0..request.answers).map(entry).collect::<Vec<_>>().join(",");
    let (model, prompt) = (Value::from(request.model.as_str()), request.prompt_tokens());
    format!(
        r#"{{"object":"list","data":[{data}],"model":{model},"usage":{{"prompt_tokens":{prompt},"total_tokens":{prompt}}}}}"#
    )
}

/// Returns a vector of a one followed by zeros, in JSON.
fn unit_vector(Vectors { dimensions, base64 }: Vectors) -> String {
    let zeros = dimensions.saturating_sub(1);
    if !base64 {
        return format!("[1.0{}]", ",0.0".repeat(zeros));
    }
    // As a little-endian f32, a one is the bytes 00 00 80 3f: in base64 "AACAPw", whose last letter
    // also holds the first bits of the next zero. Zeros are all "A".
    let letters = (dimensions * 4 * 8).div_ceil(6);
    let text = format!("AACAPw{}", "A".repeat(letters.saturating_sub(6)));
    format!("\"{text}{}\"", "=".repeat((4 - letters % 4) % 4))
}

fn unix_time() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_in_base64_have_the_length_that_was_asked_for() {
        let text = |dimensions| unit_vector(Vectors { dimensions, base64: true });
        assert_eq!(text(1), "\"AACAPw==\"");
        assert_eq!(text(2), "\"AACAPwAAAAA=\"");
        assert_eq!(text(3), "\"AACAPwAAAAAAAAAA\"");
        assert_eq!(unit_vector(Vectors { dimensions: 2, base64: false }), "[1.0,0.0]");
    }

    #[test]
    fn every_piece_of_an_answer_is_one_token() {
        for model in ["gpt-4o", "gpt-4"] {
            for pieces in [1, 12, 13, 30] {
                let text = Words { tokens: pieces, cut: false }.text();
                assert_eq!(crate::tokens::count(model, &text), pieces, "{text:?}");
            }
        }
    }
}
