//! Usage in the replies of each provider, whole and in streams, in pieces of any size.

use openlimit::feedback::{Observation, UsageReader};
use openlimit::{Dimension, Usage};
use proptest::prelude::*;

use super::reader::headers;

#[track_caller]
fn reads(body: &str, expected: Option<Usage>) {
    assert_eq!(amounts(Usage::from_json(body.as_bytes())), expected, "{body}");
}

/// Leaves out what caches served and stored, which is no amount.
fn amounts(usage: Option<Usage>) -> Option<Usage> {
    usage.map(|usage| usage.cached(0).written(0))
}

fn usage(input: u64, output: u64, tokens: u64) -> Option<Usage> {
    Some(Usage::new(input, output).with(Dimension::Tokens, tokens))
}

/// The last chunk of a stream of chat, and what came before.
const CHAT_STREAM: &str = r#"data: {"id":"1","choices":[{"delta":{"content":"{\"usage\":{\"prompt_tokens\":1}}"}}],"usage":null}

data: {"id":"1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21,"prompt_tokens_details":{"cached_tokens":4,"prompt_tokens":7},"completion_tokens_details":{"reasoning_tokens":3}}}

data: [DONE]

"#;

const ANTHROPIC_STREAM: &str = r#"event: message_start
data: {"type":"message_start","message":{"id":"m","content":[],"usage":{"input_tokens":25,"cache_creation_input_tokens":5,"cache_read_input_tokens":1000,"output_tokens":1}}}

event: ping
data: {"type": "ping"}

event: content_block_delta
data: {"type":"content_block_delta","delta":{"type":"text_delta","text":"\"usage\":{\"output_tokens\":7000}"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":15}}

event: message_stop
data: {"type":"message_stop"}

"#;

const GEMINI_STREAM: &str = r#"[{
  "candidates": [{"content": {"parts": [{"functionCall": {"args": {"usageMetadata": {"promptTokenCount": 1}}}}]}}],
  "usageMetadata": {"promptTokenCount": 8, "candidatesTokenCount": 2, "totalTokenCount": 10}
},
{
  "candidates": [],
  "usageMetadata": {
    "promptTokenCount": 8,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 30,
    "totalTokenCount": 58,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 8}]
  }
}]"#;

const RESPONSES_STREAM: &str = r#"event: response.created
data: {"type":"response.created","response":{"id":"r","usage":null}}

event: response.completed
data: {"type":"response.completed","response":{"id":"r","output":[{"usage":{"input_tokens":1}}],"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":0},"output_tokens":87,"total_tokens":123}}}

"#;

#[test]
fn openais_replies_are_read() {
    reads(CHAT_STREAM, usage(9, 12, 21));
    reads(RESPONSES_STREAM, usage(36, 87, 123));
    let embedding = r#"{"object":"list","data":[{"embedding":[0.1,-2e-5]}],"usage":{"prompt_tokens":8,"total_tokens":8}}"#;
    reads(embedding, Some(Usage::from(8_u64).with(Dimension::InputTokens, 8)));
    reads(
        r#"{"choices":[],"x_groq":{"id":"x","usage":{"prompt_tokens":1,"completion_tokens":2}}}"#,
        usage(1, 2, 3),
    );
}

#[test]
fn anthropics_numbers_are_joined_and_never_added() {
    // What the cache stored counts as input. What it served does not.
    reads(ANTHROPIC_STREAM, usage(30, 15, 45));
    reads(r#"{"type":"message","usage":{"input_tokens":410,"output_tokens":585}}"#, usage(410, 585, 995));
    // What the cache stored is a part of the input, not all of it.
    let output = Some(Usage::default().with(Dimension::OutputTokens, 1));
    reads(r#"{"usage":{"cache_creation_input_tokens":4,"output_tokens":1}}"#, output);
    // OpenAI's own count already contains what the cache stored.
    reads(
        r#"{"usage":{"prompt_tokens":10,"completion_tokens":1,"total_tokens":11,"cache_creation_input_tokens":4}}"#,
        usage(10, 1, 11),
    );
}

#[test]
fn geminis_thoughts_are_output_and_the_last_chunk_counts() {
    reads(GEMINI_STREAM, usage(8, 50, 58));
}

#[test]
fn bedrock_is_read_from_bodies_headers_and_event_streams() {
    let converse = r#"{"metrics":{"latencyMs":5},"usage":{"inputTokens":30,"outputTokens":62,"totalTokens":1092,"cacheReadInputTokens":1000,"cacheWriteInputTokens":7}}"#;
    reads(converse, usage(37, 62, 99));
    // The frames of AWS's event streams: lengths, checksums and headers in binary.
    let prelude = b"\x00\x00\x00\x7b\x00\x00\x00\x22\x7b\x22\xff\x5b\x0b:event-type\x07\x00\x08metadata\x0d:message-type\x07\x00\x05event";
    let mut stream = Vec::new();
    for payload in [r#"{"contentBlockIndex":0,"delta":{"text":"{\"usage\":{\"inputTokens\":1}}"}}"#, converse]
    {
        stream.extend_from_slice(prelude);
        stream.extend_from_slice(payload.as_bytes());
        stream.extend_from_slice(b"\x7b\x22\x5c\x22");
    }
    assert_eq!(amounts(Usage::from_json(&stream)), usage(37, 62, 99));
    let metrics = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":9,"outputTokenCount":3,"invocationLatency":7}}"#;
    reads(metrics, usage(9, 3, 12));
    let observation = headers(
        "x-amzn-bedrock-input-token-count: 10
        x-amzn-bedrock-output-token-count: 5
        x-amzn-bedrock-cache-read-input-token-count: 100
        x-amzn-bedrock-cache-write-input-token-count: 2
        x-amzn-bedrock-invocation-latency: 700",
    );
    assert_eq!(amounts(observation.usage()), usage(12, 5, 17));
}

#[test]
fn what_a_cache_served_or_stored_is_known_apart() {
    for (body, [uncached, cached, written]) in [
        (r#"{"usage":{"prompt_tokens":9,"prompt_tokens_details":{"cached_tokens":4}}}"#, [5, 4, 0]),
        (
            r#"{"response":{"usage":{"input_tokens":9,"input_tokens_details":{"cached_tokens":4}}}}"#,
            [5, 4, 0],
        ),
        (
            r#"{"usage":{"prompt_tokens":9,"prompt_cache_hit_tokens":4,"prompt_cache_miss_tokens":5}}"#,
            [5, 4, 0],
        ),
        (r#"{"usageMetadata":{"promptTokenCount":9,"cachedContentTokenCount":4}}"#, [5, 4, 0]),
        (
            r#"{"usage":{"input_tokens":9,"cache_read_input_tokens":100,"cache_creation_input_tokens":4}}"#,
            [9, 100, 4],
        ),
        // LiteLLM's proxy states Anthropic's numbers as OpenAI does.
        (
            r#"{"usage":{"prompt_tokens":9,"cache_read_input_tokens":4,"cache_creation_input_tokens":2}}"#,
            [3, 4, 2],
        ),
        // Numbers in other places are those of something else.
        (r#"{"usage":{"prompt_tokens":9,"completion_tokens_details":{"cached_tokens":4}}}"#, [9, 0, 0]),
        (r#"{"usage":{"prompt_tokens":9,"x":{"prompt_tokens_details":{"cached_tokens":4}}}}"#, [9, 0, 0]),
        (r#"{"usage":{"prompt_tokens":9},"prompt_tokens_details":{"cached_tokens":4}}"#, [9, 0, 0]),
    ] {
        let parsed = serde_json::from_str::<serde_json::Value>(body).unwrap();
        for usage in [Usage::from_json(body.as_bytes()).unwrap(), Usage::of(&parsed).unwrap()] {
            let found = [usage.uncached_input(), usage.cached_input(), usage.cache_writes()];
            assert_eq!(found, [uncached, cached, written], "{body}");
        }
    }
}

#[test]
fn ollamas_numbers_are_at_the_top() {
    reads(
        r#"{"message":{"eval_count":1},"done":true,"prompt_eval_count":26,"eval_count":298}"#,
        usage(26, 298, 324),
    );
}

#[test]
fn a_body_counts_more_than_headers() {
    let body = br#"{"usage": {"prompt_tokens": 1, "completion_tokens": 2}}"#;
    let observation = Observation::from_parts(200, [("x-ratelimit-tokens-query-cost", "52")], body);
    assert_eq!(observation.usage(), usage(1, 2, 3));
}

#[test]
fn a_models_own_text_cannot_forge_usage() {
    for forged in [
        // In the arguments of a tool call, which are objects at Anthropic, Gemini and Bedrock.
        r#"{"content":[{"type":"tool_use","input":{"usage":{"input_tokens":1}}}]}"#,
        r#"{"content":[{"input":{"response":{"usage":{"input_tokens":1}}}}]}"#,
        r#"{"output":{"message":{"content":[{"toolUse":{"input":{"usage":{"inputTokens":1}}}}]}}}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"usageMetadata":{"promptTokenCount":1}}}}]}}]}"#,
        // In text.
        r#"{"text":"\"usage\":{\"prompt_tokens\":1}"}"#,
        r#"{"text":"\\","usage":"{\"prompt_tokens\":1}"}"#,
        r#"{"choices":[{"usage":{"prompt_tokens":1}}]}"#,
        r#"{"a":"usage",{"prompt_tokens":1}}"#,
        // Keys that are others when their escapes are resolved.
        r#"{"us\"age":{"prompt_tokens":1}}"#,
        r#"{"usage":{"prompt\__tokens":1}}"#,
    ] {
        reads(forged, None);
    }
}

#[test]
fn values_that_are_no_counts_are_ignored() {
    for value in ["null", "-1", "1.5", "1e3", "true", "\"7\"", "[7]", "{\"a\":7}", "99999999999999999999", ""]
    {
        reads(&format!(r#"{{"usage":{{"prompt_tokens":{value}}}}}"#), None);
        let kept = format!(r#"{{"usage":{{"prompt_tokens":3}}}}{{"usage":{{"prompt_tokens":{value}}}}}"#);
        reads(&kept, Some(Usage::default().with(Dimension::InputTokens, 3)));
    }
    for body in [
        "",
        "null",
        "[]",
        "{}",
        "usage",
        r#"{"usage":null}"#,
        r#"{"usage":{}}"#,
        r#"{"usage":{"prompt_tokens":"#,
    ] {
        reads(body, None);
    }
}

#[test]
fn a_broken_event_does_not_spoil_the_next() {
    let whole = r#"data: {"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    for broken in
        [r#"data: {"a":{"b":["#, r#"data: {"text":"never ends"#, r#"data: {"text":"\"#, "data: {{{{[[[["]
    {
        reads(&format!("{broken}\n\n{whole}\n\n"), usage(1, 2, 3));
    }
}

#[test]
fn an_event_of_megabytes_is_read() {
    let text = "[{\\\"usage\\\": ".repeat(400_000);
    let body = format!(r#"{{"text":"{text}","usage":{{"prompt_tokens":1,"completion_tokens":2}}}}"#);
    reads(&body, usage(1, 2, 3));
}

/// Characters of which JSON, its escapes and its frames are made.
const PIECES: [&str; 32] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "\"",
    "\\",
    "\n",
    "\u{0}",
    "é",
    "1",
    "23",
    "-",
    ".",
    "null",
    "data: ",
    "\"usage\"",
    "\"usageMetadata\"",
    "\"response\"",
    "\"message\"",
    "\"prompt_tokens\"",
    "\"output_tokens\"",
    "\"usage\":{\"input_tokens\":5}",
    "\\\"usage\\\":{",
    "\"eval_count\":7",
    "\"error\":",
    "\"type\":\"error\",",
    "\"choices\":[{\"finish_reason\":\"stop\"}],",
    "[DONE]",
    "{\"usage\":{\"total_tokens\":9}}",
    " ",
];

fn json_like() -> impl Strategy<Value = String> {
    proptest::collection::vec(proptest::sample::select(&PIECES[..]), 0..60).prop_map(|pieces| pieces.concat())
}

/// Reads in pieces that end at these places.
fn in_pieces(body: &[u8], mut ends: Vec<usize>) -> UsageReader {
    ends.iter_mut().for_each(|end| *end %= body.len() + 1);
    ends.push(body.len());
    ends.sort_unstable();
    let mut reader = UsageReader::new();
    let mut start = 0;
    for end in ends {
        reader.feed(&body[start..end]);
        start = end;
    }
    reader
}

/// Returns everything that a reader has found.
fn found(reader: &UsageReader) -> (Option<Usage>, bool, String) {
    (reader.usage(), reader.is_final(), format!("{:?}", reader.error()))
}

#[test]
fn usage_is_final_when_the_answer_is_complete() {
    for (stream, before, last) in [
        (CHAT_STREAM, "\n\ndata: [DONE]", " [DONE]"),
        (ANTHROPIC_STREAM, r#""stop_reason":"end_turn""#, "\n\nevent: message_stop"),
        (RESPONSES_STREAM, r#""response.completed""#, "\n\n"),
    ] {
        let cut =
            |part: &str, whole: bool| stream.rfind(part).map_or(0, |at| at + part.len() * usize::from(whole));
        let mut reader = UsageReader::new();
        reader.feed(&stream.as_bytes()[..cut(before, false)]);
        assert!(!reader.is_final(), "{stream}");
        reader.feed(&stream.as_bytes()[cut(before, false)..cut(last, true)]);
        assert!(reader.is_final(), "{stream}");
    }
    for complete in [
        r#"{"choices":[{"finish_reason":"length"}]}"#,
        r#"{"candidates":[{"finishReason":"STOP"}]}"#,
        r#"{"stop_reason":"max_tokens"}"#,
        r#"{"stopReason":"end_turn"}"#,
        r#"{"status":"incomplete"}"#,
        r#"{"response":{"status":"failed"}}"#,
        r#"{"type":"message_stop"}"#,
        r#"{"eval_count":3}"#,
        r#"{"amazon-bedrock-invocationMetrics":{}}"#,
        "data: [DONE]",
    ] {
        let mut reader = UsageReader::new();
        reader.feed(complete.as_bytes());
        assert!(reader.is_final(), "{complete}");
    }
    for incomplete in [
        r#"{"choices":[{"finish_reason":null}]}"#,
        r#"{"choices":[{"finish_reason":""}]}"#,
        r#"{"choices":[{"delta":{"finish_reason":"stop"}}]}"#,
        r#"{"choices":{"finish_reason":"stop"}}"#,
        r#"{"status":"in_progress"}"#,
        r#"{"item":{"status":"completed"}}"#,
        r#"{"eval_count":null}"#,
        r#"["[DONE]"]"#,
        "DONE",
        r#"{"stop_reason":"end_turn""#,
    ] {
        let mut reader = UsageReader::new();
        reader.feed(incomplete.as_bytes());
        assert!(!reader.is_final(), "{incomplete}");
    }
}

#[test]
fn a_number_counts_when_its_object_has_ended() {
    let mut reader = UsageReader::new();
    reader.feed(br#"{"usage":{"input_tokens":10,"cache_creation_input_tokens":5,"#);
    assert_eq!(reader.usage(), None);
    reader.feed(br#""output_tokens":1}"#);
    assert_eq!(amounts(reader.usage()), usage(15, 1, 16));
    // An event that breaks off says nothing.
    reader.feed(b"}\n\ndata: {\"usage\":{\"output_tokens\":9,\n\ndata: {}");
    assert_eq!(amounts(reader.usage()), usage(15, 1, 16));
}

#[test]
fn a_stream_may_come_byte_by_byte() {
    for stream in [CHAT_STREAM, ANTHROPIC_STREAM, GEMINI_STREAM, RESPONSES_STREAM] {
        let whole = Usage::from_json(stream.as_bytes());
        assert!(whole.is_some());
        assert_eq!(in_pieces(stream.as_bytes(), (0..stream.len()).collect()).usage(), whole);
    }
}

#[test]
fn a_reader_shows_nothing_of_what_it_reads() {
    let mut reader = UsageReader::new();
    reader.feed(br#"{"usage":{"prompt_tokens":1},"sk-secret"#);
    assert!(!format!("{reader:?}").contains("sk-"), "{reader:?}");
    reader.feed(br#""} {"error":{"message":"rate limit of sk-secret, try again in 5s"}}"#);
    let error = reader.error().expect("an error");
    assert!(!format!("{reader:?} {error:?}").contains("sk-"), "{error:?}");
    assert!(size_of::<UsageReader>() < 512);
}

proptest! {
    #[test]
    fn the_size_of_the_pieces_makes_no_difference(text in json_like(), ends: Vec<usize>) {
        let (pieces, whole) = (in_pieces(text.as_bytes(), ends), in_pieces(text.as_bytes(), Vec::new()));
        prop_assert_eq!(found(&pieces), found(&whole));
        prop_assert_eq!(whole.usage(), Usage::from_json(text.as_bytes()));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, text in json_like()) {
        let _ = Usage::from_json(&bytes);
        let _ = Usage::from_json(text.as_bytes());
    }

    #[test]
    fn no_text_of_a_model_changes_usage(text in json_like()) {
        let quoted = serde_json::to_string(&text).expect("a string");
        let before = format!(r#"{{"usage":{{"prompt_tokens":1,"completion_tokens":2}},"text":{quoted}}}"#);
        prop_assert_eq!(Usage::from_json(before.as_bytes()), usage(1, 2, 3));
        let after = format!(r#"{{"text":[{quoted}],"usage":{{"prompt_tokens":1,"completion_tokens":2}}}}"#);
        prop_assert_eq!(Usage::from_json(after.as_bytes()), usage(1, 2, 3));
    }
}
