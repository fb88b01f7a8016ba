//! `Rules`: how the values at one family of places are counted.
//!
//! The defaults count a value as its text, keys included. A family overrides what it counts in
//! another way.
//!
//! The methods are `#[inline]` here and in the families. One of them runs for each value of a
//! request, and a call would take longer than most of them do.

use crate::pricing::common::Plain;
use crate::pricing::openai::place::Place;
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

/// The rules of one family of places. Each method adds a value, or the start of one, to the tally.
pub(super) trait Rules: Copy {
    /// Returns the place of the value under `key`, or `None` to skip it.
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(Plain::UNKNOWN.field(tally, key).into())
    }

    /// Returns the place of the next item of a list, or `None` to skip it.
    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(Plain::UNKNOWN.item(tally).into())
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
        Plain::UNKNOWN.boolean(tally);
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        Plain::UNKNOWN.number(tally, number);
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        tally.text(text);
    }
}

/// The places that all grammars share have rules of their own.
impl Rules for Plain {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        Some(Plain::field(*self, tally, key).into())
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(Plain::item(*self, tally).into())
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        Plain::text(self, tally, text);
    }
}
