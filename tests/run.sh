#!/usr/bin/env bash
# Every check and test of the workspace, with all the set-up they need. One command, on a developer's machine and in
# continuous integration alike: `bash tests/run.sh`.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf "\n== [%ss] %s\n" "$SECONDS" "$*"; }

# A C compiler, for the TLS of the HTTP clients that the examples use. Redis and openssl, for the tests of shared
# limits: they start servers of their own on free ports, and leave alone the one that the package may start on 6379.
missing=()
server=${OPENLIMIT_REDIS_SERVER:-redis-server}
command -v cc >/dev/null || missing+=(gcc libc6-dev)
command -v "$server" >/dev/null || missing+=("$(basename "$server")")
command -v redis-cli >/dev/null || missing+=(redis-tools)
command -v openssl >/dev/null || missing+=(openssl)
command -v cargo >/dev/null || command -v curl >/dev/null || missing+=(curl ca-certificates)
if ((${#missing[@]})); then
    step "installing ${missing[*]}"
    if ! command -v apt-get >/dev/null; then
        echo "the tests need what Debian calls ${missing[*]}: please install it" >&2
        exit 1
    fi
    sudo=()
    if ((EUID)); then sudo=(sudo); fi
    "${sudo[@]}" apt-get update -qq
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "${missing[@]}"
fi
if ! command -v cargo >/dev/null; then
    step "installing Rust"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal -c clippy -c rustfmt
    . "${CARGO_HOME:-$HOME/.cargo}/env"
fi

# The first build has nothing to reuse. Without incremental state it takes a tenth less time.
# Nobody debugs it, so it needs no debug information.
[[ -d ${CARGO_TARGET_DIR:-target} ]] || export CARGO_INCREMENTAL=0 CARGO_PROFILE_DEV_DEBUG=0

# Most tests wait for servers and clocks, so more of them can run at once than there are cores.
export RUST_TEST_THREADS=8
# Proptest seeds a generator for each part of an input. With its default generator and without
# optimization, that takes half of the time of these tests.
export PROPTEST_RNG_ALGORITHM=xs

step "formatting"
cargo fmt --all --check

logs=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$logs"' EXIT

# The hand-over between the queue and its waiters, in every order. It is a build of its own, which
# uses what all others leave of the cores. These tests are short, so nothing need be optimized.
RUSTFLAGS="--cfg openlimit_loom" CARGO_TARGET_DIR=target/loom nice -n 19 \
    cargo test -p openlimit --no-default-features --lib --locked \
    --config profile.dev.package.openlimit.opt-level=0 \
    --config profile.dev.package.regex-automata.opt-level=0 loom >"$logs/models" 2>&1 &
models=$!

# Each feature alone. They are builds of their own as well, one after the other, each on one core.
# They get more of the cores than the models and the mistakes, which can run at once in the end, and
# less than the tests, which are not to wait for them.
features() { sed -n '/^\[features\]/,/^\[dep/s/^\([a-z0-9-]*\) = .*/\1/p' openlimit/Cargo.toml; }
{
    export CARGO_TARGET_DIR=target/checks
    # Built together with the macros, syn has the same features each time. So the crates that depend
    # on it are built only once.
    for features in "" $(features); do
        echo "every feature alone: $features"
        # It prints nothing but errors and warnings, of which there must be none.
        check=(nice -n 5 cargo check --quiet -p openlimit -p openlimit-macros --no-default-features --locked)
        if ! found=$("${check[@]}" --features "$features" 2>&1) || [[ -n $found ]]; then
            echo "$found"
            exit 1
        fi
    done
} >"$logs/checks" 2>&1 &
checks=$!

# All other commands select the same packages and features, so nothing is built twice: all packages
# but the benchmarks, whose competitors take long to build. For the same reason, clippy is the
# compiler of the workspace: it finds what `cargo clippy --all-targets --all-features -- -D warnings`
# does.
export RUSTC_WORKSPACE_WRAPPER=clippy-driver CLIPPY_ARGS="-Dwarnings"
step "lints, building the tests"
cargo test --all-features --locked --no-run

# Tests wait for more time than they compute. So these run beside them, and are shown when they are over.
{
    cargo test --all-features --locked --lib
    for example in chat blocking manual plan status axum reqwest async_openai anthropic sync_ureq streaming redis_shared; do
        echo "example $example"
        cargo run --quiet --all-features --locked --example "$example"
    done
} >"$logs/units" 2>&1 &
units=$!

# Each mistake is a compilation of its own, one after the other, by rustc. trybuild passes a flag more
# to it for the mistakes than for what they depend on. With these flags for both, that is built once.
flags='--cfg\u001ftrybuild\u001f--verbose\u001f-A\u001fdead_code\u001f--diagnostic-width=140'
by_rustc="target.'cfg(all())'.runner=['env', '-u', 'RUSTC_WORKSPACE_WRAPPER', \"CARGO_ENCODED_RUSTFLAGS=$flags\"]"
nice -n 19 cargo test --all-features --locked --config "$by_rustc" --test ui >"$logs/mistakes" 2>&1 &
mistakes=$!

step "tests"
cargo test --all-features --locked --test '*' -- --skip every_mistake
cargo test --all-features --locked --doc

step "documentation"
RUSTDOC=$PWD/tests/rustdoc.sh cargo test --all-features --locked --doc

step "unit tests, examples"
wait "$units" || { cat "$logs/units"; exit 1; }
cat "$logs/units"

step "models of the hand-over between threads (loom)"
wait "$models" || { cat "$logs/models"; exit 1; }
cat "$logs/models"

step "messages of mistakes"
wait "$mistakes" || { cat "$logs/mistakes"; exit 1; }

step "every feature alone"
wait "$checks" || { cat "$logs/checks"; exit 1; }

if [[ -z ${OPENLIMIT_REDIS_SERVER:-} ]] && command -v valkey-server >/dev/null; then
    step "tests of shared limits, on Valkey"
    OPENLIMIT_REDIS_SERVER=valkey-server cargo test --all-features --locked --test backend
fi

step "all green"
