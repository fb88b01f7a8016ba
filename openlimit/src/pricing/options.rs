//! `PriceOptions`: what a limiter's builder says about pricing.

use super::charge::Charge;
use crate::tokenizer::Plugged;

/// What pricing needs to know of the limiter.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct PriceOptions {
    /// Output tokens of a request that names no maximum.
    pub(crate) default_output: u64,
    /// What counts in place of this library's own counter.
    pub(crate) tokenizer: Option<Plugged>,
    /// What a request takes of a limit on tokens.
    pub(crate) charge: Charge,
}

impl Default for PriceOptions {
    /// 16: what OpenAI itself appears to reserve for a request that names no maximum.
    fn default() -> Self {
        Self { default_output: 16, tokenizer: None, charge: Charge::Sum }
    }
}
