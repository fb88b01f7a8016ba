//! Text, and values without a rule of their own, which count as their text.

use super::rules::{Rules, unknown_entry, value_entry};
use crate::pricing::data::is_data;
use crate::pricing::openai::formula;
use crate::pricing::openai::place::{Place, PlainPlace};
use crate::pricing::openai::tally::Tally;

impl Rules for PlainPlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(match self {
            Self::Text | Self::Value => value_entry(tally, key),
            Self::Unknown { .. } => unknown_entry(tally, key),
        })
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        tally.add(formula::ITEM);
        Some(Place::Plain(*self))
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::Value | Self::Unknown { is_text: false } if is_data(text) => tally.add(tally.file()),
            Self::Text | Self::Value | Self::Unknown { .. } => tally.text(text),
        }
    }
}
