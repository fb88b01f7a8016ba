//! A memo of whole texts: how many tokens the last few thousand were that the process has counted.
//!
//! A conversation is sent again with each turn, and all of it but the end has been counted before. To hash a text is
//! many times faster than to count it. The hash is seeded at random in each process, so that nobody can write two
//! texts that are taken for one another. Chance does it once in 2^50 looks at a text of the same length: the slot and
//! the check are of one hash of 64 bits, 14 of which say the slot.
//!
//! A slot is two words: the count, and the hash mixed with it. If two threads write a slot at once, the words do not
//! belong together, and no hash fits them. So there is no lock, and the memo is never larger than it is at the start:
//! each text has one slot, and the last to come keeps it.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use crate::tokenizer::encoding::Encoding;

/// In bytes. What is shorter is counted as soon as it is found here.
const SHORTEST: usize = 32;

/// 256 KB for the process, which are touched only as they are used.
const SLOTS: usize = 1 << 14;

static MEMO: [Remembered; SLOTS] =
    [const { Remembered { count: AtomicU64::new(0), check: AtomicU64::new(0) } }; SLOTS];

static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

struct Remembered {
    /// The length of the text, which is never nought here, and the count: 32 bits each.
    count: AtomicU64,
    /// The hash of the text, mixed with the above.
    check: AtomicU64,
}

/// The count of this text, from the memo or from `count`.
#[inline]
pub(super) fn count(encoding: Encoding, text: &str, count: impl FnOnce() -> usize) -> usize {
    match u32::try_from(text.len()) {
        Ok(length) if text.len() >= SHORTEST => remembered(encoding, text, length, count),
        _ => count(),
    }
}

fn remembered(encoding: Encoding, text: &str, length: u32, count: impl FnOnce() -> usize) -> usize {
    let mut hasher = SEED.build_hasher();
    hasher.write(text.as_bytes());
    hasher.write_u8(encoding as u8);
    let hash = hasher.finish();

    let slot = &MEMO[hash as usize % SLOTS];
    let known = slot.count.load(Relaxed);
    if known >> 32 == u64::from(length) && slot.check.load(Relaxed) == hash ^ known {
        return known as u32 as usize;
    }
    let count = count();
    // No text has more tokens than bytes, so the count fits where the length does.
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
