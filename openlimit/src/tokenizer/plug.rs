//! `Tokenizer`: how a limiter counts text, where the user knows better than this library.
//!
//! Other providers cut text in other ways, and some programs have a tokenizer already. It is asked for each text by
//! itself; what a request adds around its texts stays what the formulas say. It is asked while a call is priced, when
//! nothing is locked and nothing reserved, so that it may be slow, or panic, and harms nobody but the caller.

use std::fmt;
use std::sync::Arc;

use super::encoding::Encoding;

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

    pub(super) fn count(&self, model: &str, text: &str) -> u64 {
        self.0.count(model, text)
    }
}

impl fmt::Debug for Plugged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokenizer")
    }
}
