//! `PromptReader`: counts a request by the rules of its places.
//!
//! It knows no rule itself. It picks the family that a place belongs to, and the request's own
//! fields from its `Shape`.

use super::rules::Rules;
use crate::pricing::common::Total;
use crate::pricing::openai::place::Place;
use crate::pricing::openai::shape::Shape;
use crate::pricing::openai::tally::{Model, OpenAi, Tally};
use crate::pricing::walk::{Number, ValueReader};
use crate::tokenizer::{Factor, TextCounter};

/// Counts the values that it is shown.
pub(crate) struct PromptReader<'a> {
    shape: &'a Shape,
    tally: Tally<'a>,
}

impl<'a> PromptReader<'a> {
    pub(crate) fn new(shape: &'a Shape, model: Model, (counting, factor): (TextCounter<'a>, Factor)) -> Self {
        let mut tally = Tally::new(counting, factor, OpenAi::new(model));
        if shape.framed {
            tally.add(model.formula.reply);
        }
        Self { shape, tally }
    }

    pub(crate) fn total(&self) -> Total {
        self.tally.total_of_prompts()
    }

    /// Returns the number of prompts, each of which gets a reply of its own. At least one.
    pub(crate) fn prompts(&self) -> u64 {
        self.tally.prices.prompts()
    }
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
        by_family!(place, self.shape.fields.field(key), rules => rules.field(&mut self.tally, key))
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
