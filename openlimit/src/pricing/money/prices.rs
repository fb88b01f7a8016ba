//! `Prices`: what the tokens of each model cost, by a file.
//!
//! A file, and no list in the program: it can be replaced without a release of this library.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, fs};

use super::genai::{self, Providers};
use super::litellm;
use super::tariff::ModelPrices;
use crate::{Dollars, Usage};

/// The prices of models, from a file. A value of [`Builder::prices`](crate::Builder::prices).
///
/// Two formats are read, and told apart by their first character. All prices are in dollars. What
/// the tables do not name is skipped: prices for batches, tiers of service, images, sounds, videos,
/// searches, reasoning, and for what a cache stores for an hour. A model without a price per token
/// has none here.
///
/// # LiteLLM
///
/// Its [`model_prices_and_context_window.json`], or a file with the same keys: a map from the names
/// of models to prices of a token. A model is found by the exact name that requests have, or that
/// the key [`model`](crate::Builder::model) names.
///
/// | key | price of |
/// | --- | --- |
/// | `input_cost_per_token` | input that no cache served or stored |
/// | `cache_read_input_token_cost` | input that a cache served; by default that of input |
/// | `cache_creation_input_token_cost` | input that a cache stored; by default that of input |
/// | `output_cost_per_token` | output |
/// | any of them with `_above_200k_tokens`, or another number of thousands | the same in calls whose whole input is longer |
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
/// # genai-prices
///
/// Its [`data.json`] or `data_slim.json`: a list of providers, each with a list of models. One
/// model has different prices at different providers, so [name yours](Self::provider). Otherwise it
/// is the first provider whose `model_match` fits the name of the model. Its first model whose
/// `match` fits counts. If there is none, those of its `fallback_model_providers` are searched.
///
/// | key | price of |
/// | --- | --- |
/// | `input_mtok` | a million tokens of input that no cache served or stored |
/// | `cache_read_mtok`, `cache_write_mtok` | the same that a cache served or stored; by default that of input |
/// | `output_mtok` | a million tokens of output |
/// | `requests_kcount` | a thousand calls |
///
/// A price may have `tiers`, which replace it in calls whose whole input is longer than their
/// `start`. A list of prices has a `constraint` for each: the last one that is met counts, by the
/// date (`start_date`) or the time of day (`start_time`, `end_time`) in UTC. A `regex` may consist
/// of literals, sets, groups and counts. A file with another one, or with any clause or constraint
/// that is not known here, is an error, since its prices could be wrong.
///
/// ```
/// use openlimit::{Dollars, Prices, Usage};
///
/// let prices = Prices::from_json(br#"[{
///     "id": "acme",
///     "models": [{
///         "id": "m-1",
///         "match": { "starts_with": "m-1" },
///         "prices": { "input_mtok": 2.5, "output_mtok": { "base": 10, "tiers": [] } }
///     }]
/// }]"#)?;
/// let prices = prices.provider("acme")?;
/// assert_eq!(prices.of("m-1-mini", &Usage::new(1_000, 100)), Some(Dollars::from_micros(3_500)));
/// # Ok::<(), openlimit::PricesError>(())
/// ```
///
/// [`model_prices_and_context_window.json`]:
///     https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json
/// [`data.json`]: https://github.com/pydantic/genai-prices/tree/main/prices/new_data/v2
#[derive(Clone)]
pub struct Prices(Source);

#[derive(Clone)]
enum Source {
    /// By the name of the model.
    Models(Arc<HashMap<Box<str>, ModelPrices>>),
    /// And the place of the one that the program has named.
    Providers(Arc<Providers>, Option<usize>),
}

impl Prices {
    /// Reads prices from the bytes of a file.
    ///
    /// # Errors
    /// The bytes are not UTF-8, no model in them has a price, a price is negative or too large, or
    /// it is not understood which models or times it is for.
    pub fn from_json(json: &[u8]) -> Result<Self, PricesError> {
        Source::read(json).map(Self).map_err(PricesError)
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

    /// Keeps the prices of one provider of a file of genai-prices, by its `id`: `openai`, `azure`,
    /// `openrouter`.
    ///
    /// # Errors
    /// The file has no such provider, or is LiteLLM's, which lists models by their names alone.
    pub fn provider(self, id: &str) -> Result<Self, PricesError> {
        let Source::Providers(providers, _) = self.0 else {
            let problem =
                format!("expected a file of genai-prices to find the provider {id:?}, found LiteLLM's");
            return Err(PricesError(problem));
        };
        match providers.find(id) {
            Some(place) => Ok(Self(Source::Providers(providers, Some(place)))),
            None => {
                let known: Vec<_> = providers.ids().map(|id| format!("`{id}`")).collect();
                Err(PricesError(format!("expected one of the providers {}, found {id:?}", known.join(", "))))
            }
        }
    }

    /// Returns what a call of a model costs now, rounded up to a millionth of a dollar; `None` if
    /// the model has no price.
    #[must_use]
    pub fn of(&self, model: &str, usage: &Usage) -> Option<Dollars> {
        match &self.0 {
            Source::Models(models) => models.get(model)?.of(usage),
            Source::Providers(..) => self.of_at(model, usage, SystemTime::now()),
        }
    }

    /// Returns what a call of a model costs at another time, where the file has prices for dates or
    /// times of day.
    #[must_use]
    pub fn of_at(&self, model: &str, usage: &Usage, time: SystemTime) -> Option<Dollars> {
        match &self.0 {
            Source::Models(_) => self.of(model, usage),
            Source::Providers(providers, provider) => {
                let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
                providers.of(*provider, model, usage, seconds)
            }
        }
    }

    /// Returns the number of models that have a price.
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a file without models is an error")]
    pub fn len(&self) -> usize {
        match &self.0 {
            Source::Models(models) => models.len(),
            Source::Providers(providers, provider) => providers.len(*provider),
        }
    }
}

impl Source {
    fn read(json: &[u8]) -> Result<Self, String> {
        let json = str::from_utf8(json).map_err(|_| "expected JSON, found bytes that are not UTF-8")?;
        if json.trim_start().starts_with('[') {
            return genai::read(json).map(|providers| Self::Providers(Arc::new(providers), None));
        }
        litellm::read(json).map(|models| Self::Models(Arc::new(models)))
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
