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
use self::shape::Shape;
use super::options::PriceOptions;
use crate::tokenizer::Counting;
use crate::{Cost, ParamsError};

/// Returns the cost of a chat completion.
pub(super) fn chat<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError> {
    price(&Shape::CHAT, params, options)
}

/// Returns the cost of a completion or an edit.
pub(super) fn completion<T: Serialize + ?Sized>(
    params: &T,
    options: &PriceOptions,
) -> Result<Cost, ParamsError> {
    price(&Shape::COMPLETION, params, options)
}

/// Returns the cost of an embedding.
pub(super) fn embedding<T: Serialize + ?Sized>(
    params: &T,
    options: &PriceOptions,
) -> Result<Cost, ParamsError> {
    price(&Shape::EMBEDDING, params, options)
}

/// Returns the cost of a response.
pub(super) fn responses<T: Serialize + ?Sized>(
    params: &T,
    options: &PriceOptions,
) -> Result<Cost, ParamsError> {
    price(&Shape::RESPONSES, params, options)
}

fn price<T: Serialize + ?Sized>(
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
    let output = if shape.replies {
        let each = outline.output.unwrap_or(options.default_output);
        each.saturating_mul(outline.choices).saturating_mul(input.prompts)
    } else {
        0
    };
    let tokens = options.charge.tokens(input.tokens, input.estimate, output);
    Ok(Cost::derived(tokens, input.tokens, output))
}
