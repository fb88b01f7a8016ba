//! `Priced`: the parts of a cost that was read from a request.
//!
//! A cost is a list of sums. What a limiter learns is about their parts: how many tokens the prompt
//! has, and how many the reply may have.

use std::sync::Arc;

/// The parts of the cost of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Priced {
    /// The tokens of the prompt, as this library counts them.
    pub(crate) input: u64,
    /// The largest output, for all choices together.
    pub(crate) output: u64,
    /// The number of choices that share the output: `n` for each prompt.
    pub(crate) choices: u32,
    /// True if the request names its largest output. Otherwise it is a default.
    pub(crate) is_named: bool,
    /// True if the cost in `tokens` is the sum of both.
    pub(crate) is_sum: bool,
    /// The model by whose price in dollars the cost was computed, if it was.
    pub(crate) model: Option<Arc<str>>,
    /// What the prompt costs, and what the largest output does, in millionths of a dollar, if both
    /// are known.
    pub(crate) spend: Option<(u64, u64)>,
}

impl Priced {
    /// Returns what the call would cost in money with other numbers of tokens, if that is known.
    ///
    /// Each part is in proportion to its tokens, as all providers' prices are. Where one is not,
    /// because a long prompt changes it, the call is settled by the real one.
    pub(crate) fn spend_of(&self, input: u64, output: u64) -> Option<u64> {
        let (of_prompt, of_output) = self.spend?;
        let part = |price: u64, tokens: u64, of: u64| match of {
            0 => price,
            _ => {
                let part = (u128::from(price) * u128::from(tokens)).div_ceil(of.into());
                u64::try_from(part).unwrap_or(u64::MAX)
            }
        };
        Some(part(of_prompt, input, self.input).saturating_add(part(of_output, output, self.output)))
    }
}
