//! `Cache`: the counts of the pieces that a thread has met last.
//!
//! A program's texts are mostly made of the same few thousand pieces. The tables of the vocabulary
//! take megabytes, so those pieces are far apart there, and other work evicts them from the
//! processor's caches. Here they are in a few pages of memory, whether they are tokens or have been
//! merged.
//!
//! A slot is a number: the key of a piece, and in its highest byte how many more tokens than one
//! the piece has. So the slot of a token is its key. The hash of the key gives its only slot, and
//! the latest piece there overwrites the one before. So the size is fixed, and there is no search
//! for a piece to evict. A thread allocates its cache when it first counts.
//!
//! For example, `hugs` has two tokens. Its key is the four bytes, inverted, and its slot is that
//! key with a one in the highest byte.
//!
//! A key of 8 bytes leaves no room for a count. So such a piece is among the longer ones. If it is
//! a token, it is among the short ones as well. Its highest byte is the last one of the piece,
//! inverted. The last byte of a character is at most `0xbf`, so this is at least `0x40` and never
//! taken for a count.

use super::layout::TokenKey;

/// The longest piece with a key of one word, in bytes.
pub(super) const SHORT: usize = 8;
/// The longest piece in the cache, in bytes.
pub(super) const LONGEST: usize = 15;

/// Counts of one encoding. A larger cache would be spread over more pages of memory, whose
/// addresses the processor would have to look up.
#[derive(Default)]
pub(super) struct Cache {
    /// 64 KB.
    short: Slots<u64, { 1 << 13 }>,
    /// 128 KB.
    medium: Slots<u128, { 1 << 13 }>,
}

impl Cache {
    /// Returns whether the piece with this key is known to be a token. Takes no branch, so the
    /// processor goes on while the slot is on its way from memory.
    #[inline(always)]
    pub(super) fn has_short(&self, key: u64) -> bool {
        *self.short.slot(key) == key
    }

    /// Like `has_short`, for a piece of 9 to 15 bytes.
    #[inline(always)]
    pub(super) fn has_medium(&self, key: u128) -> bool {
        *self.medium.slot(key) == key
    }

    /// Returns the count of the piece with this key, from its slot or else from `count`.
    #[inline(always)]
    pub(super) fn count(&mut self, key: u128, count: impl FnOnce() -> usize) -> usize {
        let Ok(short) = u64::try_from(key) else {
            return self.medium.count(key, count);
        };
        let has_room = short >> 56 == 0;
        if has_room {
            return self.short.count(short, count);
        }
        if self.has_short(short) {
            return 1;
        }
        let count = self.medium.count(key, count);
        if count == 1 {
            *self.short.slot_mut(short) = short;
        }
        count
    }
}

/// The latest pieces, each in the slot that its hash gives.
struct Slots<K, const SLOTS: usize>(Box<[K; SLOTS]>);

impl<K: Key, const SLOTS: usize> Slots<K, SLOTS> {
    #[inline(always)]
    fn slot(&self, key: K) -> &K {
        &self.0[Self::index(key)]
    }

    #[inline(always)]
    fn slot_mut(&mut self, key: K) -> &mut K {
        &mut self.0[Self::index(key)]
    }

    #[inline(always)]
    fn index(key: K) -> usize {
        (key.hash() >> (u64::BITS - SLOTS.ilog2())) as usize % SLOTS
    }

    #[inline(always)]
    fn count(&mut self, key: K, count: impl FnOnce() -> usize) -> usize {
        let slot = self.slot_mut(key);
        slot.count_of(key).unwrap_or_else(|| {
            let count = count();
            *slot = key.with_count(count);
            count
        })
    }
}

impl<K: Key, const SLOTS: usize> Default for Slots<K, SLOTS> {
    fn default() -> Self {
        let slots = vec![K::default(); SLOTS].try_into();
        Self(slots.unwrap_or_else(|_| unreachable!("it has this length")))
    }
}

/// The key of a piece that leaves the highest byte free.
trait Key: TokenKey {
    /// Returns the slot for this key and count.
    fn with_count(self, count: usize) -> Self;

    /// Returns the count in this slot, if it is the slot of the key.
    fn count_of(self, key: Self) -> Option<usize>;
}

impl Key for u64 {
    #[inline(always)]
    fn with_count(self, count: usize) -> Self {
        self | (count as u64 - 1) << 56
    }

    #[inline(always)]
    fn count_of(self, key: Self) -> Option<usize> {
        let differ = self ^ key;
        // The slot may be the key of a piece of 8 bytes.
        (differ << 8 == 0 && differ >> 56 < 8).then_some((differ >> 56) as usize + 1)
    }
}

impl Key for u128 {
    #[inline(always)]
    fn with_count(self, count: usize) -> Self {
        self | (count as u128 - 1) << 120
    }

    #[inline(always)]
    fn count_of(self, key: Self) -> Option<usize> {
        let differ = self ^ key;
        (differ << 8 == 0).then_some((differ >> 120) as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use std::ptr;

    use super::{Cache, Key, LONGEST};
    use crate::tokenizer::counter::layout::{medium_key, short_key};

    #[test]
    fn a_piece_is_counted_once_whatever_its_length_and_count() {
        let mut cache = Cache::default();
        for length in 1..=LONGEST {
            for count in 1..=length {
                let mut piece = vec![b'a' + length as u8; length];
                piece[0] = count as u8;
                let key = medium_key(&piece, 0, length);
                assert_eq!(cache.count(key, || count), count, "{piece:?}");
                assert_eq!(cache.count(key, || panic!("it is known")), count, "{piece:?}");
            }
        }
    }

    #[test]
    fn a_piece_of_eight_bytes_is_not_taken_for_its_first_seven_with_a_count() {
        for last in (0..0x80).chain(0x80..0xc0) {
            let long = short_key(&[b'a', b'b', b'c', b'd', b'e', b'f', b'g', last], 0, 8);
            let short = short_key(b"abcdefg ", 0, 7);
            assert_eq!(long.count_of(short), None);
            for count in 1..=7 {
                assert_eq!(short.with_count(count).count_of(short), Some(count));
                assert_ne!(short.with_count(count), long);
            }
        }
    }

    #[test]
    fn pieces_that_begin_alike_are_told_apart_even_in_the_same_slot() {
        let mut cache = Cache::default();
        let mut same = [0; 2];
        for number in 0..100_000 {
            // With these two letters, the first 7 and the first 8 bytes often have the same slot.
            let text = format!("{:03}Q{:03}Pabcdefg", number / 1_000, number % 1_000);
            let key = |length| medium_key(text.as_bytes(), 0, length);
            let (seven, eight) = (key(7) as u64, key(8) as u64);
            same[0] += usize::from(ptr::eq(cache.short.slot(seven), cache.short.slot(eight)));
            same[1] += usize::from(ptr::eq(cache.medium.slot(key(8)), cache.medium.slot(key(9))));
            for length in [7, 8, 7, 9, 8, 15, 9, 15] {
                let count = [1, number % length + 1][number % 2];
                assert_eq!(cache.count(key(length), || count), count, "{length} bytes of {text}");
            }
        }
        assert!(same[0] > 1_000 && same[1] > 0, "{same:?}");
    }

    #[test]
    fn the_latest_piece_takes_the_slot() {
        let mut cache = Cache::default();
        for number in 0..100_000_u32 {
            let piece = format!("{number:07}");
            let key = medium_key(piece.as_bytes(), 0, piece.len());
            assert_eq!(cache.count(key, || number as usize % 7 + 1), number as usize % 7 + 1);
            assert_eq!(cache.count(key, || panic!("it is known")), number as usize % 7 + 1);
        }
    }
}
