//! `UnknownReader`: lists the fields of a request that no rule names.
//!
//! It asks a grammar's own reader for the place of each field, and knows no field itself. So it
//! lists exactly those that are counted by a guess.

use std::fmt::Write;

use super::plain::IsUnknown;
use crate::pricing::walk::{Number, ValueReader};

/// Lists the unknown fields among the values that it is shown.
pub(crate) struct UnknownReader<R> {
    known: R,
    /// The path of the value that is read. Its end may be left over from the value before.
    path: String,
    unknown: Vec<String>,
}

/// The characters of a name that a path shows. A longer name, repeated in many paths, would take
/// much more memory than the request.
const LONGEST: usize = 100;

/// A place, and the way to it.
#[derive(Clone, Copy)]
pub(crate) struct Spot<P> {
    place: P,
    /// The length of the path of the value.
    path: usize,
    /// The number of items of the list that were read.
    items: usize,
    /// True if the place is unknown, and the place of the map or list around it is not.
    is_new: bool,
}

impl<P> Spot<P> {
    /// The request itself.
    pub(crate) fn params(place: P) -> Self {
        Self { place, path: 0, items: 0, is_new: false }
    }
}

impl<R: ValueReader<Place: IsUnknown>> UnknownReader<R> {
    pub(crate) fn new(known: R) -> Self {
        Self { known, path: String::new(), unknown: Vec::new() }
    }

    /// Returns the paths, in the order of the request.
    pub(crate) fn unknown(self) -> Vec<String> {
        self.unknown
    }

    /// Returns the spot of a value in `around`, to which the path leads now.
    fn inside(&self, around: &Spot<R::Place>, place: R::Place) -> Spot<R::Place> {
        let is_new = place.is_unknown() && !around.place.is_unknown();
        Spot { place, path: self.path.len(), items: 0, is_new }
    }

    /// Adds a value that counts.
    fn value(&mut self, at: Spot<R::Place>) {
        if at.is_new {
            self.unknown.push(self.path[..at.path].to_owned());
        }
    }
}

impl<R: ValueReader<Place: IsUnknown>> ValueReader for UnknownReader<R> {
    type Place = Spot<R::Place>;

    fn field(&mut self, at: &mut Self::Place, key: &str) -> Option<Self::Place> {
        let place = self.known.field(&mut at.place, key)?;
        self.path.truncate(at.path);
        if !self.path.is_empty() {
            self.path.push('.');
        }
        self.path.extend(key.chars().take(LONGEST));
        Some(self.inside(at, place))
    }

    fn item(&mut self, at: &mut Self::Place) -> Option<Self::Place> {
        let index = at.items;
        at.items += 1;
        let place = self.known.item(&mut at.place)?;
        self.path.truncate(at.path);
        let _ = write!(self.path, "[{index}]");
        Some(self.inside(at, place))
    }

    fn map(&mut self, at: Self::Place) {
        self.value(at);
    }

    fn list(&mut self, at: Self::Place) {
        self.value(at);
    }

    fn null(&mut self, _: Self::Place) {}

    fn boolean(&mut self, at: Self::Place) {
        self.value(at);
    }

    fn number(&mut self, at: Self::Place, _: Number) {
        self.value(at);
    }

    fn text(&mut self, at: Self::Place, _: &str) {
        self.value(at);
    }
}
