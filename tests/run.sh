#!/usr/bin/env bash
# Every check and test of the workspace, with all the set-up they need. One command, on a developer's machine and in
# continuous integration alike: `bash tests/run.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf "\n== [%ss] %s\n" "$SECONDS" "$*"; }

# A C compiler, for the TLS of the HTTP clients that the examples use.
if ! command -v cc >/dev/null; then
    step "installing a C compiler"
    apt-get update -qq && apt-get install -y -qq gcc libc6-dev
fi
if ! command -v cargo >/dev/null; then
    echo "openlimit is built with Rust 1.95 or later: see https://rustup.rs" >&2
    exit 1
fi

step "formatting"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

step "every feature alone"
for features in "" macros tokenizers o200k cl100k p50k r50k tiktoken-rs testing; do
    cargo clippy -p openlimit --no-default-features --features "$features" --locked -- -D warnings
done

step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps --all-features --locked

step "tests"
cargo test --workspace --all-features --locked

step "examples"
for example in chat blocking manual; do
    cargo run --quiet --example "$example" --locked
done

step "the hand-over between the queue and its waiters, in every order (loom)"
RUSTFLAGS="--cfg openlimit_loom" CARGO_TARGET_DIR=target/loom \
    cargo test -p openlimit --no-default-features --lib --release --locked loom

step "all green"
