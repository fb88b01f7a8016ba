//! The format of the reply: its settings, which only the API reads, and its schema, which the model
//! reads as JSON.

use super::rules::Rules;
use crate::pricing::common::Plain;
use crate::pricing::openai::formula;
use crate::pricing::openai::place::{FormatPlace, Place};
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

impl Rules for FormatPlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(match key {
            "type" | "strict" | "verbosity" => return None,
            "format" | "json_schema" => Place::Format(Self::Settings),
            "name" | "description" => Place::TEXT,
            "schema" => {
                tally.add(formula::SCHEMA);
                Place::Plain(Plain::Json)
            }
            _ => Plain::unknown(key).into(),
        })
    }

    #[inline]
    fn boolean(self, _: &mut Tally<'_>) {}

    #[inline]
    fn number(self, _: &mut Tally<'_>, _: Number) {}

    #[inline]
    fn text(self, _: &mut Tally<'_>, _: &str) {}
}
