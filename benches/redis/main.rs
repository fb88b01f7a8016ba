//! What a decision costs that processes share through Redis, beside the least that a round trip costs and beside other limiters.
//!
//! `cargo bench --bench redis` starts a redis-server of its own and ends with a table. BENCHMARKS.md has the table, and says
//! what it means.

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
    // Not when `cargo test` only looks whether everything builds.
    if std::env::args().any(|argument| argument == "--bench") {
        print([callers::all(), waiting::all(), settling::all()].into_iter().flatten());
    }
}
