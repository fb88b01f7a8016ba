//! A memo of whole texts: the counts of the last few thousand that the process has counted.
//!
//! A conversation is sent again with each turn, and all of it but the end has been counted before.
//! Hashing a text is many times faster than counting it.
//!
//! The hash of a text and its encoding has 64 bits. 14 of them choose the slot, and the other 50
//! tell the texts of one slot apart. So a text is taken for another one of its length in its slot
//! with a chance of 1 in 2^50. The hash is seeded at random in each process, so such texts cannot
//! be made on purpose.
//!
//! A slot is two words: the length and the count, and the hash combined with them by exclusive or.
//! If two threads write a slot at once, it may end up with one word of each, which fits the hash of
//! neither. So no lock is needed. Each text has one slot, and the latest text overwrites it, so the
//! memo never grows.
//!
//! For example, a text of 40 bytes with 9 tokens and the hash `h` is stored as the words
//! `k = 40 << 32 | 9` and `c = h ^ k`. A text is found there if its length is `k >> 32` and its
//! hash is `c ^ k`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use super::text_hash;
use crate::tokenizer::encoding::Encoding;

/// The shortest text in the memo, in bytes. Counting a shorter one takes no longer than finding
/// it.
const SHORTEST: usize = 32;

/// 256 KB for the process. The system provides the pages only as they are used.
const SLOTS: usize = 1 << 14;

static MEMO: [Remembered; SLOTS] =
    [const { Remembered { count: AtomicU64::new(0), check: AtomicU64::new(0) } }; SLOTS];

struct Remembered {
    /// The length of the text, which is never zero, and the count: 32 bits each.
    count: AtomicU64,
    /// The hash of the text, combined with `count` by exclusive or.
    check: AtomicU64,
}

/// Returns the count of this text, from the memo or else from `count`.
#[inline]
pub(super) fn count(encoding: Encoding, text: &str, count: impl FnOnce() -> usize) -> usize {
    match u32::try_from(text.len()) {
        Ok(length) if text.len() >= SHORTEST => remembered(encoding, text, length, count),
        _ => count(),
    }
}

fn remembered(encoding: Encoding, text: &str, length: u32, count: impl FnOnce() -> usize) -> usize {
    let hash = text_hash::hash(text.as_bytes(), encoding as u8);
    let slot = &MEMO[hash as usize % SLOTS];
    let known = slot.count.load(Relaxed);
    if known >> 32 == u64::from(length) && slot.check.load(Relaxed) == hash ^ known {
        return known as u32 as usize;
    }
    let count = count();
    // A text has no more tokens than bytes, so its count fits into 32 bits as its length does.
    let known = u64::from(length) << 32 | count as u64;
    slot.count.store(known, Relaxed);
    slot.check.store(hash ^ known, Relaxed);
    count
}

#[cfg(test)]
mod tests {
    use super::{Encoding, SHORTEST, count};

    const ANY: Encoding = Encoding::O200kBase;

    #[test]
    fn a_text_is_counted_once_in_each_encoding() {
        let text = "once upon a time ".repeat(SHORTEST);
        assert_eq!(count(ANY, &text, || 7), 7);
        assert_eq!(count(ANY, &text.clone(), || panic!("it is known")), 7);
        assert_eq!(count(Encoding::R50kBase, &text, || 8), 8);
    }

    #[test]
    fn a_short_text_is_not_kept() {
        let text = "x".repeat(SHORTEST - 1);
        assert_eq!(count(ANY, &text, || 7), 7);
        assert_eq!(count(ANY, &text, || 8), 8);
    }

    #[test]
    fn texts_that_differ_in_a_byte_are_not_taken_for_one_another() {
        let text = "y".repeat(3 * SHORTEST);
        for at in 0..text.len() {
            let mut other = text.clone();
            other.replace_range(at..=at, "z");
            assert_eq!(count(ANY, &other, || at), at);
            assert_eq!(count(ANY, &text[at / 2..], || 1_000 + at / 2), 1_000 + at / 2);
        }
    }
}
