//! `Plain`: values that are the same in every grammar, because no rule of a provider names them.
//!
//! They count as their text, keys included.

use super::tally::{Prices, Tally};
use crate::pricing::data::is_data;
use crate::pricing::walk::Number;

/// A place whose value counts as its text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plain {
    /// Text, counted as it stands.
    Text,
    /// A documented value without a rule of its own. Counted unless it looks like a file.
    Value,
    /// A value that is not documented: counted like one of the two above, as a guess.
    Unknown {
        /// True if it is text whatever it looks like.
        is_text: bool,
    },
    /// Content that the model reads as JSON, such as a schema.
    Json,
}

/// A place of a grammar.
pub(crate) trait IsUnknown {
    /// Returns whether a value here is counted by a guess.
    fn is_unknown(&self) -> bool;
}

/// Lets a grammar's type of place hold a [`Plain`] one, as its variant `Plain`.
macro_rules! plain_place {
    ($place:ident) => {
        impl From<$crate::pricing::common::Plain> for $place {
            fn from(plain: $crate::pricing::common::Plain) -> Self {
                Self::Plain(plain)
            }
        }

        impl $crate::pricing::common::IsUnknown for $place {
            fn is_unknown(&self) -> bool {
                matches!(self, Self::Plain(plain) if plain.is_unknown())
            }
        }
    };
}

pub(crate) use plain_place;

// Inlined, since one of them runs for each value of a request.
impl Plain {
    pub(crate) const UNKNOWN: Self = Self::Unknown { is_text: false };

    /// Returns the place of a documented field without a rule of its own.
    pub(crate) fn value(key: &str) -> Self {
        if names_text(key) { Self::Text } else { Self::Value }
    }

    /// Returns the place of a field that is not documented.
    pub(crate) fn unknown(key: &str) -> Self {
        Self::Unknown { is_text: names_text(key) }
    }

    /// Adds the key of a map here. Returns the place of the value under it.
    #[inline]
    pub(crate) fn field<P>(self, tally: &mut Tally<'_, P>, key: &str) -> Self {
        tally.entry();
        if let Self::Json = self {
            tally.json(key);
        } else {
            tally.text(key);
        }
        match self {
            Self::Text | Self::Value => Self::value(key),
            Self::Unknown { .. } => Self::unknown(key),
            Self::Json => Self::Json,
        }
    }

    /// Adds the comma of an item of a list here. Returns the place of the item.
    #[inline]
    pub(crate) fn item<P>(self, tally: &mut Tally<'_, P>) -> Self {
        tally.item();
        self
    }

    #[inline]
    pub(crate) fn boolean<P>(self, tally: &mut Tally<'_, P>) {
        tally.mark(1);
    }

    #[inline]
    pub(crate) fn number<P>(self, tally: &mut Tally<'_, P>, number: Number) {
        tally.mark(number.tokens());
    }

    #[inline]
    pub(crate) fn text<P: Prices>(self, tally: &mut Tally<'_, P>, text: &str) {
        match self {
            Self::Value | Self::Unknown { is_text: false } if is_data(text) => {
                tally.add(tally.prices.file());
            }
            Self::Text | Self::Value | Self::Unknown { .. } => tally.text(text),
            Self::Json => tally.json(text),
        }
    }
}

impl IsUnknown for Plain {
    fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }
}

/// Returns whether a name is given to text only: code, program output, search results, reasoning.
/// Such text is never taken for a file, whatever it looks like.
fn names_text(key: &str) -> bool {
    matches!(
        key,
        "text"
            | "content"
            | "code"
            | "diff"
            | "logs"
            | "stdout"
            | "stderr"
            | "queries"
            | "description"
            | "reasoning"
            | "reasoning_content"
            | "thinking"
    )
}
