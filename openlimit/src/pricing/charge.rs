//! `Charge`: how much of the limit on tokens a provider takes for a request when it admits it.
//!
//! OpenAI's own pages disagree, so this is a setting of the limiter, and what is safe under either rule is the default.

/// What a request takes of a limit on `tokens` before its real usage is known.
///
/// Only limits on `tokens` differ: `input_tokens` are always the prompt as it is counted, and `output_tokens` the
/// largest output that the request allows, for every choice and prompt.
///
/// ```
/// use openlimit::{Charge, ChatRateLimiter, Dimension, limiter};
/// use serde_json::json;
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, admission: Charge::OpenAi };
/// }
///
/// let cost = CHAT.cost(&json!({
///     "model": "gpt-4o",
///     "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
///     "max_completion_tokens": 300,
/// }))?;
/// assert_eq!(cost.amount(&Dimension::Tokens), 300);
/// # Ok::<(), openlimit::AcquireError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Charge {
    /// The prompt and the largest output: `prompt + n * max output`.
    ///
    /// Source: OpenAI's help centre, "How can I solve 429: 'Too Many Requests' errors?". It covers all that
    /// the call can use, whichever way the provider estimates it.
    #[default]
    Sum,
    /// The larger of the largest output and an estimate of the prompt, a token for every four characters.
    ///
    /// Source: OpenAI's guide to rate limits, which names the maximum of `max_tokens` and an estimate from the
    /// character count; that it is a quarter is OpenAI's rule of thumb for English. What is no text (images, sounds,
    /// files, token arrays, the frames of messages) is estimated as it is counted.
    OpenAi,
}

impl Charge {
    pub(super) fn tokens(self, input: u64, estimate: u64, output: u64) -> u64 {
        match self {
            Self::Sum => input.saturating_add(output),
            Self::OpenAi => estimate.max(output),
        }
    }
}
