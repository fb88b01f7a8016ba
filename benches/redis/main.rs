//! Measures decisions that processes share through Redis, beside an empty round trip and beside
//! other limiters.
//!
//! `cargo bench -p openlimit-benches --bench redis` starts its own redis-server and ends with a
//! table. BENCHMARKS.md has the table, and explains it.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on is to stop")]

mod callers;
mod load;
mod peers;
#[allow(dead_code, unreachable_pub, reason = "the tests' own, which need more of it")]
#[path = "../../tests/src/redis/port.rs"]
mod port;
#[allow(dead_code, unreachable_pub, reason = "the tests' own, which need more of it")]
#[path = "../../tests/src/redis/proxy.rs"]
mod proxy;
mod server;
mod settling;
mod waiting;

use openlimit_benches::{Line, print};

/// A part of the benchmark.
type Part = fn() -> Vec<Line>;

/// The parts, which words after `--` select.
const PARTS: [(&str, Part); 3] =
    [("callers", callers::all), ("waiting", waiting::all), ("settling", settling::all)];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    // Without `--bench` this is `cargo test`, which only checks that everything builds.
    if std::env::args().any(|argument| argument == "--bench") {
        let chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
        print(PARTS.into_iter().filter(|(name, _)| chosen(name)).flat_map(|(_, part)| part()));
    }
}
