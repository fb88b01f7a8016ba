//! Runs the example `plan` with files of requests and limits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

/// Runs the example in a folder of its own with these files.
fn run(name: &str, files: &[(&str, &str)]) -> Output {
    let folder = env::temp_dir().join(format!("openlimit-plan-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    for (file, text) in files {
        fs::write(folder.join(file), text).unwrap();
    }
    // Examples are built beside the folder of this test.
    let example: PathBuf = env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples/plan");
    let arguments = files.iter().map(|(file, _)| file);
    let output =
        Command::new(example).args(arguments).current_dir(&folder).env("RUST_BACKTRACE", "0").output();
    fs::remove_dir_all(&folder).unwrap();
    output.unwrap()
}

const BODY: &str =
    r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 991}"#;

#[test]
fn bodies_and_rows_of_the_batch_api_are_planned() {
    let rows = format!("{BODY}\n\n{{\"custom_id\": \"a\", \"body\": {BODY}}}\n{BODY}");
    let limits = r#"{"requests": "60 / minute", "tokens": "60_000 / minute"}"#;
    let output = run("rows", &[("requests.jsonl", &rows), ("limits.json", limits)]);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(shown.starts_with("chat: 3 calls take 2.1"), "{shown}");
    assert!(shown.contains("60000 tokens / minute"), "{shown}");
}

#[test]
fn the_last_call_is_part_of_the_plot() {
    let rows = format!("{BODY}\n{BODY}");
    let output = run("last", &[("requests.jsonl", &rows), ("limits.json", r#"{"requests": "1 / minute"}"#)]);
    let shown = String::from_utf8(output.stdout).unwrap();
    let bars = shown.lines().find(|line| line.starts_with("1 requests / minute  █")).unwrap();
    assert!(bars.ends_with('█'), "{bars}");
}

#[test]
fn a_row_that_cannot_be_read_is_named_by_its_line() {
    let output = run("broken", &[("requests.jsonl", &format!("{BODY}\n{{"))]);
    assert!(!output.status.success());
    let shown = String::from_utf8(output.stderr).unwrap();
    assert!(shown.contains("requests.jsonl:2"), "{shown}");
}
