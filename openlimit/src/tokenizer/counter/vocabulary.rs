//! `Vocabulary`: the tokens of an encoding and their ranks, looked up by their bytes.
//!
//! It is a view of tables that the build script made, so nothing is loaded or computed at start-up.
//! The system reads pages of the program as they are used.
//!
//! Tokens are in three tables by length: up to 8 bytes, up to 16, and longer. All are hash tables
//! with open addressing. The keys of the first two are the bytes themselves, and an entry of the
//! third says where the bytes are. A fourth table has the ranks of all pairs of bytes, by the pair.
//!
//! For example, the 4 bytes of `hugs` are its key, and the hash of the key gives a slot. From there
//! on, slots are compared with the key until one is free. None of them holds the key, so `hugs` is
//! not a token of o200k.
//!
//! A rank here is the token's rank in tiktoken less 256, since the first 256 are the single bytes,
//! which no merge makes. So `ug`, whose rank is 846 in tiktoken, has 590.

use super::layout::{
    EMPTY_RANK, Layout, TokenKey, is_border, long_hash, medium_key, pair_index, place, short_key,
};

/// The rank of bytes that are not a token: higher than all others.
pub(super) const NONE: u32 = EMPTY_RANK;

/// The longest token, in bytes.
const LONGEST: usize = 128;

/// The tokens of one encoding.
pub(super) struct Vocabulary {
    /// The ranks of all pairs of bytes, with which merging begins.
    pairs: &'static [[u8; 4]],
    short: Table<12>,
    medium: Table<20>,
    /// For each longer token, where its bytes are in `texts`, its length and its rank.
    long: &'static [[u8; 8]],
    /// The borders inside tokens: see `cut`.
    cuts: &'static [u8],
    cut_bits: u32,
    texts: &'static [u8],
}

impl Vocabulary {
    pub(super) const fn new(layout: &Layout, tables: &'static [u8]) -> Self {
        let (pairs, rest) = tables.split_at(4 << 16);
        let (short, rest) = Table::split(rest, layout.short);
        let (medium, rest) = Table::split(rest, layout.medium);
        let (long, rest) = rest.split_at(8 << layout.long);
        let (cuts, texts) = rest.split_at(1 << (layout.cuts - 3));
        let (pairs, long) = (pairs.as_chunks().0, long.as_chunks().0);
        Self { pairs, short, medium, long, cuts, cut_bits: layout.cuts, texts }
    }

    /// Returns the rank of the token that is these two bytes.
    #[inline(always)]
    pub(super) fn pair(&self, first: u8, second: u8) -> u32 {
        u32::from_le_bytes(self.pairs[pair_index(first, second)])
    }

    /// Returns the rank of the token that is these bytes of the text. That of a single byte means
    /// nothing.
    #[inline(never)]
    pub(super) fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        match end - start {
            length @ ..=8 => self.short.rank(short_key(text, start, length)),
            length @ 9..=16 => self.medium.rank(medium_key(text, start, length)),
            _ => self.long_rank(text, start, end),
        }
    }

    /// Reads the first slot for this key, so that it is in the processor's caches. Returns a part
    /// of it.
    #[inline(always)]
    pub(super) fn touch(&self, key: u128) -> u64 {
        match u64::try_from(key) {
            Ok(key) => self.short.first(key),
            Err(_) => self.medium.first(key) as u64,
        }
    }

    /// Returns whether these bytes of the text are a token. A single byte is one, too.
    #[inline(always)]
    pub(super) fn has(&self, text: &[u8], start: usize, end: usize) -> bool {
        self.rank(text, start, end) != NONE
    }

    #[inline(never)]
    fn long_rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        if end - start > LONGEST {
            return NONE;
        }
        let mask = self.long.len() - 1;
        let mut slot = long_hash(text, start, end) as usize;
        loop {
            let entry = u64::from_le_bytes(self.long[slot & mask]);
            let (at, length) = ((entry >> 32) as usize, (entry >> 24) as usize & 0xff);
            match length {
                0 => return NONE,
                _ if text[start..end] == self.texts[at..at + length] => return entry as u32 & 0xff_ffff,
                _ => slot += 1,
            }
        }
    }

    /// Returns the end of the part of a piece that begins at `start`, such that no token crosses
    /// it.
    ///
    /// Chinese, Japanese and Thai are written without spaces, so a piece is a whole clause, which
    /// seldom comes again. Cut between characters that are neighbours in no token, it becomes
    /// words, which do come again and are in the cache.
    ///
    /// For each border of two characters inside a token, the build script sets a bit for the hash
    /// of the bytes around it: three on each side if the token has them, else up to two. A border
    /// in the text is tried with all these numbers of bytes, and is cut if none of the bits is set.
    /// A collision of hashes prevents a cut, which costs time and never changes a count.
    pub(super) fn cut(&self, piece: &[u8], start: usize) -> usize {
        (start + 3..piece.len().saturating_sub(2))
            .find(|&at| is_border(piece, at) && !self.is_inside(piece, at))
            .unwrap_or(piece.len())
    }

    /// Returns whether a token may cross the border. There are at least three bytes on each side.
    #[inline(always)]
    fn is_inside(&self, text: &[u8], at: usize) -> bool {
        [(3, 3), (2, 2), (2, 1), (1, 2), (1, 1)].into_iter().any(|(left, right)| {
            let bit = place(&text[at - left..at], &text[at..at + right], self.cut_bits);
            self.cuts[bit / 8] >> (bit % 8) & 1 != 0
        })
    }
}

/// A hash table with open addressing. Each slot of `SIZE` bytes is a key and then a rank, so that
/// both are read at once. The key zero marks a free slot.
struct Table<const SIZE: usize> {
    slots: &'static [[u8; SIZE]],
    shift: u32,
}

impl<const SIZE: usize> Table<SIZE> {
    /// Splits the bytes into the table at their start and the rest.
    const fn split(bytes: &'static [u8], bits: u32) -> (Self, &'static [u8]) {
        let (slots, rest) = bytes.split_at(SIZE << bits);
        (Self { slots: slots.as_chunks().0, shift: 64 - bits }, rest)
    }

    /// Returns the rank of the key, or `NONE` if it is not there.
    #[inline(always)]
    fn rank<K: Stored<SIZE>>(&self, key: K) -> u32 {
        let mut slot = (key.hash() >> self.shift) as usize;
        loop {
            let (found, rank) = self.at::<K>(slot);
            if found == key {
                return rank;
            }
            if found == K::default() {
                return NONE;
            }
            slot += 1;
        }
    }

    /// Returns the key in the first slot for this one.
    #[inline(always)]
    fn first<K: Stored<SIZE>>(&self, key: K) -> K {
        self.at::<K>((key.hash() >> self.shift) as usize).0
    }

    #[inline(always)]
    fn at<K: Stored<SIZE>>(&self, slot: usize) -> (K, u32) {
        K::from_slot(&self.slots[slot & (self.slots.len() - 1)])
    }
}

/// A key as a slot of a table stores it, before its rank.
trait Stored<const SIZE: usize>: TokenKey {
    fn from_slot(slot: &[u8; SIZE]) -> (Self, u32);
}

impl Stored<12> for u64 {
    #[inline(always)]
    fn from_slot(slot: &[u8; 12]) -> (Self, u32) {
        let (key, rank) = key_and_rank(slot);
        (Self::from_le_bytes(key), rank)
    }
}

impl Stored<20> for u128 {
    #[inline(always)]
    fn from_slot(slot: &[u8; 20]) -> (Self, u32) {
        let (key, rank) = key_and_rank(slot);
        (Self::from_le_bytes(key), rank)
    }
}

#[inline(always)]
fn key_and_rank<const KEY: usize>(slot: &[u8]) -> ([u8; KEY], u32) {
    let (key, rank) = slot.split_last_chunk().expect("a slot ends with a rank");
    (key.try_into().expect("it begins with a key"), u32::from_le_bytes(*rank))
}
