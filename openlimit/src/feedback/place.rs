//! `Place`: a position in JSON, as far as usage depends on it. It has constant size, whatever the
//! depth.

use super::grammar::Role;
use super::lexeme::{Number, Word};

/// A position in JSON.
#[derive(Clone, Default)]
pub(super) struct Place {
    /// The number of open objects and lists, without a list around everything (Gemini).
    pub(super) depth: u32,
    pub(super) in_outer_list: bool,
    /// The meaning of the open objects at depth 2, 3 and 4.
    pub(super) opened: [Role; 3],
    pub(super) text: Text,
    /// The last string, until it is known whether it is a key.
    pub(super) word: Word,
    /// The key of the value that comes next.
    pub(super) key: Word,
    pub(super) number: Number,
}

/// True if the position is in a string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Text {
    #[default]
    Outside,
    Inside,
    /// Behind a backslash.
    Escaped,
}

impl Place {
    /// Returns the meaning of the object or list that the position is directly in.
    pub(super) fn role(&self) -> Role {
        match self.depth {
            1 => Role::Top,
            2 => self.opened[0],
            3 => self.opened[1],
            4 => self.opened[2],
            _ => Role::Other,
        }
    }
}
