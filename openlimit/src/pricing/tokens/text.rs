//! Counts the tokens of a text, and says how exact the count is.

use crate::tokenizer::{Encoding, Factor};

/// Counts the tokens of `text` for `model`.
///
/// The count is exact if [`is_exact`] returns true. Otherwise the model is not
/// [`known`](Encoding::known) or its encoding is not compiled in
/// ([`counted_by`](Encoding::counted_by)), and the count is an estimate that can be too low.
///
/// The text is read as ordinary text, so `<|endoftext|>` counts as its characters and not as the
/// special token. The vocabularies are part of the program. Nothing is downloaded or loaded.
///
/// Each thread that counts keeps a cache of words, some 130 KB for each encoding. The process keeps
/// the counts of whole texts of 32 bytes and more, in a quarter of a megabyte. So counting a
/// conversation that has grown by a message takes little longer than counting the message.
///
/// ```
/// use openlimit::tokens;
///
/// assert_eq!(tokens::count("gpt-4o", "Hello, world!"), 4);
/// assert_eq!(tokens::count("gpt-4o", "你好，世界"), 3);
/// assert_eq!(tokens::count("gpt-4", "你好，世界"), 6);
/// ```
#[must_use]
pub fn count(model: &str, text: &str) -> u64 {
    Factor::of(model).times(Encoding::of(model).count(text))
}

/// Returns the factor by which [`count`] and all prices multiply the tokens of texts for `model`.
///
/// It is 1 for every model whose tokenizer is public. The tokenizers of Claude and Gemini are not.
/// Their texts are counted by `o200k_base`, and these factors make up for the difference on the
/// whole, not for each text:
///
/// | models | factor | source |
/// | --- | --- | --- |
/// | Claude up to 4.6 | 1.18 | measured with Anthropic's `count_tokens`, August 2026 |
/// | Claude from 4.7 on | 1.53 | the same; Anthropic says about 30 % more tokens than before |
/// | Gemini | 1.18 | measured with the tokenizer of Gemma 3, November 2026: program code 1.18, Markdown 1.12, English 0.99, Chinese 0.81; numbers, of which each digit is a token, up to 2.1 |
///
/// The limiter's option [`input_factor`](crate::Builder::input_factor) sets another.
///
/// ```
/// use openlimit::tokens;
///
/// assert_eq!(tokens::factor("gpt-4o"), 1.0);
/// assert_eq!(tokens::factor("claude-sonnet-4-5"), 1.18);
/// assert_eq!(tokens::factor("anthropic/claude-opus-5"), 1.53);
/// assert_eq!(tokens::count("claude-opus-5", "Why is the sky blue?"), 10);
/// assert_eq!(tokens::count("gpt-4o", "Why is the sky blue?"), 6);
/// ```
#[must_use]
pub fn factor(model: &str) -> f64 {
    Factor::of(model).number()
}

/// Returns whether [`count`] is exact for `model`: the model is known, and its encoding is compiled
/// in.
///
/// A program that must not estimate can check this once, at its start.
///
/// ```
/// use openlimit::tokens;
///
/// assert!(tokens::is_exact("gpt-4o"));
/// assert!(!tokens::is_exact("a-model-of-my-own"));
/// ```
#[must_use]
pub fn is_exact(model: &str) -> bool {
    Encoding::known(model).is_some_and(|encoding| encoding.counted_by() == Some(encoding))
}
