//! The pieces of cl100k, which has the expression
//!
//! ```text
//! '(?i:[sdmt]|ll|ve|re)
//! [^\r\n\p{L}\p{N}]?+\p{L}++
//! \p{N}{1,3}+
//! \x20?[^\s\p{L}\p{N}]++[\r\n]*+
//! \s++$
//! \s*[\r\n]
//! \s+(?!\S)
//! \s
//! ```

use super::block::{self, Rules};
use super::shared::{Blank, contraction, number};
use super::{Split, Window};
use crate::tokenizer::counter::class::{self, LETTER, NEWLINE, NUMBER, SYMBOL};

pub(in super::super) struct Cl100k;

impl Split for Cl100k {
    #[inline(always)]
    fn end(text: &[u8], start: usize) -> usize {
        end(text, start)
    }

    #[inline(always)]
    fn starts(window: &Window, length: usize) -> (u64, bool) {
        block::starts(window, length, &Rules { cased: false })
    }
}

#[inline(never)]
fn end(text: &[u8], start: usize) -> usize {
    let (class, length) = class::at(text, start);
    let after = start + length;
    if class & LETTER != 0 {
        return letters(text, after);
    }
    if class == NUMBER {
        return number(text, after);
    }
    if let Some(end) = contraction(text, start) {
        return end;
    }
    if class != NEWLINE {
        let end = letters(text, after);
        if end > after {
            return end;
        }
    }
    let symbols = if text[start] == b' ' { after } else { start };
    let end = class::run(text, symbols, SYMBOL);
    if end > symbols {
        return class::run(text, end, NEWLINE);
    }
    let blank = Blank::at(text, start);
    match blank.newline {
        _ if blank.end == text.len() => blank.end,
        Some(end) => end,
        None => blank.but_the_last(start),
    }
}

#[inline(always)]
fn letters(text: &[u8], at: usize) -> usize {
    class::run(text, class::letters(text, at), LETTER)
}
