#!/usr/bin/env bash
# Takes the place of rustdoc in `cargo test --doc`: renders the documentation instead of running its
# tests. `cargo doc` would build all dependencies once more.
set -euo pipefail
args=()
while (($#)); do
    case $1 in
        --test) ;;
        --test-run-directory) shift ;;
        *) args+=("$1") ;;
    esac
    shift
done
exec rustdoc "${args[@]}" -D warnings --out-dir "${CARGO_TARGET_DIR:-target}/doc"
