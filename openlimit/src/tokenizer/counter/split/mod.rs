//! Cutting a text into pieces, within which tokens are merged.
//!
//! Each encoding has a regular expression for it, and each expression a file here: a function from where a piece
//! begins to where it ends. They do what a backtracking matcher does with the same expression, without going
//! back, and look at no character more than a few times.

#[cfg(feature = "cl100k")]
mod cl100k;
#[cfg(any(feature = "p50k", feature = "r50k"))]
mod gpt2;
#[cfg(feature = "o200k")]
mod o200k;

#[cfg(feature = "cl100k")]
pub(super) use self::cl100k::cl100k;
#[cfg(any(feature = "p50k", feature = "r50k"))]
pub(super) use self::gpt2::gpt2;
#[cfg(feature = "o200k")]
pub(super) use self::o200k::o200k;
use super::class::{self, NEWLINE, WHITESPACE};

/// A run of whitespace.
struct Blank {
    end: usize,
    /// Where its last character begins.
    last: usize,
    /// The end of its last `\r` or `\n`, if it has one.
    newline: Option<usize>,
}

impl Blank {
    /// The run that begins at `start`.
    fn at(text: &[u8], start: usize) -> Self {
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

    /// `\s+(?!\S)|\s`: all but the last character, which the next piece may begin with; or the only one.
    fn but_the_last(&self, start: usize) -> usize {
        if self.last > start { self.last } else { self.end }
    }
}

/// `\p{N}{1,3}`, of which the first is known.
#[inline]
fn number(text: &[u8], mut end: usize) -> usize {
    for _ in 1..3 {
        let (class, length) = class::at(text, end);
        if class != class::NUMBER {
            break;
        }
        end += length;
    }
    end
}

/// `'(?i:[sdmt]|ll|ve|re)`: where it ends, if the text has it here. The long s folds to an s, too.
#[inline]
fn contraction(text: &[u8], at: usize) -> Option<usize> {
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
