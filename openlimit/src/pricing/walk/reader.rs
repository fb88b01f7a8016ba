//! `ValueReader`: what a value is shown to.

use std::fmt;

use serde::ser;

use super::number::Number;

/// What a value is shown to. `At` is a place in the reader's grammar.
pub(crate) trait ValueReader {
    type Place: Copy;

    /// Where the value of this field is read, or `None` to leave it out.
    fn field(&mut self, at: &mut Self::Place, key: &str) -> Option<Self::Place>;

    /// Where the next item is read, or `None` to leave it out.
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

/// A value's `Serialize` implementation failed, with these words.
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
