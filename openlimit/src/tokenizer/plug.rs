//! `Tokenizer`: the trait for a counter of the user's own.
//!
//! Other providers split text in other ways, and some programs have a tokenizer already. A plug-in
//! counts each text of a request by itself. The provider's grammar still adds what a request needs
//! around its texts. A plug-in runs while a call is priced, before anything is locked or reserved.
//! So a slow plug-in, or one that panics, affects its own caller only.

use std::fmt;
use std::sync::Arc;

use super::encoding::Encoding;

/// Counts the tokens of texts, as a limiter's `tokenizer`.
///
/// ```
/// use openlimit::tokens::Tokenizer;
/// use openlimit::{ChatRateLimiter, Dimension, limiter};
/// use serde_json::json;
///
/// /// For a model that reads bytes.
/// struct ByteTokenizer;
///
/// impl Tokenizer for ByteTokenizer {
///     fn count(&self, _model: &str, text: &str) -> u64 {
///         text.len() as u64
///     }
/// }
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, tokenizer: ByteTokenizer };
/// }
///
/// let params = json!({
///     "model": "byte-1",
///     "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
/// });
/// // OpenAI's formula adds 3 for the reply and 3 for the message. The rest is the bytes of the
/// // texts: 4 of `user` and 20 of the question.
/// assert_eq!(CHAT.cost(&params)?.amount(&Dimension::InputTokens), 3 + 3 + 4 + 20);
/// # Ok::<(), openlimit::AcquireError>(())
/// ```
///
/// An [`Encoding`] is a tokenizer too, which counts alike for every model. So is an `Arc` of a
/// tokenizer, which several limiters can share.
pub trait Tokenizer: Send + Sync {
    /// Counts the tokens of `text` for `model`: the name in the request, or an empty string if the
    /// request names no model.
    ///
    /// It runs on the thread of the caller of `acquire`, which waits for it. A panic reaches that
    /// caller and leaves the limiter unchanged.
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

/// The tokenizer that a limiter was given.
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
