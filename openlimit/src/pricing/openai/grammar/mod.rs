//! The second reading of a request, which counts what the model gets to read.
//!
//! A grammar here is a set of places and rules. [`Place`] names the places where a value can stand,
//! and [`Rules`] say for each place what a value there adds and where its parts stand.
//!
//! # The rules
//!
//! Three decide about a field:
//!
//! 1. Content that the model reads is counted.
//! 2. Content that only the API reads (ids, types, log probabilities) is skipped.
//! 3. Unknown content counts as its text. An estimate that is too high wastes a little of the
//!    limit. One that is too low breaks it.
//!
//! Images, sounds and files have prices of their own, and their bytes are never counted as text.
//!
//! # An example
//!
//! The request
//!
//! ```json
//! { "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hi", "name": "bob" }] }
//! ```
//!
//! is read from `Place::Params` on:
//!
//! | value | place | adds |
//! | --- | --- | --- |
//! | the request | `Params` | 3 for the start of the reply |
//! | `"gpt-4o"` | none: only the API reads it | 0 |
//! | the list | `Message(All)` | 0 |
//! | the map | `Message(One)` | 3 for its frame, and 1 for a role |
//! | `"user"` | `Message(Role)` | 1 for the text, and -1, since the role is named |
//! | `"Hi"` | `Message(Content)` | 1 |
//! | `"bob"` | `Message(Name)` | 1 for the text, and 1 for a name |
//!
//! The sum is 10 tokens, as the cookbook's formula says: `3 + (3 + 1 + 1 + 1 + 1)`.
//!
//! # The files
//!
//! `rules` has the defaults, `plain`, `prompts`, `messages`, `media`, `tools` and `formats` the
//! rules of one family of places each. A field that OpenAI adds is a line in one of them. `reader`
//! picks the family of a place, and `unknown` lists the fields that no rule names.

mod formats;
mod media;
mod messages;
mod plain;
mod prompts;
mod reader;
mod rules;
mod tools;
mod unknown;

use serde::Serialize;

use self::reader::PromptReader;
use self::unknown::UnknownReader;
use super::outline::Outline;
use super::place::Place;
use super::shape::Shape;
use super::tally::Total;
use crate::ParamsError;
use crate::pricing::walk::walk;
use crate::tokenizer::Counting;

/// Counts the input of a request.
///
/// # Errors
/// If the params' own `Serialize` fails.
pub(super) fn count<T: Serialize + ?Sized>(
    params: &T,
    shape: &Shape,
    outline: &Outline,
    counting: Counting<'_>,
) -> Result<Total, ParamsError> {
    let mut reader = PromptReader::new(shape, outline.model, counting);
    walk(&mut reader, Place::Params, params).map_err(|failed| shape.failed(&failed))?;
    Ok(reader.total())
}

/// Returns the paths of the fields that [`count`] counts as their text because no rule names them.
///
/// # Errors
/// If the params' own `Serialize` fails.
pub(super) fn unknown_fields<T: Serialize + ?Sized>(
    params: &T,
    shape: &Shape,
    outline: &Outline,
) -> Result<Vec<String>, ParamsError> {
    let counting = Counting::Own(outline.model.encoding);
    let mut reader = UnknownReader::new(PromptReader::new(shape, outline.model, counting));
    walk(&mut reader, UnknownReader::PARAMS, params).map_err(|failed| shape.failed(&failed))?;
    Ok(reader.unknown())
}
