//! `Answer`: the body of a successful reply.
//!
//! It has the shape of the real replies, so that any client can read it, and its `usage` is
//! correct. Here are OpenAI's. `stream`, `messages` and `content` have the others.

use serde_json::{Value, json};

use super::request::{ApiRequest, Vectors};
use super::route::Endpoint;
use super::words::Words;
use super::{content, messages, stream};

const JSON: &str = "application/json";

/// A successful reply.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) content_type: &'static str,
    pub(super) body: String,
}

impl Answer {
    /// Creates the answer to `request`. `number` is the call's number, for the reply's id, and
    /// `created` the date in seconds since 1970.
    pub(super) fn new(request: &ApiRequest, words: &Words, number: usize, created: u64) -> Self {
        let body = match request.endpoint {
            Endpoint::Chat if request.stream => stream::chat(request, words, number, created),
            Endpoint::Chat => chat(request, words, number, created).to_string(),
            Endpoint::Completion => completion(request, words, number, created).to_string(),
            Endpoint::Embedding => embedding(request),
            Endpoint::Responses => {
                let response = response(request, words, number, created);
                if request.stream {
                    stream::responses(request, &response, words)
                } else {
                    response.to_string()
                }
            }
            Endpoint::Messages if request.stream => messages::stream(request, words, number),
            Endpoint::Messages => messages::whole(request, words, number).to_string(),
            Endpoint::Content if request.stream => content::stream(request, words),
            Endpoint::Content => content::whole(request, words).to_string(),
        };
        let content_type = if request.stream { "text/event-stream" } else { JSON };
        Self { content_type, body }
    }

    /// Creates the answer to `GET /v1/models`.
    pub(super) fn models() -> Self {
        let models = ["gpt-4o", "gpt-4o-mini", "gpt-3.5-turbo-instruct", "text-embedding-3-small"];
        let models = models.map(
            |id| json!({ "id": id, "object": "model", "created": 1_715_367_049, "owned_by": "openlimit" }),
        );
        Self { content_type: JSON, body: json!({ "object": "list", "data": models }).to_string() }
    }
}

fn chat(request: &ApiRequest, words: &Words, number: usize, created: u64) -> Value {
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
        "created": created,
        "model": request.model,
        "choices": (0..request.answers).map(choice).collect::<Vec<_>>(),
        "usage": words.usage(request),
    })
}

fn completion(request: &ApiRequest, words: &Words, number: usize, created: u64) -> Value {
    let text = words.text();
    let choice =
        |index| json!({ "index": index, "text": text, "logprobs": null, "finish_reason": words.finish() });
    json!({
        "id": format!("cmpl-{number}"),
        "object": "text_completion",
        "created": created,
        "model": request.model,
        "choices": (0..request.answers).map(choice).collect::<Vec<_>>(),
        "usage": words.usage(request),
    })
}

fn response(request: &ApiRequest, words: &Words, number: usize, created: u64) -> Value {
    let (input, output) = (request.prompt, words.total(request));
    let status = if words.cut { "incomplete" } else { "completed" };
    let incomplete = words.cut.then(|| json!({ "reason": "max_output_tokens" }));
    json!({
        "id": format!("resp_{number}"),
        "object": "response",
        "created_at": created,
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
            "input_tokens_details": { "cached_tokens": request.cached },
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
    let (model, prompt) = (Value::from(request.model.as_str()), request.prompt);
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
}
