//! Compares this library's token counter with others, in one run of about a minute.
//!
//! *Unseen* text is counted once, by a thread that has counted other text of the same kind.
//! *Repeated* text is counted over and over, so that this library finds its count in a cache.
//! `cargo bench -p openlimit-benches --bench counting` prints everything. Words after `--` select
//! the parts whose names contain one of them. BENCHMARKS.md has the results.

#![allow(missing_docs, clippy::unwrap_used)]

mod cold;
mod counters;
mod evicted;
mod hostile;
mod race;
mod requests;
mod texts;

use std::hint::black_box;

use openlimit::tokens::Encoding;

use self::counters::{ENCODINGS, count};
use self::race::{heading, race, speeds, time, time_each};
use self::texts::{kinds, prose};

type Part = (&'static str, fn(Encoding));

const PARTS: [Part; 7] = [
    ("evicted", evicted::evicted),
    ("unseen", unseen),
    ("repeated", repeated),
    ("requests", requests::requests),
    ("conversation", requests::conversation),
    ("hostile", hostile::hostile),
    ("cold start", cold::start),
];

fn main() {
    if cold::is_child() {
        return cold::child();
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    // Without `--bench` this is `cargo test`, which only checks that the program starts.
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
    const MESSAGES: [(&str, usize); 4] =
        [("messages of 40 bytes", 40), ("of 100 bytes", 100), ("of 300 bytes", 300), ("of 1 KB", 1_024)];
    let messages = MESSAGES.map(|(kind, size)| (kind, prose(), Some(size)));
    let kinds = kinds().into_iter().map(|(kind, text)| (kind, text, None));
    for (kind, text, message) in messages.into_iter().chain(kinds) {
        let aim = match kind {
            _ if message.is_some() => 9.0,
            "Chinese" | "Japanese and emoji" => 4.0,
            _ => 5.0,
        };
        let half = text.len() / 2;
        let size = message.unwrap_or(text.len());
        let times = race(5, |pass, name| {
            // Each pass begins at its own offset, so that no message was counted in an earlier
            // pass.
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
        speeds(kind, 1, times, (kind != "base64").then_some(aim));
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
