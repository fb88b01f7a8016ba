//! `ValueReader`: the grammar that a value is shown to.

use std::fmt;

use serde::ser;

use super::number::Number;

/// A grammar that a value is shown to, piece by piece.
pub(crate) trait ValueReader {
    /// A place in the grammar, which says how a value there is read.
    type Place: Copy;

    /// Returns the place of the value under `key` in a map at `at`, or `None` to skip it. It may
    /// change the map's own place, to remember that the map has begun.
    fn field(&mut self, at: &mut Self::Place, key: &str) -> Option<Self::Place>;

    /// Returns the place of the next item of a list at `at`, or `None` to skip it.
    fn item(&mut self, at: &mut Self::Place) -> Option<Self::Place>;

    /// A map begins.
    fn map(&mut self, at: Self::Place);

    /// A list begins.
    fn list(&mut self, at: Self::Place);

    fn null(&mut self, at: Self::Place);
    fn boolean(&mut self, at: Self::Place);
    fn number(&mut self, at: Self::Place, number: Number);
    fn text(&mut self, at: Self::Place, text: &str);
}

/// A value's own `Serialize` failed, with this message.
#[derive(Debug)]
pub(crate) struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Failed {}

impl ser::Error for Failed {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}
