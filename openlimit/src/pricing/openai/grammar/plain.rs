//! Text, and values without a rule, which count as their text.

use super::rules::Rules;
use crate::pricing::data::is_data;
use crate::pricing::openai::formula;
use crate::pricing::openai::place::{Place, PlainPlace};
use crate::pricing::openai::tally::Tally;

impl Rules for PlainPlace {
    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        tally.add(formula::ITEM);
        Some(Place::Plain(*self))
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::Unknown if is_data(text) => tally.add(tally.file()),
            Self::Text | Self::Unknown => tally.text(text),
        }
    }
}
