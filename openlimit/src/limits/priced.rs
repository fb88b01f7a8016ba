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
}
