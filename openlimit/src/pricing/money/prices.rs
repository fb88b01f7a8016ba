//! `Prices`: what the tokens of each model cost, by a file.
//!
//! A file, and no list in the program: it can be replaced without a release of this library.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, fs};

use super::litellm;
use super::tariff::ModelPrices;
use crate::{Dollars, Usage};

/// The prices of models, from a file. A value of [`Builder::prices`](crate::Builder::prices).
///
/// The file is LiteLLM's [`model_prices_and_context_window.json`], or one that has the same keys:
/// dollars for each token, by the name of the model. It is found by the exact name that requests
/// have, or that the key [`model`](crate::Builder::model) names.
///
/// | key | price of |
/// | --- | --- |
/// | `input_cost_per_token` | input that no cache served or stored |
/// | `cache_read_input_token_cost` | input that a cache served; by default that of input |
/// | `cache_creation_input_token_cost` | input that a cache stored; by default that of input |
/// | `output_cost_per_token` | output |
/// | any of them with `_above_200k_tokens`, or another number of thousands | the same in calls whose whole input is longer |
///
/// All other keys are ignored: those for batches, tiers of service, images, sounds and searches. A
/// model without a price per token has none here.
///
/// ```
/// use openlimit::{Dollars, Prices, Usage};
///
/// let prices = Prices::from_json(br#"{
///     "m-1": { "input_cost_per_token": 2.5e-06, "output_cost_per_token": 1e-05, "mode": "chat" }
/// }"#)?;
/// assert_eq!(prices.of("m-1", &Usage::new(1_000, 100)), Some(Dollars::from_micros(3_500)));
/// assert_eq!(prices.of("m-2", &Usage::new(1_000, 100)), None);
/// # Ok::<(), openlimit::PricesError>(())
/// ```
///
/// [`model_prices_and_context_window.json`]:
///     https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json
#[derive(Clone)]
pub struct Prices(Arc<HashMap<Box<str>, ModelPrices>>);

impl Prices {
    /// Reads prices from the bytes of a file.
    ///
    /// # Errors
    /// The bytes are not UTF-8, no model in them has a price, or a price is negative or too large.
    pub fn from_json(json: &[u8]) -> Result<Self, PricesError> {
        litellm::read(json).map(|models| Self(Arc::new(models))).map_err(PricesError)
    }

    /// Reads prices from a file.
    ///
    /// # Errors
    /// The file cannot be read, or holds no prices: see [`from_json`](Self::from_json).
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, PricesError> {
        let path = path.as_ref();
        let json = fs::read(path).map_err(|error| PricesError(format!("{}: {error}", path.display())));
        Self::from_json(&json?)
            .map_err(|PricesError(problem)| PricesError(format!("{}: {problem}", path.display())))
    }

    /// Returns what a call of a model costs, rounded up to a millionth of a dollar; `None` if the
    /// model has no price.
    #[must_use]
    pub fn of(&self, model: &str, usage: &Usage) -> Option<Dollars> {
        self.0.get(model)?.of(usage)
    }

    /// Returns the number of models that have a price.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "it is never empty")]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Debug for Prices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prices({} models)", self.len())
    }
}

/// The error of a file that holds no prices, or wrong ones.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the prices: {0}")]
pub struct PricesError(String);
