//! `Tokenizer`: how a limiter counts text, where the user knows better than this library.
//!
//! Other providers cut text in other ways, and some programs have a tokenizer already. It is asked for each text by
//! itself; what a request adds around its texts stays what the formulas say. It is asked while a call is priced, when
//! nothing is locked and nothing reserved, so that it may be slow, or panic, and harms nobody but the caller.

use std::fmt;
use std::sync::Arc;

use super::Encoding;

/// What counts the tokens of a text: a limiter's `tokenizer`.
///
/// ```
/// use openlimit::tokens::Tokenizer;
/// use openlimit::{ChatRateLimiter, Dimension, limiter};
/// use serde_json::json;
///
/// /// For a model that reads bytes.
/// struct Bytes;
///
/// impl Tokenizer for Bytes {
///     fn count(&self, _model: &str, text: &str) -> u64 {
///         text.len() as u64
///     }
/// }
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, tokenizer: Bytes };
/// }
///
/// let params = json!({ "model": "byte-1", "messages": [{ "role": "user", "content": "Why is the sky blue?" }] });
/// // Three for the reply and three for the message, as OpenAI frames them, and the bytes.
/// assert_eq!(CHAT.cost(&params)?.amount(&Dimension::InputTokens), 3 + 3 + 4 + 20);
/// # Ok::<(), openlimit::AcquireError>(())
/// ```
///
/// An [`Encoding`] is one, too: it counts alike for every model. So is an `Arc` of one, which several limiters can
/// share.
pub trait Tokenizer: Send + Sync {
    /// How many tokens `text` is for `model`, which is the request's own name for it, or empty where it names none.
    ///
    /// The call that is priced waits meanwhile. If it panics, the panic is the caller's, and the limiter is as if it
    /// had not been asked.
    fn count(&self, model: &str, text: &str) -> u64;
}

impl Tokenizer for Encoding {
    fn count(&self, _: &str, text: &str) -> u64 {
        Self::count(self, text)
    }
}

impl<T: Tokenizer + ?Sized> Tokenizer for Arc<T> {
    fn count(&self, model: &str, text: &str) -> u64 {
        T::count(self, model, text)
    }
}

/// A limiter's tokenizer.
#[derive(Clone)]
pub(crate) struct Plugged(Arc<dyn Tokenizer>);

impl Plugged {
    pub(crate) fn new(tokenizer: impl Tokenizer + 'static) -> Self {
        Self(Arc::new(tokenizer))
    }
}

impl fmt::Debug for Plugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokenizer")
    }
}

/// What counts the texts of one request.
pub(super) enum Counting<'a> {
    Own(Encoding),
    Plugged(&'a Plugged, &'a str),
}

impl Counting<'_> {
    pub(super) fn count(&self, text: &str) -> u64 {
        match self {
            Self::Own(encoding) => encoding.count(text),
            Self::Plugged(Plugged(tokenizer), model) => tokenizer.count(model, text),
        }
    }

    /// How many tokens a colon and then `text` are.
    ///
    /// The formulas count a name and its description as one text, and never have both at hand. A name ends where
    /// every encoding cuts, so the rest can be counted apart, but it does begin with the colon.
    pub(super) fn count_after_colon(&self, text: &str) -> u64 {
        const SHORT: usize = 512;
        let mut joined = [b':'; SHORT];
        if let Some(rest) = joined.get_mut(1..=text.len()) {
            rest.copy_from_slice(text.as_bytes());
            if let Ok(joined) = str::from_utf8(&joined[..=text.len()]) {
                return self.count(joined);
            }
        }
        self.count(&format!(":{text}"))
    }
}

#[cfg(test)]
mod tests {
    use super::{Counting, Encoding};

    #[test]
    fn a_colon_and_a_text_are_counted_as_one() {
        let long = "The city and state, e.g. San Francisco, CA; ".repeat(100);
        let run = "é".repeat(1000);
        for text in [
            "",
            "The city",
            "$",
            "'s",
            "\n",
            " x",
            "今天",
            &long[..510],
            &long[..511],
            &long[..512],
            &long,
            &run,
        ] {
            for encoding in
                [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase]
            {
                assert_eq!(
                    Counting::Own(encoding).count_after_colon(text),
                    encoding.count(&format!(":{text}")),
                    "{text:.20}"
                );
            }
        }
    }
}
