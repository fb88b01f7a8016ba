//! `PriceOptions`: the options of a limiter that pricing reads.

use super::charge::Charge;
use crate::tokenizer::Plugged;

/// The options of a limiter for pricing.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct PriceOptions {
    /// The output tokens of a request without a maximum.
    pub(crate) default_output: u64,
    /// The counter in place of this library's own.
    pub(crate) tokenizer: Option<Plugged>,
    /// The rule by which a request takes from a limit on tokens.
    pub(crate) charge: Charge,
}

impl PriceOptions {
    /// Returns true if a cost in tokens is the sum of prompt and output.
    pub(crate) fn sums(&self) -> bool {
        self.charge == Charge::Sum
    }
}

impl Default for PriceOptions {
    fn default() -> Self {
        Self { default_output: DEFAULT_OUTPUT, tokenizer: None, charge: Charge::Sum }
    }
}

/// The output tokens that OpenAI itself appears to reserve for a request without a maximum.
const DEFAULT_OUTPUT: u64 = 16;
