//! The pieces of o200k, which has the expression
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}
//! \x20?[^\s\p{L}\p{N}]+[\r\n/]*
//! \s*[\r\n]+
//! \s+(?!\S)
//! \s+
//! ```

use super::block::{self, Rules};
use super::shared::{Blank, contraction, number};
use super::{Split, Window};
use crate::tokenizer::counter::class::{
    self, LETTER, LOWER, MARK, NEWLINE, NUMBER, SYMBOL, UNCASED, UPPER, WHITESPACE,
};

pub(in super::super) struct O200k;

impl Split for O200k {
    #[inline(always)]
    fn end(text: &[u8], start: usize) -> usize {
        end(text, start)
    }

    #[inline(always)]
    fn starts(window: &Window, length: usize) -> (u64, bool) {
        block::starts(window, length, &Rules { cased: true })
    }
}

#[inline(never)]
fn end(text: &[u8], start: usize) -> usize {
    let (class, length) = class::at(text, start);
    let after = start + length;
    if class & LETTER != 0 {
        return contracted(text, Letters::at(text, start).end);
    }
    if class == NUMBER {
        return number(text, after);
    }
    if class != NEWLINE {
        // Any other character may begin a word. A mark may also be a word, if the word is in upper
        // case.
        let word = Letters::at(text, after);
        if class == MARK && (word.upper || word.end == after) {
            return contracted(text, after);
        }
        if word.end > after {
            return contracted(text, word.end);
        }
    }
    let symbols = if text[start] == b' ' { after } else { start };
    let end = class::run(text, symbols, SYMBOL);
    if end > symbols {
        let more = text[end..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/'));
        return end + more.count();
    }
    debug_assert!(class & WHITESPACE != 0);
    let blank = Blank::at(text, start);
    match blank.newline {
        Some(end) => end,
        None if blank.end == text.len() => blank.end,
        None => blank.but_the_last(start),
    }
}

/// The letters and marks of the first two alternatives.
struct Letters {
    end: usize,
    /// True if it has upper case only, so that the first alternative does not match it.
    upper: bool,
}

impl Letters {
    /// Returns the word that begins at `start`. An empty word means that there is none.
    #[inline(always)]
    fn at(text: &[u8], start: usize) -> Self {
        let mut end = start;
        // The first alternative goes back to here, the end of the last letter or mark that is not
        // in upper case.
        let mut uncased = start;
        loop {
            let (class, length) = class::at(text, end);
            if class & (UPPER | UNCASED | MARK) == 0 {
                if class == LOWER {
                    let small = class::small(text, end);
                    end = class::run(text, small, LOWER | UNCASED | MARK);
                    return Self { end, upper: false };
                }
                break;
            }
            end += length;
            if class != UPPER {
                uncased = end;
            }
        }
        if uncased > start { Self { end: uncased, upper: false } } else { Self { end, upper: true } }
    }
}

#[inline(always)]
fn contracted(text: &[u8], end: usize) -> usize {
    contraction(text, end).unwrap_or(end)
}
