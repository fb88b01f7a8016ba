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
//! rules of one family of places each. A field that OpenAI adds is a line in one of them.

mod formats;
mod media;
mod messages;
mod plain;
mod prompts;
mod rules;
mod tools;

use serde::Serialize;

use self::rules::Rules;
use super::outline::{Model, Outline};
use super::place::Place;
use super::shape::Shape;
use super::tally::{Tally, Total};
use crate::ParamsError;
use crate::pricing::walk::{Number, ValueReader, walk};
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
    let Model { formula, images, .. } = outline.model;
    let mut tally = Tally::new(formula, images, counting);
    if shape.framed {
        tally.add(formula.reply);
    }
    let mut reader = PromptReader { shape, tally };
    walk(&mut reader, Place::Params, params).map_err(|failed| shape.failed(&failed))?;
    Ok(reader.tally.total())
}

struct PromptReader<'a> {
    shape: &'a Shape,
    tally: Tally<'a>,
}

/// Reads a value by the rules of the family that its place belongs to.
macro_rules! by_family {
    ($place:expr, $params:expr, $rules:ident => $read:expr) => {
        match $place {
            Place::Params => $params,
            Place::Plain($rules) => $read,
            Place::Prompt($rules) => $read,
            Place::Message($rules) => $read,
            Place::Media($rules) => $read,
            Place::Tool($rules) => $read,
            Place::Format($rules) => $read,
        }
    };
}

impl ValueReader for PromptReader<'_> {
    type Place = Place;

    #[inline]
    fn field(&mut self, place: &mut Place, key: &str) -> Option<Place> {
        by_family!(place, self.shape.counted(key), rules => rules.field(&mut self.tally, key))
    }

    #[inline]
    fn item(&mut self, place: &mut Place) -> Option<Place> {
        by_family!(place, None, rules => rules.item(&mut self.tally))
    }

    #[inline]
    fn map(&mut self, place: Place) {
        by_family!(place, (), rules => rules.map(&mut self.tally));
    }

    #[inline]
    fn list(&mut self, place: Place) {
        by_family!(place, (), rules => rules.list(&mut self.tally));
    }

    #[inline]
    fn null(&mut self, place: Place) {
        by_family!(place, (), rules => rules.null(&mut self.tally));
    }

    #[inline]
    fn boolean(&mut self, place: Place) {
        by_family!(place, (), rules => rules.boolean(&mut self.tally));
    }

    #[inline]
    fn number(&mut self, place: Place, number: Number) {
        by_family!(place, (), rules => rules.number(&mut self.tally, number));
    }

    #[inline]
    fn text(&mut self, place: Place, text: &str) {
        by_family!(place, (), rules => rules.text(&mut self.tally, text));
    }
}
