//! Errors in a stream that began with status 200 are refusals.

use futures_util::{FutureExt, StreamExt, stream};
use serde_json::Value;

use super::recorded::{ANTHROPIC, CUMULATIVE};
use super::{Account, RESERVED};

/// An event, and whether it holds the limiter.
const ERRORS: [(&str, &str, bool); 11] = [
    ("Anthropic", r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#, true),
    (
        "Anthropic, of its own",
        r#"{"type":"error","error":{"type":"api_error","message":"Internal server error"}}"#,
        false,
    ),
    (
        "OpenAI",
        r#"{"error":{"message":"Rate limit reached for gpt-4o. Please try again in 1.2s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}"#,
        true,
    ),
    (
        "OpenAI, of its own",
        r#"{"error":{"message":"The server had an error","type":"server_error","code":null}}"#,
        false,
    ),
    (
        "Responses",
        r#"{"type":"error","code":"rate_limit_exceeded","message":"Rate limit reached. Please try again in 20s.","param":null,"sequence_number":3}"#,
        true,
    ),
    (
        "Responses, failed",
        r#"{"type":"response.failed","response":{"id":"resp_1","status":"failed","error":{"code":"rate_limit_exceeded","message":"Rate limit reached"},"usage":null}}"#,
        true,
    ),
    (
        "Gemini",
        r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"10s"}]}}"#,
        true,
    ),
    (
        "Gemini, overloaded",
        r#"{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}"#,
        true,
    ),
    (
        "OpenRouter",
        r#"{"id":"gen-1","provider":"x","error":{"code":429,"message":"Rate limit exceeded"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}]}"#,
        true,
    ),
    ("Ollama", r#"{"error":"an error was encountered while running the model"}"#, false),
    ("a sentence", r#"{"error":"Rate limit exceeded, please try again in 5s"}"#, true),
];

/// Reads a stream that breaks off with this event.
fn read(events: impl IntoIterator<Item = String>) -> Account {
    let account = Account::new();
    let wrapped = account.permit().wrap(stream::iter(events));
    wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
    account
}

#[test]
fn an_error_in_a_stream_holds_the_limiter_and_keeps_the_charge() {
    for (name, error, holds) in ERRORS {
        let before = r#"data: {"choices":[{"delta":{"content":"Hi"},"finish_reason":null}]}"#;
        let account = read([format!("{before}\n\n"), format!("event: error\ndata: {error}\n\n")]);
        assert_eq!(account.is_held(), holds, "{name}");
        assert_eq!(account.taken(), RESERVED, "{name}");
    }
}

#[test]
fn an_error_is_read_in_pieces_and_in_a_list() {
    for (name, error, holds) in ERRORS {
        let bytes = format!("data: {error}\n\n");
        let account = read(bytes.chars().map(String::from));
        assert_eq!(account.is_held(), holds, "{name}");
        let account = read([format!("[{{\"candidates\": []}},\n{error}]")]);
        assert_eq!(account.is_held(), holds, "{name}");
    }
}

#[test]
fn an_error_in_a_parsed_event_is_the_same() {
    for (name, error, holds) in ERRORS {
        let event: Value = serde_json::from_str(error).expect("JSON");
        // A map of serde_json sorts its keys, so `code` comes before `type`.
        let account = Account::new();
        let wrapped = account.permit().wrap_items(stream::iter([event]));
        wrapped.for_each(async |_| {}).now_or_never().expect("it never waits");
        assert_eq!(account.is_held(), holds, "{name}");
        assert_eq!(account.taken(), RESERVED, "{name}");
    }
}

#[test]
fn input_that_was_settled_before_the_error_stays_settled() {
    let start = ANTHROPIC.split_inclusive("\n\n").next().expect("an event").to_owned();
    let account = read([start, format!("data: {}\n\n", ERRORS[0].1)]);
    assert!(account.is_held());
    assert_eq!(account.taken(), [472, 600, 1_000]);
    let first = CUMULATIVE.split_inclusive("\n\n").next().expect("an event").to_owned();
    let account = read([first, format!("data: {}\n\n", ERRORS[3].1)]);
    assert!(!account.is_held());
    assert_eq!(account.taken(), [19, 600, 1_000]);
}

#[test]
fn what_was_stated_before_an_error_is_settled_whatever_the_pieces() {
    let start = ANTHROPIC.split_inclusive("\n\n").next().expect("an event");
    for (name, error, _) in ERRORS {
        let error = format!("data: {error}\n\n");
        for (stream, taken) in [
            (format!("{start}{error}"), [472, 600, 1_000]),
            (format!("{CUMULATIVE}{error}"), [19, 3, 22]),
            // What follows an error does not count.
            (format!("{error}{CUMULATIVE}"), RESERVED),
            (format!("{start}{error}{ANTHROPIC}"), [472, 600, 1_000]),
        ] {
            for size in [1, 7, stream.len()] {
                let pieces = stream.as_bytes().chunks(size);
                let account = read(pieces.map(|piece| String::from_utf8_lossy(piece).into_owned()));
                assert_eq!(account.taken(), taken, "{name}, in pieces of {size} bytes: {stream}");
            }
        }
    }
}

#[test]
fn an_empty_error_says_nothing() {
    for empty in ["null", "false", "\"\"", "{}", " null "] {
        let last = format!(
            r#"data: {{"error":{empty},"choices":[{{"finish_reason":"stop"}}],"usage":{{"prompt_tokens":19,"completion_tokens":10}}}}"#
        );
        let account = read([last]);
        assert_eq!(account.taken(), [19, 10, 29], "{empty}");
    }
}

#[test]
fn an_error_of_megabytes_is_still_an_error() {
    let message = "Rate limit reached. Please try again in 20s. ".repeat(100_000);
    let error = format!(r#"data: {{"error":{{"code":"rate_limit_exceeded","message":"{message}"}}}}"#);
    let account =
        read(error.as_bytes().chunks(1_000).map(|piece| String::from_utf8_lossy(piece).into_owned()));
    assert!(account.is_held());
}
