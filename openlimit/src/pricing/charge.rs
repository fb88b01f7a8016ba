//! `Charge`: the amount that a provider takes from a limit on tokens when it admits a request.
//!
//! OpenAI's own pages disagree about it: one adds prompt and output, another takes the larger. So
//! it is a setting of the limiter, and the default is the rule that is safe under both.

/// The rule by which a request takes from a limit on `tokens`, before its real usage is known.
///
/// The rule does not affect other limits: `input_tokens` are always the tokens of the prompt, and
/// `output_tokens` always the largest output that the request allows, for every choice and prompt.
///
/// ```
/// use openlimit::{Charge, ChatRateLimiter, Dimension, limiter};
/// use serde_json::json;
///
/// limiter! {
///     static CHAT: ChatRateLimiter = { tokens: 40_000 / minute, admission: Charge::OpenAi };
/// }
///
/// // The prompt has 13 tokens, so `Charge::Sum` would take 313.
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
    /// It covers everything that the call can use, whichever way the provider estimates it. Source:
    /// OpenAI's help centre, "How can I solve 429: 'Too Many Requests' errors?".
    #[default]
    Sum,
    /// The larger of the largest output and an estimate of the prompt at four characters a token.
    ///
    /// Content other than text (images, sounds, files, token arrays, the frames of messages) counts
    /// in the estimate as in the prompt. Source: OpenAI's guide to rate limits, which says "the
    /// maximum of `max_tokens` and an estimate from the character count". Four characters a token
    /// is OpenAI's rule of thumb for English.
    OpenAi,
}

impl Charge {
    /// Returns the charge for a request: its input in tokens, the estimate of its input, and its
    /// largest output.
    pub(super) fn tokens(self, input: u64, estimate: u64, output: u64) -> u64 {
        match self {
            Self::Sum => input.saturating_add(output),
            Self::OpenAi => estimate.max(output),
        }
    }
}
