#!/usr/bin/env bash
# Measures the cost of the token counter in build time, size and memory: builds a program that prices
# one request, with and without the counter, and runs it. Run `cargo fetch` first. It takes about two
# minutes of processor time.
set -euo pipefail
export CARGO_INCREMENTAL=0
library=$(cd "$(dirname "$0")/../openlimit" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
TIMEFORMAT=%U

for variant in 'none|"macros", "tokenizers"|' 'default|"default"|' 'tiktoken-rs|"macros", "tiktoken-rs"|, tokenizer: TiktokenRs'; do
    IFS='|' read -r name features tokenizer <<<"$variant"
    rm -rf "$work/program" && mkdir -p "$work/program/src"
    cd "$work/program"
    cp "$library/../Cargo.lock" .
    cat >Cargo.toml <<END
[package]
name = "program"
edition = "2024"
[dependencies]
openlimit = { path = "$library", default-features = false, features = [$features] }
serde_json = "1"
[profile.release]
strip = true
[workspace]
END
    cat >src/main.rs <<END
#[allow(unused_imports)]
use openlimit::{ChatRateLimiter, limiter, tokens::*};
limiter! { static CHAT: ChatRateLimiter = { tokens: 40_000 / minute$tokenizer }; }
fn main() {
    let params = serde_json::json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Why is the sky blue?" }] });
    let start = std::time::Instant::now();
    let cost = CHAT.cost(&params).map(|cost| cost.amount(&openlimit::Dimension::Tokens));
    println!("first cost, ms: {:.3} ({cost:?})", start.elapsed().as_secs_f64() * 1e3);
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    println!("{}", status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or_default());
}
END
    echo "== $name"
    debug=$({ time cargo build --quiet --offline; } 2>&1)
    release=$({ time cargo build --quiet --offline --release; } 2>&1)
    echo "build, s: $debug; optimised: $release; program, KB: $(($(stat -c %s target/release/program) / 1000))"
    target/release/program
done
