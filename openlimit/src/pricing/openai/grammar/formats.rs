//! The format of the reply: its settings, which only the API reads, and its schema, which the model
//! reads as JSON.

use super::rules::{Rules, json_entry, unknown_item};
use crate::pricing::openai::formula;
use crate::pricing::openai::place::{FormatPlace, Place};
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

impl Rules for FormatPlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(match (self, key) {
            (Self::Settings, "type" | "strict" | "verbosity") => return None,
            (Self::Settings, "format" | "json_schema") => Place::Format(Self::Settings),
            (Self::Settings, "name" | "description") => Place::TEXT,
            (Self::Settings, "schema") => {
                tally.add(formula::SCHEMA);
                Place::Format(Self::Schema)
            }
            (Self::Settings, _) => Place::unknown(key),
            (Self::Schema, _) => {
                json_entry(tally, key);
                Place::Format(Self::Schema)
            }
        })
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        match self {
            Self::Settings => Some(unknown_item(tally)),
            Self::Schema => {
                tally.add(formula::ITEM);
                Some(Place::Format(Self::Schema))
            }
        }
    }

    #[inline]
    fn boolean(self, tally: &mut Tally<'_>) {
        if let Self::Schema = self {
            tally.add(1);
        }
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        if let Self::Schema = self {
            tally.add(number.tokens());
        }
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        if let Self::Schema = self {
            tally.json(text);
        }
    }
}
