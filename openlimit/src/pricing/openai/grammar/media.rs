//! Images, sounds and files, which have prices of their own.
//!
//! An image is priced by its size and by the detail that is asked for. Its bytes are not counted:
//! only their header is read, for the size.

use super::rules::Rules;
use crate::pricing::common::Plain;
use crate::pricing::data::is_data;
use crate::pricing::openai::images::Detail;
use crate::pricing::openai::place::{MediaPlace, Place};
use crate::pricing::openai::tally::Tally;
use crate::pricing::pixels::Pixels;
use crate::pricing::walk::Number;

impl Rules for MediaPlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        match (self, key) {
            (Self::Image, "url") => Some(Place::Media(Self::Image)),
            (Self::Image, "detail") => Some(Place::Media(Self::Detail)),
            (Self::Flat(_) | Self::Image | Self::Detail, _) => None,
            (Self::Drawn, _) => Some(Plain::UNKNOWN.field(tally, key).into()),
        }
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        match self {
            Self::Flat(_) | Self::Image | Self::Detail => None,
            Self::Drawn => Some(Plain::UNKNOWN.item(tally).into()),
        }
    }

    #[inline]
    fn map(self, tally: &mut Tally<'_>) {
        self.whole(tally);
    }

    #[inline]
    fn list(self, tally: &mut Tally<'_>) {
        self.whole(tally);
    }

    #[inline]
    fn boolean(self, tally: &mut Tally<'_>) {
        match self {
            Self::Drawn => tally.add(1),
            _ => self.whole(tally),
        }
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        match self {
            Self::Drawn => tally.add(number.tokens()),
            _ => self.whole(tally),
        }
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::Flat(_) => self.whole(tally),
            Self::Image => tally.see(Pixels::of_url(text)),
            Self::Detail => tally.look(Detail::of(text)),
            Self::Drawn if is_data(text) => tally.add(tally.prices.largest_image()),
            Self::Drawn => tally.text(text),
        }
    }
}

impl MediaPlace {
    /// Adds the price that does not depend on the value.
    fn whole(self, tally: &mut Tally<'_>) {
        match self {
            Self::Flat(price) => tally.add(price),
            Self::Image => tally.see(None),
            Self::Detail | Self::Drawn => {}
        }
    }
}
