//! Streams as the docs of the providers show them. Whatever the pieces, the same is settled.

use futures_util::{FutureExt, StreamExt, stream};
use proptest::prelude::*;

use super::{Account, RESERVED, Taken};

/// A stream, and what is taken after it.
pub(super) struct Recorded {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
    pub(super) taken: Taken,
    /// The last bytes of the event with the final usage.
    pub(super) settles_at: &'static [u8],
}

pub(super) const CHAT: &str = concat!(
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{"content":"\"usage\":{\"completion_tokens\":1}, \"finish_reason\":\"stop\"}"},"finish_reason":null}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}"#,
    "\n\n",
    r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"gpt-4o-mini","choices":[],"usage":{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"prompt_tokens_details":{"cached_tokens":0},"completion_tokens_details":{"reasoning_tokens":0}}}"#,
    "\n\ndata: [DONE]\n\n",
);

/// A server that states the usage so far in each event, as vLLM does on request.
pub(super) const CUMULATIVE: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"content":"A"},"finish_reason":null}],"usage":{"prompt_tokens":19,"completion_tokens":1,"total_tokens":20}}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{"content":"B"},"finish_reason":null}],"usage":{"prompt_tokens":19,"completion_tokens":2,"total_tokens":21}}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{"content":"C"},"finish_reason":"stop"}],"usage":{"prompt_tokens":19,"completion_tokens":3,"total_tokens":22}}"#,
    "\n\ndata: [DONE]\n\n",
);

pub(super) const ANTHROPIC: &str = concat!(
    "event: message_start\n",
    r#"data: {"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","content":[],"model":"claude","stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":472,"cache_creation_input_tokens":0,"cache_read_input_tokens":9000,"output_tokens":2}}}"#,
    "\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\n",
    "event: content_block_start\n",
    r#"data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"f","input":{"usage":{"output_tokens":7},"stop_reason":"end_turn","error":{"type":"overloaded_error"}}}}"#,
    "\n\nevent: content_block_delta\n",
    r#"data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"stop_reason\":\"end_turn\"}"}}"#,
    "\n\nevent: message_delta\n",
    r#"data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":89}}"#,
    "\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

pub(super) const RESPONSES: &str = concat!(
    "event: response.created\n",
    r#"data: {"type":"response.created","response":{"id":"resp_1","object":"response","status":"in_progress","error":null,"incomplete_details":null,"output":[],"usage":null}}"#,
    "\n\nevent: response.output_item.done\n",
    r#"data: {"type":"response.output_item.done","item":{"id":"m","type":"message","status":"completed","content":[{"type":"output_text","text":"\"status\":\"completed\""}]}}"#,
    "\n\nevent: response.completed\n",
    r#"data: {"type":"response.completed","response":{"id":"resp_1","object":"response","status":"completed","error":null,"output":[{"status":"completed","usage":{"output_tokens":1}}],"usage":{"input_tokens":37,"output_tokens":11,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":48}}}"#,
    "\n\n",
);

pub(super) const GEMINI: &str = concat!(
    r#"data: {"candidates": [{"content": {"parts": [{"text": "Once"}],"role": "model"}}],"usageMetadata": {"promptTokenCount": 8,"totalTokenCount": 9,"candidatesTokenCount": 1},"modelVersion": "gemini"}"#,
    "\r\n\r\n",
    r#"data: {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f", "args": {"finishReason": "STOP", "usageMetadata": {"candidatesTokenCount": 1}}}}],"role": "model"}}],"usageMetadata": {"promptTokenCount": 8,"totalTokenCount": 20,"candidatesTokenCount": 12}}"#,
    "\r\n\r\n",
    r#"data: {"candidates": [{"content": {"parts": [{"text": "."}],"role": "model"},"finishReason": "STOP"}],"usageMetadata": {"promptTokenCount": 8,"candidatesTokenCount": 20,"thoughtsTokenCount": 30,"totalTokenCount": 58}}"#,
    "\r\n\r\n",
);

const GEMINI_ARRAY: &str = r#"[{
  "candidates": [{"content": {"parts": [{"text": "Once"}], "role": "model"}}],
  "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 1, "totalTokenCount": 9}
}
,
{
  "candidates": [{"content": {"parts": [{"text": "."}], "role": "model"}, "finishReason": "MAX_TOKENS"}],
  "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 20, "totalTokenCount": 28}
}
]"#;

const OLLAMA: &str = concat!(
    r#"{"model":"llama3","message":{"role":"assistant","content":"The"},"done":false}"#,
    "\n",
    r#"{"model":"llama3","message":{"role":"assistant","content":""},"done":true,"prompt_eval_count":26,"eval_count":298}"#,
    "\n",
);

const GROQ: &str = concat!(
    r#"data: {"choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
    "\n\n",
    r#"data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"x_groq":{"id":"req_1","usage":{"queue_time":0.01,"prompt_tokens":18,"completion_tokens":5,"total_tokens":23}}}"#,
    "\n\ndata: [DONE]\n\n",
);

/// Bedrock's ConverseStream, in the frames of AWS's event streams.
fn bedrock() -> Vec<u8> {
    let prelude = b"\x00\x00\x00\x7b\x00\x00\x00\x22\x7b\x22\xff\x5b\x0b:event-type\x07\x00\x08metadata\x0d:content-type\x07\x00\x10application/json";
    let mut stream = Vec::new();
    for payload in [
        r#"{"contentBlockIndex":0,"delta":{"text":"{\"usage\":{\"outputTokens\":1}}"},"p":"abc"}"#,
        r#"{"stopReason":"end_turn","p":"abcdef"}"#,
        r#"{"metrics":{"latencyMs":571},"usage":{"inputTokens":30,"outputTokens":62,"totalTokens":92},"p":"ab"}"#,
    ] {
        stream.extend_from_slice(prelude);
        stream.extend_from_slice(payload.as_bytes());
        stream.extend_from_slice(b"\x7b\x22\x5c\x22");
    }
    stream
}

pub(super) fn all() -> Vec<Recorded> {
    let text = |name, text: &str, taken, settles_at: &'static str| Recorded {
        name,
        bytes: text.as_bytes().to_vec(),
        taken,
        settles_at: settles_at.as_bytes(),
    };
    vec![
        text("chat", CHAT, [19, 10, 29], r#""reasoning_tokens":0}}}"#),
        text("cumulative", CUMULATIVE, [19, 3, 22], r#""total_tokens":22}}"#),
        text("anthropic", ANTHROPIC, [472, 89, 561], r#""usage":{"output_tokens":89}}"#),
        text("responses", RESPONSES, [37, 11, 48], r#""total_tokens":48}}}"#),
        text("gemini", GEMINI, [8, 50, 58], r#""totalTokenCount": 58}}"#),
        text("gemini's array", GEMINI_ARRAY, [8, 20, 28], "\"totalTokenCount\": 28}\n}"),
        text("ollama", OLLAMA, [26, 298, 324], r#""eval_count":298}"#),
        text("groq", GROQ, [18, 5, 23], r#""total_tokens":23}}}"#),
        Recorded {
            name: "bedrock",
            bytes: bedrock(),
            taken: [30, 62, 92],
            settles_at: br#""totalTokens":92},"p":"ab"}"#,
        },
    ]
}

/// Reads a stream in pieces that end at these places, and returns what is taken then.
fn read_in_pieces(bytes: &[u8], mut ends: Vec<usize>) -> Taken {
    ends.iter_mut().for_each(|end| *end %= bytes.len() + 1);
    ends.extend([0, bytes.len()]);
    ends.sort_unstable();
    let pieces: Vec<_> = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]).collect();
    let account = Account::new();
    let wrapped = account.permit().wrap(stream::iter(pieces.clone()));
    let passed: Vec<_> = wrapped.collect().now_or_never().expect("it never waits");
    assert_eq!(passed, pieces);
    account.taken()
}

#[test]
fn each_providers_stream_is_settled() {
    for Recorded { name, bytes, taken, .. } in all() {
        assert_eq!(read_in_pieces(&bytes, Vec::new()), taken, "{name}");
    }
}

#[test]
fn a_stream_may_be_split_at_any_place() {
    for Recorded { name, bytes, taken, .. } in all() {
        for end in 0..bytes.len() {
            assert_eq!(read_in_pieces(&bytes, vec![end]), taken, "{name}, split at {end}");
        }
        assert_eq!(read_in_pieces(&bytes, (0..bytes.len()).collect()), taken, "{name}, byte by byte");
    }
}

#[test]
fn openais_stream_without_usage_keeps_its_reservation() {
    let bytes = CHAT.replace(r#","usage":null"#, "").into_bytes();
    let usage = String::from_utf8(bytes).expect("text");
    let without: String =
        usage.split_inclusive("\n\n").filter(|event| !event.contains("prompt_tokens\"")).collect();
    assert!(without.ends_with("data: [DONE]\n\n") && !without.contains(r#""usage":{"#));
    assert_eq!(read_in_pieces(without.as_bytes(), Vec::new()), RESERVED);
}

proptest! {
    #[test]
    fn the_pieces_make_no_difference(which: prop::sample::Index, ends: Vec<usize>) {
        let all = all();
        let Recorded { bytes, taken, .. } = which.get(&all);
        prop_assert_eq!(read_in_pieces(bytes, ends), *taken);
    }
}
