//! `Grammar`: what a provider's folder implements, and the price that follows from it.

use serde::Serialize;

use super::fields::Fields;
use super::outline::Outline;
use super::plain::{IsUnknown, Plain};
use super::tally::Total;
use super::unknown::{Spot, UnknownReader};
use crate::pricing::options::PriceOptions;
use crate::pricing::walk::{ValueReader, walk};
use crate::{Cost, ParamsError, Usage};

/// The grammar of one kind of request.
pub(crate) trait Grammar {
    /// What the prices depend on in a model.
    type Model;

    /// A place in a request, which has a rule for the values there.
    type Place: Copy + From<Plain> + IsUnknown + 'static;

    /// Counts the values that it is shown.
    type Reader<'a>: ValueReader<Place = Self::Place>
    where
        Self: 'a;

    /// The place of the request itself.
    const PARAMS: Self::Place;

    fn fields(&self) -> &Fields<Self::Place>;

    fn model(name: &str) -> Self::Model;

    /// Creates the reader of one request.
    fn reader<'a>(&'a self, outline: &'a Outline<Self::Model>, options: &'a PriceOptions)
    -> Self::Reader<'a>;

    /// Returns the input that the reader has counted.
    fn input(reader: &Self::Reader<'_>) -> Total;

    /// Returns the number of replies that the request asks for.
    fn replies(&self, _: &Self::Reader<'_>, outline: &Outline<Self::Model>) -> u64 {
        outline.choices
    }

    /// Returns the output to reserve for each reply.
    fn output(outline: &Outline<Self::Model>, options: &PriceOptions) -> u64;
}

/// Returns the cost of a request.
///
/// # Errors
/// If a field is missing or has the wrong shape, the params' own `Serialize` fails, or the model
/// has no price in dollars although the limiter has prices.
pub(crate) fn price<G: Grammar, T: Serialize + ?Sized>(
    grammar: &G,
    params: &T,
    options: &PriceOptions,
) -> Result<Cost, ParamsError> {
    let fields = grammar.fields();
    let outline = Outline::of(params, fields, options, G::model)?;
    let mut reader = grammar.reader(&outline, options);
    walk(&mut reader, G::PARAMS, params).map_err(|failed| fields.failed(&failed))?;
    let input = G::input(&reader);
    let (replies, longest) = (grammar.replies(&reader, &outline), G::output(&outline, options));
    let output = longest.saturating_mul(replies);
    let tokens = options.charge.tokens(input.tokens, input.estimate, output);
    let cost =
        Cost::derived(tokens, input.tokens, output).of_choices(replies, outline.output == Some(longest));
    match &options.price {
        None => Ok(cost),
        Some(price) => {
            let spend = |output| price.of(outline.name(), &Usage::new(input.tokens, output));
            let whole = spend(output)?;
            // Without it, the call reserves the price of all that it names.
            let of_prompt = if options.learns { spend(0).ok() } else { None };
            Ok(cost.priced_at(outline.name(), whole, of_prompt))
        }
    }
}

/// Returns the paths of the fields that count as their text because no rule names them.
///
/// # Errors
/// If the params have no price, with the same error.
pub(crate) fn unknown_fields<G: Grammar, T: Serialize + ?Sized>(
    grammar: &G,
    params: &T,
) -> Result<Vec<String>, ParamsError> {
    let (fields, options) = (grammar.fields(), PriceOptions::default());
    let outline = Outline::of(params, fields, &options, G::model)?;
    let mut reader = UnknownReader::new(grammar.reader(&outline, &options));
    walk(&mut reader, Spot::params(G::PARAMS), params).map_err(|failed| fields.failed(&failed))?;
    Ok(reader.unknown())
}
