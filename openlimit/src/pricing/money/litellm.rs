//! Reads LiteLLM's `model_prices_and_context_window.json`: a map from models to maps of prices.
//!
//! The file has hundreds of kinds of keys, and more come every week. So what is not known is
//! skipped. A known key with a wrong value is an error, since the model would be too cheap.

use std::collections::HashMap;

use super::tariff::{ModelPrices, TokenPrices, units};
use crate::pricing::walk::{Body, Number, ValueReader, walk};

/// The entry that explains the format. Its prices are zero.
const SAMPLE: &str = "sample_spec";

/// Units of a price in a dollar.
const UNITS: f64 = 1e15;

/// Reads the prices of all models.
pub(super) fn read(json: &str) -> Result<HashMap<Box<str>, ModelPrices>, String> {
    let mut reader = Reader { models: HashMap::new(), model: Box::default(), key: None, problem: None };
    // Only a value's own `Serialize` can fail, and JSON's does not.
    let _ = walk(&mut reader, Place::Models, &Body { json, model: None });
    let Reader { mut models, problem, .. } = reader;
    if let Some(problem) = problem {
        return Err(problem);
    }
    models.retain(|_, prices| prices.base.input.or(prices.base.output).is_some());
    if models.is_empty() {
        return Err(
            "expected a map from models to prices such as `\"input_cost_per_token\": 2.5e-06`, found none"
                .into(),
        );
    }
    Ok(models)
}

struct Reader {
    models: HashMap<Box<str>, ModelPrices>,
    /// The model that is read.
    model: Box<str>,
    /// The price that is read.
    key: Option<Key>,
    /// The first mistake.
    problem: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Models,
    Model,
    Price,
}

/// Which price of a model a key is.
struct Key {
    name: Box<str>,
    /// The input above which it applies.
    above: Option<u64>,
    part: fn(&mut TokenPrices) -> &mut Option<u64>,
}

impl Key {
    fn of(name: &str) -> Option<Self> {
        let (start, above) = match name.split_once("_above_") {
            None => (name, None),
            Some((start, rest)) => {
                let thousands: u64 = rest.strip_suffix("k_tokens")?.parse().ok()?;
                (start, Some(thousands.saturating_mul(1_000)))
            }
        };
        let part: fn(&mut TokenPrices) -> &mut Option<u64> = match start {
            "input_cost_per_token" => |prices| &mut prices.input,
            "cache_read_input_token_cost" => |prices| &mut prices.cached,
            "cache_creation_input_token_cost" => |prices| &mut prices.written,
            "output_cost_per_token" => |prices| &mut prices.output,
            _ => return None,
        };
        Some(Self { name: name.into(), above, part })
    }
}

impl Reader {
    /// Sets the price that is read; `None` if the value is no number.
    fn set(&mut self, price: Option<f64>, found: &str) {
        let Some(Key { name, above, part }) = self.key.take() else { return };
        let Some(units) = price.and_then(|price| units(price, UNITS)) else {
            let model = &self.model;
            self.problem.get_or_insert_with(|| {
                format!(
                    "`{name}` of the model {model:?} must be a non-negative number of dollars, found {found}"
                )
            });
            return;
        };
        let model = self.models.entry(self.model.clone()).or_default();
        let prices = match above {
            None => &mut model.base,
            Some(above) => model.above.entry(above).or_default(),
        };
        *part(prices) = Some(units);
    }
}

impl ValueReader for Reader {
    type Place = Place;

    fn field(&mut self, at: &mut Place, key: &str) -> Option<Place> {
        match at {
            Place::Models if key != SAMPLE => {
                self.model = key.into();
                Some(Place::Model)
            }
            Place::Model => {
                self.key = Key::of(key);
                self.key.as_ref().map(|_| Place::Price)
            }
            _ => None,
        }
    }

    fn item(&mut self, _: &mut Place) -> Option<Place> {
        None
    }

    fn map(&mut self, at: Place) {
        if at == Place::Price {
            self.set(None, "a map");
        }
    }

    fn list(&mut self, at: Place) {
        if at == Place::Price {
            self.set(None, "a list");
        }
    }

    /// A null is no price.
    fn null(&mut self, _: Place) {}

    fn boolean(&mut self, at: Place) {
        if at == Place::Price {
            self.set(None, "a boolean");
        }
    }

    fn number(&mut self, at: Place, number: Number) {
        if at == Place::Price {
            self.set(Some(number.as_f64()), &number.to_string());
        }
    }

    /// Some files have numbers as text.
    fn text(&mut self, at: Place, text: &str) {
        if at == Place::Price {
            self.set(text.trim().parse().ok(), &format!("{text:?}"));
        }
    }
}
