//! Counting tokens: this library's counter beside others, in one run of about a minute.
//!
//! *Unseen* text is counted once, by a thread that has counted other text of the same kind; *repeated* text is counted
//! over and over, which for this library means that it is remembered. `cargo bench --bench counting` prints everything,
//! and with some words after `--` only the parts whose names have one of them. BENCHMARKS.md has the results.

#![allow(missing_docs, clippy::unwrap_used)]

mod cold;
mod counters;
mod race;
mod requests;
mod texts;

use std::hint::black_box;

use openlimit::tokens::Encoding;

use self::counters::{ENCODINGS, count};
use self::race::{heading, race, speeds, time, time_each};
use self::texts::{Random, kinds, prose};

type Part = (&'static str, fn(Encoding));

const PARTS: [Part; 6] = [
    ("unseen", unseen),
    ("repeated", repeated),
    ("requests", requests::requests),
    ("conversation", requests::conversation),
    ("hostile", hostile),
    ("cold start", cold::start),
];

fn main() {
    if cold::is_child() {
        return cold::child();
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    // Without `--bench` it is `cargo test`, which only looks whether it starts.
    if std::env::args().all(|argument| argument != "--bench") {
        return;
    }
    for (name, part) in PARTS {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            ENCODINGS.into_iter().for_each(part);
        }
    }
}

fn unseen(encoding: Encoding) {
    heading("MB/s", &format!("{encoding}, unseen"));
    let mut texts = kinds();
    texts.insert(0, ("1 KB messages", prose()));
    for (kind, text) in &texts {
        let aim = match *kind {
            "1 KB messages" => 9.0,
            "Chinese" | "Japanese and emoji" => 4.0,
            _ => 5.0,
        };
        let half = text.len() / 2;
        let size = if *kind == "1 KB messages" { 1_024 } else { text.len() };
        let times = race(5, |pass, name| {
            // A pass begins at its own place, so that no message was counted in an earlier one.
            let (seen, unseen) = text.split_at(text.floor_char_boundary(half + 7 * pass));
            let thread = || {
                count(name, encoding, seen);
                let time = time(|| {
                    let mut rest = unseen;
                    while !rest.is_empty() {
                        let (message, after) = rest.split_at(rest.floor_char_boundary(size));
                        black_box(count(name, encoding, message));
                        rest = after;
                    }
                });
                time / unseen.len() as f64
            };
            std::thread::scope(|scope| scope.spawn(thread).join().unwrap())
        });
        speeds(kind, 1, times, (*kind != "base64").then_some(aim));
    }
}

fn repeated(encoding: Encoding) {
    heading("MB/s", &format!("{encoding}, repeated"));
    let prose = prose();
    let mut texts =
        vec![("40 bytes", prose[1_000..1_040].to_owned()), ("1 KB", prose[2_000..3_024].to_owned())];
    texts.extend(kinds());
    for (kind, text) in &texts {
        let run = |name: &str| time_each(|| _ = black_box(count(name, encoding, black_box(text))));
        speeds(kind, text.len(), race(3, |_, name| run(name)), (text.len() <= 1_024).then_some(9.0));
    }
}

/// A megabyte that is one piece, and new in every pass. Only ours: tiktoken-rs panics on some of it.
fn hostile(encoding: Encoding) {
    const MEGABYTE: usize = 1_000_000;
    println!("\n| {encoding}, hostile: 1 MB of | ms | aim | met |\n| --- | --- | --- | --- |");
    let milliseconds = |text: &mut String| {
        let pass = || {
            text.push('.');
            time(|| _ = black_box(encoding.count(text))) / 1e6
        };
        std::iter::repeat_with(pass).take(3).fold(f64::INFINITY, f64::min)
    };
    let any = (0..=u8::MAX).map(char::from).map(|character| {
        let mut text = character.to_string().repeat(MEGABYTE / character.len_utf8());
        (milliseconds(&mut text), character)
    });
    let (slowest, character) = any.max_by(|one, other| one.0.total_cmp(&other.0)).unwrap();
    let met = if slowest <= 20.0 { "yes" } else { "no" };
    println!(
        "| each of the 256 first characters; the slowest, {character:?} | {slowest:.1} | <= 20 | {met} |"
    );

    let mut random = Random(1);
    let mut of = |letters: &[char]| -> String {
        std::iter::repeat_with(|| letters[random.below(letters.len())]).take(MEGABYTE).collect()
    };
    let letters: Vec<char> = ('a'..='z').collect();
    let ideographs: Vec<char> = ('\u{4e00}'..'\u{9f00}').collect();
    for (what, mut text) in [
        ("`ab`", "ab".repeat(MEGABYTE / 2)),
        ("random letters", of(&letters)),
        ("random `a` and `b`", of(&['a', 'b'])),
        ("random symbols", of(&['=', '-', '*', '#', '/', '_'])),
        ("random ideographs (3 MB)", of(&ideographs)),
    ] {
        println!("| {what} | {:.1} | | |", milliseconds(&mut text));
    }
}
