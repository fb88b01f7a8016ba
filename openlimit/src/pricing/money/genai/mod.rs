//! Reads the files of genai-prices: a list of providers, each with its models.
//!
//! A model is found as that project finds it. Its name is not in the file. The first provider that
//! knows the name by its `model_match`, or the one that the program names, is asked. Its first
//! model whose `match` says yes counts, then those of its `fallback_model_providers`.
//!
//! The format grows with the file. So what is not about the price of tokens is skipped. Of what
//! decides about a price, everything has to be understood, or the file is refused: a wrong price is
//! worse than none.
//!
//! | file | contains |
//! | --- | --- |
//! | `tree` | `Tree`: the values of a JSON text |
//! | `clause` | `Clause`: which names a model has |
//! | `pattern` | `Pattern`: a clause that is a regular expression |
//! | `when` | `When`: from which day on, or at which time of day, a price applies |
//!
//! Source: <https://github.com/pydantic/genai-prices>, `prices/new_data/v2/data.schema.json`.

mod clause;
mod pattern;
mod tree;
mod when;

use self::clause::Clause;
use self::tree::{Item, Tree};
use self::when::When;
use super::tariff::{ModelPrices, TokenPrices, units};
use crate::pricing::walk::{Body, walk};
use crate::{Dollars, Usage};

/// Units of a price of a million tokens, in a dollar: 10^-15 dollars for each token.
const MILLION_TOKENS: f64 = 1e9;

/// Units of a price of a thousand calls, in a dollar.
const THOUSAND_CALLS: f64 = 1e12;

/// The providers of a file.
#[derive(Debug)]
pub(super) struct Providers(Vec<Provider>);

#[derive(Debug)]
struct Provider {
    id: Box<str>,
    model_match: Option<Clause>,
    /// The providers to ask for a model that this one does not have.
    fallbacks: Vec<Box<str>>,
    models: Vec<Model>,
}

#[derive(Debug)]
struct Model {
    names: Clause,
    /// At least one. The last that applies counts, and the first if none does.
    prices: Vec<(When, ModelPrices)>,
}

/// Reads the providers of a file.
pub(super) fn read(json: &str) -> Result<Providers, String> {
    let mut tree = Tree::default();
    // Only a value's own `Serialize` can fail, and JSON's does not.
    let _ = walk(&mut tree, Tree::ROOT, &Body { json, model: None });
    let providers: Vec<_> = tree.root().items().map(Provider::read).collect::<Result<_, _>>()?;
    if providers.iter().all(|provider| provider.models.is_empty()) {
        return Err("expected a list of providers, each with its `models`, found no model".into());
    }
    Ok(Providers(providers))
}

impl Providers {
    /// Returns the place of a provider.
    pub(super) fn find(&self, id: &str) -> Option<usize> {
        self.0.iter().position(|provider| *provider.id == *id)
    }

    /// Returns the names of all providers.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|provider| &*provider.id)
    }

    /// Returns the number of models, of one provider or of all.
    pub(super) fn len(&self, provider: Option<usize>) -> usize {
        match provider {
            Some(place) => self.0[place].models.len(),
            None => self.0.iter().map(|provider| provider.models.len()).sum(),
        }
    }

    /// Returns what a call costs that is made so many seconds after 1970 began.
    pub(super) fn of(
        &self,
        provider: Option<usize>,
        model: &str,
        usage: &Usage,
        seconds: u64,
    ) -> Option<Dollars> {
        let model = model.to_lowercase();
        let knows =
            |provider: &&Provider| provider.model_match.as_ref().is_some_and(|names| names.has(&model));
        let provider = match provider {
            Some(place) => &self.0[place],
            None => self.0.iter().find(knows)?,
        };
        let others = provider.fallbacks.iter().filter_map(|id| self.find(id)).map(|place| &self.0[place]);
        [provider].into_iter().chain(others).find_map(|provider| provider.model(&model))?.of(usage, seconds)
    }
}

impl Provider {
    fn read(item: Item<'_>) -> Result<Self, String> {
        let id =
            item.get("id").and_then(Item::text).ok_or("expected an `id` of each provider, found none")?;
        let named = |problem| format!("the provider {id:?}: {problem}");
        let model_match = item.get("model_match").map(Clause::read).transpose().map_err(named)?;
        let fallbacks = item.get("fallback_model_providers").into_iter().flat_map(Item::items);
        let models = item.get("models").into_iter().flat_map(Item::items);
        Ok(Self {
            id: id.into(),
            model_match,
            fallbacks: fallbacks.filter_map(Item::text).map(Into::into).collect(),
            models: models.map(Model::read).collect::<Result<_, _>>().map_err(named)?,
        })
    }

    /// Returns the first model that has this name.
    fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.names.has(name))
    }
}

impl Model {
    fn read(item: Item<'_>) -> Result<Self, String> {
        let id = item.get("id").and_then(Item::text).unwrap_or_default();
        let named = |problem| format!("the model {id:?}: {problem}");
        let names = item.get("match").ok_or_else(|| named("expected a `match`, found none".into()))?;
        let names = Clause::read(names).map_err(named)?;
        let prices = match item.get("prices") {
            Some(list) if list.is_list() => list.items().map(conditional).collect(),
            Some(prices) => model_prices(prices).map(|prices| vec![(When::Always, prices)]),
            None => Ok(Vec::new()),
        };
        let prices = prices.map_err(named)?;
        if prices.is_empty() {
            return Err(named("expected `prices`, found none".into()));
        }
        Ok(Self { names, prices })
    }

    fn of(&self, usage: &Usage, seconds: u64) -> Option<Dollars> {
        let applies = self.prices.iter().rfind(|(when, _)| when.includes(seconds));
        let (_, prices) = applies.or(self.prices.first())?;
        prices.of(usage)
    }
}

/// Reads prices with the condition under which they apply.
fn conditional(item: Item<'_>) -> Result<(When, ModelPrices), String> {
    let when = item.get("constraint").map_or(Ok(When::Always), When::read)?;
    let prices = item.get("prices").ok_or("expected `prices` beside each `constraint`, found none")?;
    Ok((when, model_prices(prices)?))
}

/// Reads the prices of one model. Those of images, sounds, videos, searches and reasoning are
/// skipped, as a usage does not say how many tokens are of these.
fn model_prices(item: Item<'_>) -> Result<ModelPrices, String> {
    let mut prices = ModelPrices::default();
    for (key, value) in item.entries() {
        let (part, scale): (fn(&mut TokenPrices) -> &mut Option<u64>, _) = match key {
            "input_mtok" => (|prices| &mut prices.input, MILLION_TOKENS),
            "cache_read_mtok" => (|prices| &mut prices.cached, MILLION_TOKENS),
            "cache_write_mtok" => (|prices| &mut prices.written, MILLION_TOKENS),
            "output_mtok" => (|prices| &mut prices.output, MILLION_TOKENS),
            "requests_kcount" => (|prices| &mut prices.call, THOUSAND_CALLS),
            _ => continue,
        };
        let price = |value: Option<Item<'_>>| {
            let price = value.and_then(Item::number).and_then(|price| units(price, scale));
            let found = || value.map_or_else(|| "nothing".into(), Item::shown);
            price
                .ok_or_else(|| format!("`{key}` must be a non-negative number of dollars, found {}", found()))
        };
        if !value.is_map() {
            *part(&mut prices.base) = Some(price(Some(value))?);
            continue;
        }
        *part(&mut prices.base) = Some(price(value.get("base"))?);
        for tier in value.get("tiers").into_iter().flat_map(Item::items) {
            let start = tier.get("start").and_then(Item::number).and_then(|start| units(start, 1.0));
            let start = start.ok_or_else(|| {
                format!("a tier of `{key}` must have a `start`, a non-negative number of tokens")
            })?;
            *part(prices.above.entry(start).or_default()) = Some(price(tier.get("price"))?);
        }
    }
    Ok(prices)
}
