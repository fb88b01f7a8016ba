//! `Word` and `Number`: the pieces of JSON that the automaton of [`usage`](super::usage) reads.
//!
//! Both are read byte by byte and never grow, whatever a reply contains.

use super::grammar::BEDROCK;
use super::tally::Tally;

/// A string, if it can be one of the keys that count.
#[derive(Clone, Copy)]
pub(super) struct Word {
    bytes: [u8; Self::LONGEST],
    /// Above `LONGEST` for a string that cannot be a key.
    length: u8,
}

/// A number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Number {
    #[default]
    None,
    Count(u64),
    /// Negative, a fraction, too large, or not a number at all.
    Other,
}

impl Word {
    const LONGEST: usize = 32;
    pub(super) const EMPTY: Self = Self { bytes: [0; Self::LONGEST], length: 0 };

    /// Returns the word of a whole string.
    #[cfg(feature = "tokenizers")]
    pub(super) fn of(text: &str) -> Self {
        let mut word = Self { length: u8::MAX, ..Self::EMPTY };
        if let Some(bytes) = word.bytes.get_mut(..text.len()) {
            bytes.copy_from_slice(text.as_bytes());
            word.length = text.len() as u8;
        }
        word
    }

    #[inline]
    pub(super) fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(usize::from(self.length)) {
            *place = byte;
            self.length += 1;
        } else {
            self.spoil();
        }
    }

    pub(super) fn spoil(&mut self) {
        self.length = u8::MAX;
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }
}

impl Default for Word {
    fn default() -> Self {
        Self::EMPTY
    }
}

// The buffer holds every key that counts.
const _: () = assert!(Tally::LONGEST_KEY <= Word::LONGEST && BEDROCK.len() <= Word::LONGEST);

impl Number {
    pub(super) fn push(self, digit: u8) -> Self {
        let count = match self {
            Self::None => 0,
            Self::Count(count) => count,
            Self::Other => return Self::Other,
        };
        let next = count.checked_mul(10).and_then(|count| count.checked_add(u64::from(digit - b'0')));
        next.map_or(Self::Other, Self::Count)
    }
}
