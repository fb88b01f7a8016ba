//! `PriceOptions`: the options of a limiter that pricing reads.

use super::charge::Charge;
use super::money::SpendPrice;
use crate::error::BuildProblem;
use crate::limits::{Dollars, Usage};
use crate::tokenizer::{Factor, Plugged};

/// The options of a limiter for pricing.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PriceOptions {
    /// The output tokens to expect of a request. Each grammar has its own default.
    pub(crate) default_output: Option<u64>,
    /// The counter in place of this library's own.
    pub(crate) tokenizer: Option<Plugged>,
    /// The factor for counts of texts, in place of the model's.
    pub(crate) input_factor: Option<f64>,
    /// The model of requests that name none.
    pub(crate) model: Option<String>,
    /// The rule by which a request takes from a limit on tokens.
    pub(crate) charge: Charge,
    /// What requests cost in dollars.
    pub(crate) price: Option<SpendPrice>,
    /// True if calls may reserve another number of tokens than they name, which has another price.
    pub(crate) learns: bool,
}

impl PriceOptions {
    /// Returns true if a cost in tokens is the sum of prompt and output.
    pub(crate) fn sums(&self) -> bool {
        self.charge == Charge::Sum
    }

    /// Returns true if requests have a price in dollars.
    pub(crate) fn has_price(&self) -> bool {
        self.price.is_some()
    }

    /// Says if calls may reserve another number of tokens than they name.
    pub(crate) fn learning(self, learns: bool) -> Self {
        Self { learns, ..self }
    }

    /// Returns what a call of a model costs, if there is a price for it.
    pub(crate) fn spend(&self, model: &str, usage: &Usage) -> Option<Dollars> {
        self.price.as_ref()?.of(model, usage).ok()
    }

    /// Checks the options.
    pub(crate) fn check(&self) -> Result<(), BuildProblem> {
        match self.input_factor {
            Some(factor) if Factor::new(factor).is_none() => Err(BuildProblem::InputFactor(factor)),
            _ => Ok(()),
        }
    }
}
