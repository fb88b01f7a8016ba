//! `Rules`: how the values at one family of places are counted.
//!
//! The defaults count a value as its text, keys included. A family overrides what it counts in
//! another way.
//!
//! The methods are `#[inline]` here and in the families. One of them runs for each value of a
//! request, and a call would take longer than most of them do.

use crate::pricing::openai::formula;
use crate::pricing::openai::place::Place;
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

/// The rules of one family of places. Each method adds a value, or the start of one, to the tally.
pub(super) trait Rules: Copy {
    /// Returns the place of the value under `key`, or `None` to skip it.
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(unknown_entry(tally, key))
    }

    /// Returns the place of the next item of a list, or `None` to skip it.
    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(unknown_item(tally))
    }

    /// A map begins.
    #[inline]
    fn map(self, _: &mut Tally<'_>) {}

    /// A list begins.
    #[inline]
    fn list(self, _: &mut Tally<'_>) {}

    #[inline]
    fn null(self, _: &mut Tally<'_>) {}

    #[inline]
    fn boolean(self, tally: &mut Tally<'_>) {
        tally.add(1);
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        tally.add(number.tokens());
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        tally.text(text);
    }
}

/// Adds the key of a documented map that is counted as its text.
pub(super) fn value_entry(tally: &mut Tally<'_>, key: &str) -> Place {
    tally.add(formula::ENTRY);
    tally.text(key);
    Place::value(key)
}

/// Adds the key of a map that is counted as its text by a guess.
pub(super) fn unknown_entry(tally: &mut Tally<'_>, key: &str) -> Place {
    tally.add(formula::ENTRY);
    tally.text(key);
    Place::unknown(key)
}

/// Adds the key of a map that the model reads as JSON.
pub(super) fn json_entry(tally: &mut Tally<'_>, key: &str) {
    tally.add(formula::ENTRY);
    tally.json(key);
}

/// Adds the comma of an item without a rule.
pub(super) fn unknown_item(tally: &mut Tally<'_>) -> Place {
    tally.add(formula::ITEM);
    Place::UNKNOWN
}
