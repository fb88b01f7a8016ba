//! Measures decisions that processes share through Redis, beside an empty round trip and beside
//! other limiters.
//!
//! `cargo bench --bench redis` starts its own redis-server and ends with a table. BENCHMARKS.md has
//! the table, and explains it.

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

use openlimit_benches::print;

fn main() {
    // Without `--bench` this is `cargo test`, which only checks that everything builds.
    if std::env::args().any(|argument| argument == "--bench") {
        print([callers::all(), waiting::all(), settling::all()].into_iter().flatten());
    }
}
