//! Tests of unknown fields: text counts as text, and only bytes count as a file.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Dimension, tokens};
use serde_json::{Value, json};

/// Returns what an item adds to a response.
fn item(item: Value) -> u64 {
    let with = |items: Value| {
        let params = json!({ "model": "gpt-5", "input": items });
        tokens::responses(&params).unwrap().amount(&Dimension::InputTokens)
    };
    with(json!([item])) - with(json!([]))
}

pub(crate) fn count(text: &str) -> u64 {
    tokens::count("gpt-5", text)
}

/// Returns bytes without a known header, as base64.
pub(crate) fn base64(length: usize) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |at: usize| char::from(DIGITS[(at.wrapping_mul(0x9e37_79b9) >> 7) % 64]);
    (0..length).map(digit).collect()
}

fn in_lines(text: &str, length: usize, end: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(length).map(|line| str::from_utf8(line).unwrap()).collect();
    lines.join(end)
}

/// Returns long texts, most of them without spaces and periods.
fn texts() -> Vec<String> {
    let numbers = (10_000..30_000).map(|number| format!("{number}\n")).collect();
    let words = ["apple", "Pear", "fig", "Quince7", "medlar"].join("\n");
    vec![
        numbers,
        format!("{words}\n").repeat(2_000),
        "1415926535897932384626433".repeat(500),
        in_lines(&"0123456789abcdef".repeat(1_000), 64, "\n"),
        "a_name_that_never_ends_".repeat(500),
        "key=Value1".repeat(500),
        "data:,It+was+a+dark+and+stormy+night".repeat(500),
        format!("data:,{}", "It was a dark and stormy night. ".repeat(500)),
        format!("data:text/plain;base64,{}", "It was a dark and stormy night. ".repeat(500)),
        format!("data:text/plain;base64,{}", format!("{words}\n").repeat(500)),
        format!("data: {}", base64(5_000)),
        format!("{} {}", base64(5_000), base64(5_000)),
    ]
}

#[test]
fn a_long_text_is_never_taken_for_a_file() {
    for text in texts() {
        for unknown in
            [json!({ "note": text }), json!({ "notes": [{ "note": text }] }), json!({ "result": text })]
        {
            assert!(item(unknown) >= count(&text), "{text:.60}");
        }
    }
}

#[test]
fn what_is_known_to_be_text_is_never_taken_for_a_file() {
    for text in texts().into_iter().chain([base64(5_000), format!("data:;base64,{}", base64(5_000))]) {
        for known in [
            json!({ "type": "code_interpreter_call", "code": text }),
            json!({ "type": "code_interpreter_call", "outputs": [{ "type": "logs", "logs": text }] }),
            json!({ "type": "file_search_call", "queries": [text] }),
            json!({ "type": "file_search_call", "queries": ["x"], "results": [{ "text": text, "score": 1 }] }),
            json!({ "type": "shell_call_output", "output": [{ "stdout": text, "stderr": "" }] }),
            json!({ "role": "assistant", "content": "x", "reasoning_content": text }),
            json!({ "role": "assistant", "content": "x", "reasoning": [{ "text": text }] }),
        ] {
            assert!(item(known) >= count(&text), "{text:.60}");
        }
    }
}

#[test]
fn bytes_count_as_a_file_with_any_line_breaks() {
    let long = base64(500_000);
    for bytes in [
        long.clone(),
        long.clone() + "==",
        long.clone() + "\n",
        long.replace('+', "-").replace('/', "_"),
        in_lines(&long, 76, "\r\n"),
        in_lines(&long, 64, "\n") + "=\n",
        format!("data:image/png;base64,{long}"),
        format!("DATA:application/x;charset=x;BASE64,{}", in_lines(&long, 60, "\n")),
        "data:image/png;base64,AAAA".to_owned(),
    ] {
        let cost = item(json!({ "note": bytes }));
        assert!((1_000..2_500).contains(&cost), "{bytes:.60}: {cost}");
    }
}

/// A short text may be a word. It costs less than a file.
#[test]
fn a_short_text_of_the_letters_of_base64_is_text() {
    let text = base64(1_000);
    assert_eq!(item(json!({ "note": text })), item(json!({ "note": "" })) + count(&text));
}
