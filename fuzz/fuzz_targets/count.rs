//! Counts any text in each encoding, and compares the counts with tiktoken-rs.
//!
//! `cargo +nightly fuzz run count -- -max_len=65536`

#![no_main]

use libfuzzer_sys::fuzz_target;
use openlimit::tokens::Encoding;

fuzz_target!(|text: &str| {
    for (encoding, oracle) in [
        (Encoding::O200kBase, tiktoken_rs::o200k_base_singleton()),
        (Encoding::Cl100kBase, tiktoken_rs::cl100k_base_singleton()),
        (Encoding::P50kBase, tiktoken_rs::p50k_base_singleton()),
        (Encoding::R50kBase, tiktoken_rs::r50k_base_singleton()),
    ] {
        assert_eq!(encoding.count(text), oracle.count_ordinary(text) as u64, "{encoding}");
    }
});
