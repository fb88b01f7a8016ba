//! Compares the counter with tiktoken-rs in full. It takes a minute or two: `cargo test --release
//! -p openlimit-tests --test tokenizer sweep:: -- --ignored`.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::tokens::Encoding;

use crate::oracle::{ENCODINGS, Random, check, check_all, contexts, oracle};

#[test]
#[ignore = "long"]
fn every_character_counts_the_same_in_o200k() {
    every_character(Encoding::O200kBase);
}

#[test]
#[ignore = "long"]
fn every_character_counts_the_same_in_cl100k() {
    every_character(Encoding::Cl100kBase);
}

#[test]
#[ignore = "long"]
fn every_character_counts_the_same_in_p50k() {
    every_character(Encoding::P50kBase);
}

#[test]
#[ignore = "long"]
fn every_character_counts_the_same_in_r50k() {
    every_character(Encoding::R50kBase);
}

#[test]
#[ignore = "long"]
fn a_hundred_thousand_mixed_texts_count_the_same() {
    let mut random = Random(4);
    for _ in 0..100_000 {
        check_all(&random.text(16));
    }
}

#[test]
#[ignore = "long"]
fn long_texts_count_the_same() {
    let mut random = Random(5);
    for _ in 0..300 {
        check_all(&random.text(2_000));
    }
}

/// Counts every token that is text, of every vocabulary: alone, repeated, and beside another one.
#[test]
#[ignore = "long"]
fn the_text_of_every_token_counts_the_same() {
    let mut random = Random(6);
    for encoding in ENCODINGS {
        // As in `data.rs`. The special token of p50k has a rank among the others, and is left out
        // here.
        let end = match encoding {
            Encoding::O200kBase => 199_998,
            Encoding::Cl100kBase => 100_256,
            Encoding::P50kBase => 50_281,
            _ => 50_256,
        };
        let tokens: Vec<String> = (0..end)
            .filter(|rank| encoding != Encoding::P50kBase || *rank != 50_256)
            .map(|rank| oracle(encoding).decode_bytes(&[rank]).unwrap())
            .filter_map(|token| String::from_utf8(token).ok())
            .collect();
        for token in &tokens {
            let other = &tokens[random.below(tokens.len())];
            check(encoding, token);
            check(encoding, &format!("{token}{other}"));
            check(encoding, &token.repeat(3));
        }
    }
}

#[test]
#[ignore = "long"]
fn long_words_count_the_same() {
    let mut random = Random(7);
    for _ in 0..3_000 {
        let letters: Vec<char> = (0..random.below(20) + 1).map(|_| random.of_script()).collect();
        let length = random.below(2_000);
        check_all(&(0..length).map(|_| letters[random.below(letters.len())]).collect::<String>());
    }
}

fn every_character(encoding: Encoding) {
    for character in (0..0x11_0000).filter_map(char::from_u32) {
        for text in contexts(character) {
            check(encoding, &text);
        }
    }
}
