//! `Cache`: the counts of the pieces that a thread has met last.
//!
//! A program's texts are mostly made of the same few thousand pieces. The tables of the vocabulary
//! take megabytes, so those pieces are far apart there, and other work evicts them from the
//! processor's caches. Here they are in a few pages of memory, whether they are tokens or have been
//! merged.
//!
//! A slot is a number: the key of a piece, and in its highest byte how many more tokens than one
//! the piece has. So the slot of a token is its key. The hash of the key gives two slots, side by
//! side, so that they are read at once. A new piece takes the first one, and moves the piece there
//! to the second one. To merge a piece again takes far longer than to look up a token. So if a
//! merged piece is in the first slot, a token leaves it there and takes the second one.
//!
//! The size is fixed, and there is no search for a piece to evict. A thread allocates its cache
//! when it first counts.
//!
//! For example, `hugs` has two tokens. Its key is the four bytes, inverted, and its slot is that
//! key with a one in the highest byte.
//!
//! A key of 8 bytes leaves no room for a count. So such a piece is among the short ones if it is a
//! token, and else among the longer ones. Its highest byte is the last one of the piece, inverted.
//! The last byte of a character is at most `0xbf`, so this is at least `0x40` and never taken for a
//! count.

use std::mem;

use super::layout::TokenKey;

/// The longest piece with a key of one word, in bytes.
pub(super) const SHORT: usize = 8;
/// The longest piece in the cache, in bytes.
pub(super) const LONGEST: usize = 15;

/// Counts of one encoding. A larger cache would be spread over more pages of memory, whose
/// addresses the processor would have to look up.
#[derive(Default)]
pub(super) struct Cache {
    short: Short,
    medium: Medium,
}

/// 64 KB.
type Short = Slots<u64, { 1 << 12 }>;
/// 64 KB as well.
type Medium = Slots<u128, { 1 << 11 }>;

impl Cache {
    /// Returns whether the piece with this key is known to be a token. Takes no branch, so the
    /// processor goes on while the slot is on its way from memory.
    #[inline(always)]
    pub(super) fn has_short(&self, key: u64) -> bool {
        self.short.has(key)
    }

    /// Like `has_short`, for a piece of 9 to 15 bytes.
    #[inline(always)]
    pub(super) fn has_medium(&self, key: u128) -> bool {
        self.medium.has(key)
    }

    /// Returns the count of the piece with this key, if it is known.
    #[inline(always)]
    pub(super) fn known(&self, key: u128) -> Option<usize> {
        match u64::try_from(key) {
            Ok(short) if has_room(short) => self.short.known(short),
            Ok(short) if self.has_short(short) => Some(1),
            _ => self.medium.known(key),
        }
    }

    /// Returns the count of the piece with this key, if it is known, or else from `count`.
    #[inline(always)]
    pub(super) fn count(&mut self, key: u128, count: impl FnOnce() -> usize) -> usize {
        self.known(key).unwrap_or_else(|| {
            let count = count();
            match u64::try_from(key) {
                Ok(short) if has_room(short) || count == 1 => self.short.put(short, count),
                _ => self.medium.put(key, count),
            }
            count
        })
    }
}

/// Returns whether the key of a short piece leaves room for a count.
#[inline(always)]
fn has_room(key: u64) -> bool {
    key >> 56 == 0
}

/// The latest pieces, each in one of the two slots that its hash gives.
struct Slots<K, const PAIRS: usize>(Box<[[K; 2]; PAIRS]>);

impl<K: Key, const PAIRS: usize> Slots<K, PAIRS> {
    #[inline(always)]
    fn has(&self, token: K) -> bool {
        let [first, second] = self.0[Self::index(token)];
        (first == token) | (second == token)
    }

    #[inline(always)]
    fn known(&self, key: K) -> Option<usize> {
        let [first, second] = self.0[Self::index(key)];
        first.count_of(key).or_else(|| second.count_of(key))
    }

    #[inline(always)]
    fn put(&mut self, key: K, count: usize) {
        let [first, second] = &mut self.0[Self::index(key)];
        let slot = key.with_count(count);
        if count == 1 && first.is_merged() {
            *second = slot;
        } else {
            *second = mem::replace(first, slot);
        }
    }

    #[inline(always)]
    fn index(key: K) -> usize {
        (key.hash() >> (u64::BITS - PAIRS.ilog2())) as usize % PAIRS
    }
}

impl<K: Key, const PAIRS: usize> Default for Slots<K, PAIRS> {
    fn default() -> Self {
        let pairs = vec![[K::default(); 2]; PAIRS].try_into();
        Self(pairs.unwrap_or_else(|_| unreachable!("it has this length")))
    }
}

/// The key of a piece that leaves the highest byte free.
trait Key: TokenKey {
    /// Returns the slot for this key and count.
    fn with_count(self, count: usize) -> Self;

    /// Returns whether this slot is of a piece that was merged.
    fn is_merged(self) -> bool;

    /// Returns the count in this slot, if it is the slot of the key.
    fn count_of(self, key: Self) -> Option<usize>;
}

impl Key for u64 {
    #[inline(always)]
    fn with_count(self, count: usize) -> Self {
        self | (count as u64 - 1) << 56
    }

    #[inline(always)]
    fn is_merged(self) -> bool {
        // More than that is the last byte of a piece of 8 bytes.
        matches!(self >> 56, 1..8)
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
    fn is_merged(self) -> bool {
        self >> 120 != 0
    }

    #[inline(always)]
    fn count_of(self, key: Self) -> Option<usize> {
        let differ = self ^ key;
        (differ << 8 == 0).then_some((differ >> 120) as usize + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{Cache, Key, LONGEST, Medium, Short};
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
    fn pieces_that_begin_alike_are_told_apart_even_in_the_same_slots() {
        let mut cache = Cache::default();
        let mut same = [0; 2];
        for number in 0..100_000 {
            // With these two letters, the first 7 and the first 8 bytes often have the same slots.
            let text = format!("{:03}Q{:03}Pabcdefg", number / 1_000, number % 1_000);
            let key = |length| medium_key(text.as_bytes(), 0, length);
            let (seven, eight) = (key(7) as u64, key(8) as u64);
            same[0] += usize::from(Short::index(seven) == Short::index(eight));
            same[1] += usize::from(Medium::index(key(8)) == Medium::index(key(9)));
            for length in [7, 8, 7, 9, 8, 15, 9, 15] {
                let count = [1, number % length + 1][number % 2];
                assert_eq!(cache.count(key(length), || count), count, "{length} bytes of {text}");
            }
        }
        assert!(same[0] > 1_000 && same[1] > 0, "{same:?}");
    }

    #[test]
    fn the_latest_two_pieces_have_the_slots() {
        let mut cache = Cache::default();
        for [oldest, older, newest] in triples() {
            for (key, count) in [(oldest, 3), (older, 2), (newest, 2)] {
                assert_eq!(cache.count(key, || count), count);
            }
            assert_eq!([oldest, older, newest].map(|key| cache.known(key)), [None, Some(2), Some(2)]);
        }
    }

    #[test]
    fn a_token_leaves_the_latest_merged_piece() {
        let mut cache = Cache::default();
        for [merged, token, newest] in triples() {
            for (key, count) in [(merged, 2), (token, 1), (newest, 1)] {
                assert_eq!(cache.count(key, || count), count);
            }
            assert_eq!([merged, token, newest].map(|key| cache.known(key)), [Some(2), None, Some(1)]);
            assert_eq!(cache.count(token, || 2), 2);
            assert_eq!([merged, token, newest].map(|key| cache.known(key)), [Some(2), Some(2), None]);
        }
    }

    /// Returns the keys of three pieces each that have the same slots, of 7 bytes and of 9.
    fn triples() -> impl Iterator<Item = [u128; 3]> {
        let with_length = |length: usize| {
            let mut keys: Vec<_> = (0..20_000)
                .map(|number| medium_key(format!("{number:0length$}").as_bytes(), 0, length))
                .collect();
            let index = |key: &u128| u64::try_from(*key).map_or_else(|_| Medium::index(*key), Short::index);
            keys.sort_by_key(index);
            let triples = keys.chunk_by(|one, other| index(one) == index(other));
            triples.filter_map(|same| same.first_chunk().copied()).collect::<Vec<_>>()
        };
        let [short, medium] = [7, 9].map(with_length);
        assert!(short.len() > 1_000 && medium.len() > 1_000);
        short.into_iter().chain(medium)
    }
}
