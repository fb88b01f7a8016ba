//! The starts of the pieces in a block of 64 bytes, all at once.
//!
//! A function that goes from one piece to the next decides at each character what comes next. The
//! processor has to guess these decisions, and in a text that it has not seen it often guesses
//! wrong, which takes longer than everything else. Here a class of characters is a word of 64 bits,
//! with a bit for each byte of the block. So a rule such as "a letter after a newline begins a
//! piece" is an operation on words, which decides for all bytes of the block without a branch.
//!
//! The rules are those of o200k and cl100k, for ASCII. They leave out what is rare and would make
//! them long. A block is understood up to the first byte that
//!
//! * is not ASCII, or is beyond the end of the text,
//! * is a slash after a newline, which may belong to the symbols before the newline, or
//! * is in whitespace that has another newline after it, or whose end is not in the block, or is
//!   the end of the text.
//!
//! From the last start before it, the functions of the encoding take over for a piece. Contractions
//! (`'s`) are rare, so each apostrophe between letters is looked at by itself.

use super::shared::contraction;
use super::{BLOCK, Window, planes};

/// The differences between the expressions of the encodings.
pub(super) struct Rules {
    /// True if a letter in upper case begins a piece after one in lower case, and a contraction
    /// belongs to the word before it. Otherwise a contraction is a piece.
    pub(super) cased: bool,
}

/// Returns a bit for each byte of the block that is known to begin a piece, or is the end of the
/// text, and whether more is known from the last one on, in the next block. A piece begins with
/// the block, and has no bit. The text has `length` bytes from there on.
#[inline(always)]
pub(super) fn starts(window: &Window, length: usize, rules: &Rules) -> (u64, bool) {
    if !(window[0] | window[1]).is_ascii() {
        return (0, false);
    }
    let block = window.first_chunk().expect("a window is longer than a block");
    let end = (length < BLOCK).then_some(length as u32);
    Classes::of(block).starts(window, end, rules)
}

/// The bytes of a block that are in each class.
struct Classes {
    lower: u64,
    upper: u64,
    digit: u64,
    newline: u64,
    /// Whitespace other than the newlines.
    blank: u64,
    /// The blanks that are a space, with which a run of symbols may begin.
    space: u64,
    symbol: u64,
    apostrophe: u64,
    slash: u64,
    /// All others.
    unknown: u64,
}

impl Classes {
    #[inline(always)]
    fn of(block: &[u8; BLOCK]) -> Self {
        // From the lowest bit of each byte to the highest.
        let [a, b, c, d, e, f, g, beyond_ascii] = planes::of(block);
        let ascii = !beyond_ascii;
        // 0x41 to 0x5a, and 0x61 to 0x7a.
        let letter = ascii & g & (a | b | c | d | e) & !(e & d & (c | b & a));
        // 0x30 to 0x39.
        let digit = ascii & !g & f & e & !(d & (c | b));
        // 0x09 to 0x0d, of which 0x0a and 0x0d are newlines.
        let control = ascii & !(g | f | e) & d & (c | b | a) & !(c & b);
        let newline = control & (c ^ b) & (b ^ a);
        // 0x20, 0x27 and 0x2f.
        let sign = ascii & !g & f & !e;
        let space = sign & !(d | c | b | a);
        let apostrophe_or_slash = sign & c & b & a;
        let blank = control & !newline | space;
        Self {
            lower: letter & f,
            upper: letter & !f,
            digit,
            newline,
            blank,
            space,
            symbol: ascii & !(letter | digit | newline | blank),
            apostrophe: apostrophe_or_slash & !d,
            slash: apostrophe_or_slash & d,
            unknown: beyond_ascii,
        }
    }

    #[inline(always)]
    fn starts(&self, window: &Window, end: Option<u32>, rules: &Rules) -> (u64, bool) {
        let Self { lower, upper, digit, newline, blank, space, symbol, apostrophe, .. } = *self;
        let (letter, whitespace) = (lower | upper, newline | blank);

        // With a space before it, the space begins the piece.
        let symbols = symbol & !(symbol << 1) & !(space << 1);
        // A blank, or a symbol that begins a piece, belongs to the word after it.
        let words = letter & !(letter << 1) & !(blank << 1) & !(symbols << 1);
        let cased = if rules.cased { upper & lower << 1 } else { 0 };
        let newlines = newline & !(whitespace << 1) & !(symbol << 1);
        // The last blank of a run is apart from the others.
        let blanks = blank & (!(whitespace << 1) | newline << 1 | !(whitespace >> 1));

        let starts = symbols | words | cased | newlines | blanks | numbers(digit);
        let before = if rules.cased { letter << 1 } else { symbols };
        let apostrophes = apostrophe & before & letter >> 1;
        let starts = contracted(starts, apostrophes, letter, window, rules);
        let unclear = self.unclear(rules);
        let from_unclear = unclear | unclear.wrapping_neg();
        // Blanks before it are not understood either.
        let limit = u64::BITS - (from_unclear | blank).leading_ones();
        if end == Some(limit) {
            return ((starts & !1 & ((1 << limit) - 1)) | 1 << limit, true);
        }
        // The last byte that is understood needs the one after it.
        let starts = starts & !1 & ((1 << limit.saturating_sub(1)) - 1);
        (starts, unclear == 0 && starts != 0)
    }

    /// Returns the bytes for which the rules do not hold, nor for those after them.
    #[inline(always)]
    fn unclear(&self, rules: &Rules) -> u64 {
        let Self { newline, blank, .. } = *self;
        let slash = if rules.cased { self.slash & newline << 1 } else { 0 };
        // The addition carries the start of a run of blanks to the byte after its end.
        let after_newline = blank & newline << 1;
        let between = match (blank.wrapping_add(after_newline)) & !blank & newline {
            0 => 0,
            _ => after_newline,
        };
        self.unknown | slash | between
    }
}

/// Corrects the starts around the contractions. Each of the apostrophes may begin one.
#[inline(always)]
fn contracted(mut starts: u64, mut apostrophes: u64, letter: u64, window: &Window, rules: &Rules) -> u64 {
    while apostrophes != 0 {
        let at = apostrophes.trailing_zeros() as usize;
        apostrophes &= apostrophes - 1;
        if let Some(end) = contraction(window, at) {
            let begins = if rules.cased { at } else { at + 1 };
            let after = 1_u64.checked_shl(end as u32).unwrap_or(0);
            let inside = after.wrapping_sub(1) & u64::MAX << begins;
            starts = starts & !inside | after & letter;
            if rules.cased {
                // A contraction belongs to a word, and not to another contraction.
                apostrophes &= !after;
            }
        }
    }
    starts
}

/// Returns the starts of the numbers, of up to three digits each.
#[inline(always)]
fn numbers(digit: u64) -> u64 {
    let mut starts = digit & !(digit << 1);
    let fourth = digit & digit << 1 & digit << 2 & digit << 3;
    let mut more = starts << 3 & fourth;
    while more != 0 {
        starts |= more;
        more = more << 3 & fourth;
    }
    starts
}

#[cfg(all(test, feature = "o200k", feature = "cl100k"))]
mod tests {
    use super::{BLOCK, Classes, Rules, starts};
    use crate::tokenizer::counter::class::{self, LOWER, NEWLINE, NUMBER, SPACE, SYMBOL, UPPER};
    use crate::tokenizer::counter::split::{Cl100k, O200k, Split, padded};

    #[test]
    fn each_byte_is_in_the_classes_of_its_character() {
        for byte in 0..=u8::MAX {
            let classes = Classes::of(&[byte; BLOCK]);
            let character = if byte.is_ascii() { class::at(&[byte], 0).0 } else { 0 };
            for (found, is_in) in [
                (classes.lower, character & LOWER != 0),
                (classes.upper, character & UPPER != 0),
                (classes.digit, character & NUMBER != 0),
                (classes.newline, character & NEWLINE != 0),
                (classes.blank, character & SPACE != 0),
                (classes.symbol, character & SYMBOL != 0),
                (classes.space, byte == b' '),
                (classes.apostrophe, byte == b'\''),
                (classes.slash, byte == b'/'),
                (classes.unknown, !byte.is_ascii()),
            ] {
                assert_eq!(found, if is_in { u64::MAX } else { 0 }, "{byte:#x}");
            }
        }
    }

    /// Tries short texts of all classes of characters, so that all neighbours of a character occur.
    #[test]
    fn each_start_is_one_that_the_function_of_the_encoding_finds() {
        let alphabet =
            ["a", "B", "7", " ", "\t", "\n", "'", "s", "'T", "r", "'l", "E", "/", "-", "é", "\u{a0}"];
        let compare = |text: &str| {
            compare::<O200k>(text, &Rules { cased: true });
            compare::<Cl100k>(text, &Rules { cased: false });
        };
        let mut number = 0_u64;
        for length in 1..=40 {
            for _ in 0..200 {
                let mut text = String::new();
                while text.len() < 2 * length {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    text += alphabet[(number >> 33) as usize % alphabet.len()];
                }
                compare(&text);
                compare(&text.replace(['é', '\u{a0}', '\'', '/'], "x"));
            }
        }
    }

    fn compare<S: Split>(text: &str, rules: &Rules) {
        let text = text.as_bytes();
        let mut ends = vec![0];
        while ends[ends.len() - 1] < text.len() {
            ends.push(S::end(text, ends[ends.len() - 1]));
        }
        for &at in &ends[..ends.len() - 1] {
            let rest = &text[at..];
            let window = rest.first_chunk().copied().unwrap_or_else(|| padded(rest));
            let (mut starts, _) = starts(&window, rest.len(), rules);
            for end in ends.iter().filter(|end| **end > at) {
                if starts == 0 {
                    break;
                }
                assert_eq!(at + starts.trailing_zeros() as usize, *end, "{text:?} from {at}");
                starts &= starts - 1;
            }
            assert_eq!(starts, 0);
        }
    }
}
