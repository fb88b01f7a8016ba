//! `TiktokenRs`: the tiktoken-rs crate as a limiter's tokenizer, for those who prefer it.
//!
//! It loads an encoding at its first use (some 100 to 200 ms, and 24 to 46 MB), and is several times slower. It also
//! matches whitespace by a regular expression that remembers each character of a run, and panics after a million of
//! them; so it is handed such a run in parts.

use super::encoding::Encoding;
use super::plug::Tokenizer;

/// Counts by the `tiktoken-rs` crate. It needs the feature `tiktoken-rs`.
///
/// The counts are those of this library's own counter, except that all four encodings are there, whichever features are
/// enabled, and that a run of more than 65 536 characters of whitespace may come to a few tokens more.
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

/// The longest run of whitespace in a part, in characters.
const RUN: usize = 1 << 16;

/// The text in parts that have no longer run of whitespace: nearly always one.
fn parts(mut rest: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (part, after) = rest.split_at(end(rest));
        rest = after;
        (!part.is_empty()).then_some(part)
    })
}

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
