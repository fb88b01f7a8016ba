//! Exact counts of tokens, without the tokens: the numbers that tiktoken's `encode` would give,
//! several times faster.
//!
//! # The rule
//!
//! An encoding has a vocabulary: byte strings, the tokens, each with a rank. tiktoken encodes a
//! text in three steps:
//!
//! 1. A regular expression splits the text into pieces: words with the space before them, numbers
//!    of up to three digits, runs of symbols, runs of whitespace. No token crosses the end of a
//!    piece.
//! 2. A piece that is a token becomes this token.
//! 3. Any other piece is merged. It starts as its single bytes, each of which is a token. Among the
//!    pairs of neighbours that together are a token, the one whose token has the lowest rank is
//!    merged, and of several such pairs the leftmost. This repeats until there is no such pair.
//!
//! # An example
//!
//! `hugs, 2024` in o200k splits into the pieces `hugs`, `,`, a space, `202` and `4`. All but the
//! first are tokens, so each of them counts as 1. `hugs` is merged:
//!
//! | parts | pairs that are a token, with its rank |
//! | --- | --- |
//! | `h` `u` `g` `s` | `hu` 6 916, **`ug` 846**, `gs` 9 233 |
//! | `h` `ug` `s` | `hug` 192 892, **`ugs` 13 307** |
//! | `h` `ugs` | none |
//!
//! Two parts are left, so the text has 2 + 4 = 6 tokens.
//!
//! # The shortcuts
//!
//! A count needs the number of parts only, never the ids of tokens. So there is no list of tokens
//! to allocate, and each step has a shortcut:
//!
//! | file | shortcut |
//! | --- | --- |
//! | `class` | finds the class of a character (letter, number, space, ..) in a table |
//! | `split` | does what the regular expressions do, mostly for 64 bytes at a time |
//! | `layout` | the keys and hashes of the tables, shared with the build script |
//! | `vocabulary` | looks up a token by its bytes in tables that are part of the program |
//! | `merge` | merges a piece of up to 64 bytes, with its parts as the bits of one word |
//! | `long` | merges a longer piece in windows, in linear time |
//! | `cache` | remembers the counts of the pieces that a thread has met last |
//! | `piece` | puts these together for one piece |
//! | `pieces` | counts the pieces of a text in batches, which wait for memory together |
//! | `text_hash` | hashes a text, several times faster than Rust's own hash |
//! | `memo` | remembers the counts of whole texts, which conversations repeat |
//!
//! A file imports only from files above it. Most pieces take one split and one look-up in the
//! cache.
//!
//! Counting takes linear time whatever the text is, and no text makes it panic.

mod cache;
mod class;
#[allow(dead_code, reason = "the build script uses all of it")]
mod layout;
mod long;
mod memo;
mod merge;
mod piece;
mod pieces;
mod split;
mod text_hash;
mod vocabulary;

use self::pieces::{Kept, pieces, with};
use self::vocabulary::Vocabulary;
use super::encoding::Encoding;

macro_rules! encodings {
    ($($feature:literal, $encoding:ident, $layout:ident, $tables:literal, $split:ident;)+) => {
        /// The encodings that are compiled in. The tables of the others are not part of the
        /// program.
        pub(super) const ENCODINGS: &[Encoding] = &[$(#[cfg(feature = $feature)] Encoding::$encoding),+];

        /// Counts the tokens of `text` in an encoding that is compiled in. Special tokens in it are
        /// read as ordinary text.
        pub(super) fn count(encoding: Encoding, text: &str) -> usize {
            match encoding {
                $(#[cfg(feature = $feature)]
                Encoding::$encoding => {
                    static TABLES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $tables));
                    static VOCABULARY: Vocabulary = Vocabulary::new(&layout::$layout, TABLES);
                    thread_local!(static SCRATCH: Kept = const { Kept::new(None) });
                    memo::count(encoding, text, || {
                        with(&SCRATCH, |scratch| pieces::<split::$split>(&VOCABULARY, scratch, text.as_bytes()))
                    })
                })+
                #[allow(unreachable_patterns, reason = "all encodings may be compiled in")]
                _ => text.len(),
            }
        }
    };
}

encodings! {
    "o200k", O200kBase, O200K_BASE, "o200k_base", O200k;
    "cl100k", Cl100kBase, CL100K_BASE, "cl100k_base", Cl100k;
    "p50k", P50kBase, P50K_BASE, "p50k_base", Gpt2;
    "r50k", R50kBase, R50K_BASE, "r50k_base", Gpt2;
}
