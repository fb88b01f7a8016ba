//! Compares the counter's data with their source: the vocabularies of tiktoken-rs, token by token,
//! and the character classes of the regular expressions with which it splits text.
//!
//! `OPENLIMIT_WRITE_DATA=1 cargo test -p openlimit-tests --test tokenizer data::` writes the files
//! of `openlimit/data`. Without the variable, the same code compares them, so their origin can be
//! checked.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;
use std::{env, fs};

use regex_syntax::hir::{Class, HirKind};
use tiktoken_rs::CoreBPE;

#[test]
fn the_vocabulary_of_o200k_is_that_of_tiktoken() {
    check("o200k_base.tokens", &vocabulary(tiktoken_rs::o200k_base_singleton(), 256..199_998));
}

#[test]
fn the_vocabulary_of_cl100k_is_that_of_tiktoken() {
    check("cl100k_base.tokens", &vocabulary(tiktoken_rs::cl100k_base_singleton(), 256..100_256));
}

#[test]
fn the_vocabulary_of_r50k_is_that_of_tiktoken() {
    check("r50k_base.tokens", &vocabulary(tiktoken_rs::r50k_base_singleton(), 256..50_256));
}

/// p50k is r50k and some runs of spaces. Its rank 50 256 is the special token.
#[test]
fn the_vocabulary_of_p50k_is_that_of_r50k_and_more() {
    let p50k = tiktoken_rs::p50k_base_singleton();
    let shared = vocabulary(p50k, 256..50_256);
    assert!(shared == vocabulary(tiktoken_rs::r50k_base_singleton(), 256..50_256));
    check("p50k_base.tokens", &vocabulary(p50k, 50_257..50_281));
}

/// The first 256 ranks are single bytes, which are in no file. After the last rank there are only
/// special tokens.
#[test]
fn no_token_is_left_out() {
    for (tokenizer, end, special) in [
        (tiktoken_rs::o200k_base_singleton(), 199_998, 199_999),
        (tiktoken_rs::cl100k_base_singleton(), 100_256, 100_257),
        (tiktoken_rs::p50k_base_singleton(), 50_281, 50_256),
        (tiktoken_rs::r50k_base_singleton(), 50_256, 50_256),
    ] {
        for rank in 0..256 {
            assert_eq!(tokenizer.decode_bytes(&[rank]).unwrap().len(), 1);
        }
        for rank in (end..end + 1_000).filter(|rank| *rank != special) {
            assert!(tokenizer.decode_bytes(&[rank]).is_err() || is_special(tokenizer, rank), "{rank}");
        }
    }
}

/// Two facts that the counter relies on. A token of several bytes is merged from two tokens of
/// lower rank, so the ranks of successive merges rise. And no token contains `0xff`, which no text
/// contains.
#[test]
fn every_token_is_merged_from_two_lower_ones() {
    for (tokenizer, ranks) in [
        (tiktoken_rs::o200k_base_singleton(), 0..199_998),
        (tiktoken_rs::cl100k_base_singleton(), 0..100_256),
        // The tokens of r50k are the first of these.
        (tiktoken_rs::p50k_base_singleton(), 0..50_281),
    ] {
        let tokens: HashMap<Vec<u8>, u32> = ranks
            .map(|rank| (tokenizer.decode_bytes(&[rank]).unwrap(), rank))
            .filter(|(token, rank)| *rank != 50_256 || token != b"<|endoftext|>")
            .collect();
        for (token, &rank) in tokens.iter().filter(|(token, _)| token.len() > 1) {
            assert!(!token.contains(&0xff));
            assert_eq!(merged(token, &tokens, rank), 2, "{rank}: {token:?}");
        }
    }
}

#[test]
fn the_classes_are_those_of_the_regular_expressions() {
    check("unicode.classes", &classes());
}

/// Compares a file of the library with its expected content, or writes it.
fn check(name: &str, expected: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openlimit/data").join(name);
    if env::var_os("OPENLIMIT_WRITE_DATA").is_some() {
        fs::write(&path, expected).unwrap();
    }
    assert!(fs::read(&path).unwrap() == expected, "{name} differs");
}

/// Returns the tokens of these ranks, each after its length.
fn vocabulary(tokenizer: &CoreBPE, ranks: std::ops::Range<u32>) -> Vec<u8> {
    let mut file = Vec::new();
    for rank in ranks {
        let token = tokenizer.decode_bytes(&[rank]).unwrap();
        assert!(token.len() > 1);
        file.push(u8::try_from(token.len()).unwrap());
        file.extend(token);
    }
    file
}

fn is_special(tokenizer: &CoreBPE, rank: u32) -> bool {
    let text = tokenizer.decode_bytes(&[rank]).unwrap();
    tokenizer.special_tokens().iter().any(|special| special.as_bytes() == text)
}

/// Returns in how many parts byte-pair encoding with the tokens below `limit` leaves these bytes,
/// computed as simply as possible.
fn merged(bytes: &[u8], tokens: &HashMap<Vec<u8>, u32>, limit: u32) -> usize {
    // Where the parts begin, and where the last one ends. The rank of each part with the next one.
    let mut borders: Vec<usize> = (0..=bytes.len()).collect();
    let joined = |borders: &[usize], part: usize| {
        let (from, to) = (borders.get(part)?, borders.get(part + 2)?);
        tokens.get(&bytes[*from..*to]).copied().filter(|rank| *rank < limit)
    };
    let mut ranks: Vec<Option<u32>> = (0..bytes.len()).map(|part| joined(&borders, part)).collect();
    while let Some((_, part)) = ranks.iter().zip(0..).filter_map(|(rank, part)| Some(((*rank)?, part))).min()
    {
        borders.remove(part + 1);
        ranks.remove(part);
        for changed in [part.checked_sub(1), Some(part)].into_iter().flatten() {
            ranks[changed] = joined(&borders, changed);
        }
    }
    ranks.len()
}

/// Returns the index of the page of every 128 characters, then the pages, with a class for each
/// character.
fn classes() -> Vec<u8> {
    let mut classes = vec![0_u8; 0x11_0000];
    // In the order of `Class`. Later classes win.
    for (class, pattern) in
        [r"\s", r"[\r\n]", r"\p{N}", r"[\p{Lu}\p{Lt}]", r"\p{Ll}", r"[\p{Lm}\p{Lo}]", r"\p{M}"]
            .iter()
            .enumerate()
    {
        let hir = regex_syntax::parse(pattern).unwrap();
        let HirKind::Class(Class::Unicode(found)) = hir.kind() else {
            panic!("{pattern} is no class");
        };
        for range in found.ranges() {
            classes[range.start() as usize..=range.end() as usize].fill(u8::try_from(class + 1).unwrap());
        }
    }
    let (mut index, mut pages) = (Vec::new(), Vec::new());
    for page in classes.chunks(128) {
        let number = pages.iter().position(|other| *other == page).unwrap_or(pages.len());
        index.push(u8::try_from(number).unwrap());
        if number == pages.len() {
            pages.push(page);
        }
    }
    [index, pages.concat()].concat()
}
