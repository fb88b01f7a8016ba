//! OpenAI's requests: chat completions, completions, embeddings and responses.
//!
//! A request is read twice. Clients write the fields in any order, as a rule `messages` before
//! `model`, and no text can be counted before the encoding of the model is known. Keeping the texts
//! would mean copying them. So the first reading finds the model and the numbers, without looking
//! into any list or map. The second reading counts.
//!
//! | file | contains |
//! | --- | --- |
//! | `formula` | the constants that are added to the tokens of texts, each with its source |
//! | `images` | the price of an image, by model, detail and size |
//! | `place` | `Place`: the places of a request, each of which has a rule |
//! | `shape` | `Shape`: the fields of each kind of request |
//! | `outline` | the first reading: the model, the numbers, a check of the shape |
//! | `tally` | `Tally`: the tokens that the second reading has counted so far |
//! | `grammar` | the second reading: the rules for each place |
//!
//! A file imports only from files above it.

mod formula;
mod grammar;
mod images;
mod outline;
mod place;
mod shape;
mod tally;

use serde::Serialize;

use self::outline::Outline;
pub(super) use self::shape::Shape;
use super::options::PriceOptions;
use crate::tokenizer::Counting;
use crate::{Cost, ParamsError};

/// Returns the cost of a request of this shape.
pub(super) fn price<T: Serialize + ?Sized>(
    shape: &Shape,
    params: &T,
    options: &PriceOptions,
) -> Result<Cost, ParamsError> {
    let outline = Outline::of(params, shape, options.tokenizer.is_some())?;
    let counting = match &options.tokenizer {
        None => Counting::Own(outline.model.encoding),
        Some(tokenizer) => Counting::Plugged(tokenizer, &outline.name),
    };
    let input = grammar::count(params, shape, &outline, counting)?;
    let choices = outline.choices.saturating_mul(input.prompts);
    let output = if shape.replies {
        outline.output.unwrap_or(options.default_output).saturating_mul(choices)
    } else {
        0
    };
    let tokens = options.charge.tokens(input.tokens, input.estimate, output);
    Ok(Cost::derived(tokens, input.tokens, output).of_choices(choices, outline.output.is_some()))
}

/// Returns the paths of the fields that count as their text because they are unknown.
///
/// # Errors
/// If the params have no price, with the same error.
pub(super) fn unknown_fields<T: Serialize + ?Sized>(
    shape: &Shape,
    params: &T,
) -> Result<Vec<String>, ParamsError> {
    let outline = Outline::of(params, shape, false)?;
    grammar::unknown_fields(params, shape, &outline)
}
