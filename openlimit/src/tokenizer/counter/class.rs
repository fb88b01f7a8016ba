//! The class of a character: a letter, a number, a space, and so on.
//!
//! The regular expressions that split a text tell eight classes apart. A class is one bit, so a set
//! of classes is a byte. The end of the text has no class and is in no set, so a run over any set
//! ends there by itself.
//!
//! The table is the file `data/unicode.classes`. A test writes it from the Unicode tables of Rust's
//! regular expressions (`tests/tests/tokenizer/data.rs`). It is an index with an entry for each 128
//! characters, followed by the pages of 128 classes that the entries name.

pub(super) const OTHER: u8 = 1 << 0;
/// Whitespace other than the newlines.
pub(super) const SPACE: u8 = 1 << 1;
/// `\r` and `\n`.
pub(super) const NEWLINE: u8 = 1 << 2;
pub(super) const NUMBER: u8 = 1 << 3;
/// Letters in upper case and title case.
pub(super) const UPPER: u8 = 1 << 4;
pub(super) const LOWER: u8 = 1 << 5;
/// Letters without case, and modifier letters.
pub(super) const UNCASED: u8 = 1 << 6;
pub(super) const MARK: u8 = 1 << 7;

pub(super) const LETTER: u8 = UPPER | LOWER | UNCASED;
pub(super) const WHITESPACE: u8 = SPACE | NEWLINE;
/// Characters that are neither whitespace nor letters nor numbers.
pub(super) const SYMBOL: u8 = OTHER | MARK;

/// Returns the class of the character at `at` and its length in bytes. Both are 0 at the end of the
/// text.
#[inline(always)]
pub(super) fn at(text: &[u8], at: usize) -> (u8, usize) {
    match text.get(at) {
        Some(&byte) if byte < 0x80 => (ASCII[usize::from(byte)], 1),
        Some(_) => beyond_ascii(text, at),
        None => (0, 0),
    }
}

/// Returns the end of the run of characters of these classes that begins at `at`.
#[inline]
pub(super) fn run(text: &[u8], mut at: usize, classes: u8) -> usize {
    loop {
        let (class, length) = self::at(text, at);
        if class & classes == 0 {
            return at;
        }
        at += length;
    }
}

/// Returns the end of the run of ASCII's lower-case letters that begins at `at`.
#[inline(always)]
pub(super) fn small(text: &[u8], at: usize) -> usize {
    ascii(text, at, 0)
}

/// Returns the end of the run of ASCII's letters that begins at `at`.
#[inline(always)]
pub(super) fn letters(text: &[u8], at: usize) -> usize {
    ascii(text, at, 0x20)
}

/// Returns the end of the run of bytes that are lower-case letters once the bits of `fold` are set.
/// It looks at eight bytes at a time.
#[inline(always)]
fn ascii(text: &[u8], mut at: usize, fold: u8) -> usize {
    const EACH: u64 = u64::MAX / 0xff;
    const HIGH: u64 = 0x80 * EACH;
    let fold_each = u64::from(fold) * EACH;
    while let Some(bytes) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*bytes) | fold_each;
        let seven = word & !HIGH;
        // The high bit of each byte says whether it is at least `a`, and whether it is beyond `z`.
        let from_a = seven + (0x80 - 0x61) * EACH;
        let beyond_z = seven + (0x80 - 0x7b) * EACH;
        let outside = (!from_a | beyond_z | word) & HIGH;
        if outside != 0 {
            return at + outside.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while text.get(at).is_some_and(|byte| (byte | fold).is_ascii_lowercase()) {
        at += 1;
    }
    at
}

/// The class and the length of a character of several bytes. The text is valid UTF-8, so the first
/// byte gives the length.
#[inline]
fn beyond_ascii(text: &[u8], at: usize) -> (u8, usize) {
    let low = |byte: u8| u32::from(byte & 0x3f);
    match text[at..] {
        [a, b, ..] if a < 0xe0 => (of(u32::from(a & 0x1f) << 6 | low(b)), 2),
        [a, b, c, ..] if a < 0xf0 => (of(u32::from(a & 0x0f) << 12 | low(b) << 6 | low(c)), 3),
        [a, b, c, d, ..] => (of(u32::from(a & 0x07) << 18 | low(b) << 12 | low(c) << 6 | low(d)), 4),
        _ => (OTHER, 1),
    }
}

#[inline(always)]
fn of(character: u32) -> u8 {
    let (page, within) = (character as usize >> PAGE_BITS, character as usize & (PAGE - 1));
    let page = TABLE.get(page).copied().unwrap_or_default();
    1 << (TABLE[PAGES + usize::from(page) * PAGE + within] & 7)
}

const PAGE_BITS: usize = 7;
const PAGE: usize = 1 << PAGE_BITS;
/// The number of pages in all of Unicode.
const PAGES: usize = 0x11_0000 / PAGE;

static TABLE: &[u8] = include_bytes!("../../../data/unicode.classes");

/// The classes of the first page, without the index.
static ASCII: [u8; 128] = {
    let mut classes = [0; 128];
    let mut at = 0;
    while at < 128 {
        classes[at] = 1 << TABLE[PAGES + TABLE[0] as usize * PAGE + at];
        at += 1;
    }
    classes
};
