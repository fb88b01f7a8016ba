//! Parts that the expressions of several encodings share.

use crate::tokenizer::counter::class::{self, NEWLINE, WHITESPACE};

/// A run of whitespace.
pub(super) struct Blank {
    pub(super) end: usize,
    /// The start of its last character.
    last: usize,
    /// The end of its last `\r` or `\n`, if there is one.
    pub(super) newline: Option<usize>,
}

impl Blank {
    /// Returns the run that begins at `start`.
    pub(super) fn at(text: &[u8], start: usize) -> Self {
        let mut blank = Self { end: start, last: start, newline: None };
        loop {
            let (class, length) = class::at(text, blank.end);
            if class & WHITESPACE == 0 {
                return blank;
            }
            blank.last = blank.end;
            blank.end += length;
            if class == NEWLINE {
                blank.newline = Some(blank.end);
            }
        }
    }

    /// `\s+(?!\S)|\s`: returns the end of all characters but the last, with which the next piece
    /// may begin, or of the only one.
    pub(super) fn but_the_last(&self, start: usize) -> usize {
        if self.last > start { self.last } else { self.end }
    }
}

/// `\p{N}{1,3}`: returns its end, from the end of the first number on.
#[inline]
pub(super) fn number(text: &[u8], mut end: usize) -> usize {
    for _ in 1..3 {
        let (class, length) = class::at(text, end);
        if class != class::NUMBER {
            break;
        }
        end += length;
    }
    end
}

/// `'(?i:[sdmt]|ll|ve|re)`: returns its end, if the text has one here. Case is ignored, so the long
/// s (`ſ`) is an `s` too.
#[inline]
pub(super) fn contraction(text: &[u8], at: usize) -> Option<usize> {
    let [b'\'', first, rest @ ..] = text.get(at..)? else {
        return None;
    };
    let second = rest.first().map_or(0, |byte| byte | 0x20);
    match (first | 0x20, second) {
        (b's' | b'd' | b'm' | b't', _) => Some(at + 2),
        (b'l', b'l') | (b'v' | b'r', b'e') => Some(at + 3),
        _ if text[at + 1..].starts_with("ſ".as_bytes()) => Some(at + 3),
        _ => None,
    }
}
