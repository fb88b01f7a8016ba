//! The pieces of p50k and r50k, which have the expression of GPT-2:
//!
//! ```text
//! '(?:[sdmt]|ll|ve|re)
//! \x20?\p{L}++
//! \x20?\p{N}++
//! \x20?[^\s\p{L}\p{N}]++
//! \s++$
//! \s+(?!\S)
//! \s
//! ```

use super::Split;
use super::shared::Blank;
use crate::tokenizer::counter::class::{self, LETTER, NUMBER, SYMBOL};

pub(in super::super) struct Gpt2;

impl Split for Gpt2 {
    #[inline(always)]
    fn end(text: &[u8], start: usize) -> usize {
        end(text, start)
    }
}

#[inline(never)]
fn end(text: &[u8], start: usize) -> usize {
    if let Some(end) = contraction(text, start) {
        return end;
    }
    let run = if text[start] == b' ' { start + 1 } else { start };
    match class::at(text, run).0 {
        class if class & LETTER != 0 => class::run(text, class::letters(text, run), LETTER),
        NUMBER => class::run(text, run, NUMBER),
        class if class & SYMBOL != 0 => class::run(text, run, SYMBOL),
        _ => {
            let blank = Blank::at(text, start);
            if blank.end == text.len() { blank.end } else { blank.but_the_last(start) }
        }
    }
}

fn contraction(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at..)? {
        [b'\'', b's' | b'd' | b'm' | b't', ..] => Some(at + 2),
        [b'\'', b'l', b'l', ..] | [b'\'', b'v' | b'r', b'e', ..] => Some(at + 3),
        _ => None,
    }
}
