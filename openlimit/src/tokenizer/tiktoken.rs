//! `TiktokenRs`: the tiktoken-rs crate as a plug-in, for users who prefer it.
//!
//! That crate loads an encoding at its first use (100 to 200 ms, and 24 to 46 MB), and is several
//! times slower. Its regular expression for whitespace remembers each character of a run, and it
//! panics after a million of them. So a long run is counted in parts.

use super::encoding::Encoding;
use super::plug::Tokenizer;

/// Counts by the `tiktoken-rs` crate. It needs the feature `tiktoken-rs`.
///
/// The counts are those of this library's own counter, with two differences. All four encodings are
/// always there, whichever features are enabled. A run of more than 65 536 characters of whitespace
/// may count as a few tokens more.
///
/// ```
/// use openlimit::{ChatRateLimiter, limiter, tokens::TiktokenRs};
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, tokenizer: TiktokenRs };
/// }
/// # CHAT.init().unwrap();
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct TiktokenRs;

impl Tokenizer for TiktokenRs {
    fn count(&self, model: &str, text: &str) -> u64 {
        let encoding = match Encoding::of(model) {
            Encoding::O200kBase => tiktoken_rs::o200k_base_singleton(),
            Encoding::Cl100kBase => tiktoken_rs::cl100k_base_singleton(),
            Encoding::P50kBase => tiktoken_rs::p50k_base_singleton(),
            Encoding::R50kBase => tiktoken_rs::r50k_base_singleton(),
        };
        parts(text).map(|part| encoding.count_ordinary(part) as u64).sum()
    }
}

/// The longest run of whitespace in a part, in characters: far below the million at which the crate
/// panics, and longer than any run in a real text.
const RUN: usize = 1 << 16;

/// Splits the text into parts without a longer run of whitespace: nearly always one part.
fn parts(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(end(rest));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

/// Returns where the first part of the text ends.
fn end(text: &str) -> usize {
    let mut run = 0;
    for (at, character) in text.char_indices() {
        run = if character.is_whitespace() { run + 1 } else { 0 };
        if run > RUN {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{RUN, parts};

    #[test]
    fn only_long_runs_of_whitespace_are_parted() {
        assert_eq!(parts("").count(), 0);
        for (text, expected) in [
            ("a b\n\n c".to_owned(), 1),
            ("a ".repeat(RUN), 1),
            (" ".repeat(RUN), 1),
            ("\u{3000}".repeat(RUN + 1), 2),
            (format!("a{}b", "\n ".repeat(RUN)), 2),
            (" ".repeat(10 * RUN), 10),
        ] {
            assert_eq!(parts(&text).count(), expected, "{:.5}", text);
            assert_eq!(parts(&text).collect::<String>(), text);
        }
    }
}
