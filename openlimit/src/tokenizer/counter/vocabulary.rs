//! `Vocabulary`: the tokens of an encoding and their ranks, made for asking whether some bytes are a token.
//!
//! It is a view of the tables that the build script made, so there is nothing to load and nothing to start: what is
//! looked at first is there first. Ranks count from the first token of two bytes on; single bytes are tokens that
//! nothing merges into.

use super::layout::{
    EMPTY_RANK, Layout, TokenKey, is_border, long_hash, medium_key, pair_index, place, short_key,
};

/// The rank of what is no token: after all others.
pub(super) const NONE: u32 = EMPTY_RANK;

/// No token is longer, in bytes.
const LONGEST: usize = 128;

/// The tokens of one encoding.
pub(super) struct Vocabulary {
    /// The ranks of all pairs of bytes, which is where merging begins.
    pairs: &'static [[u8; 4]],
    short: Table<8>,
    medium: Table<16>,
    /// For each longer token where its text is, its length and its rank.
    long: &'static [[u8; 8]],
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

    /// The rank of the token that is these two bytes.
    #[inline(always)]
    pub(super) fn pair(&self, first: u8, second: u8) -> u32 {
        u32::from_le_bytes(self.pairs[pair_index(first, second)])
    }

    /// The rank of the token that is these bytes of the text, at least two of them.
    #[inline(always)]
    pub(super) fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        match end - start {
            length @ ..=8 => self.short.rank(short_key(text, start, length)),
            length @ 9..=16 => self.medium.rank(medium_key(text, start, length)),
            _ => self.long_rank(text, start, end),
        }
    }

    /// Whether these bytes of the text are a token, at least two of them.
    #[inline(always)]
    pub(super) fn has(&self, text: &[u8], start: usize, end: usize) -> bool {
        match end - start {
            length @ ..=8 => self.short.has(short_key(text, start, length)),
            length @ 9..=16 => self.medium.has(medium_key(text, start, length)),
            _ => self.long_rank(text, start, end) != NONE,
        }
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

    /// The end of the part of a piece that begins at `start`: no token reaches across it.
    ///
    /// Chinese, Japanese and Thai are written without spaces, so that a piece is a whole clause, and seldom comes
    /// again. Cut between characters that stand side by side in no token, it falls into words, which do. For each
    /// border of two characters inside a token, the bytes around it are remembered, up to three on either side, as
    /// a bit of a hash. What the hash takes for one another is not cut, and nothing else is lost.
    pub(super) fn cut(&self, piece: &[u8], start: usize) -> usize {
        (start + 3..piece.len().saturating_sub(2))
            .find(|&at| is_border(piece, at) && !self.is_inside(piece, at))
            .unwrap_or(piece.len())
    }

    /// Whether some token may hold the bytes on both sides, of which there are three.
    #[inline(always)]
    fn is_inside(&self, text: &[u8], at: usize) -> bool {
        [(3, 3), (2, 2), (2, 1), (1, 2), (1, 1)].into_iter().any(|(left, right)| {
            let bit = place(&text[at - left..at], &text[at..at + right], self.cut_bits);
            self.cuts[bit / 8] >> (bit % 8) & 1 != 0
        })
    }
}

/// From keys of `N` bytes to ranks: open addressing, with the key nought for what is free.
struct Table<const N: usize> {
    keys: &'static [[u8; N]],
    ranks: &'static [[u8; 4]],
    shift: u32,
}

impl<const N: usize> Table<N> {
    /// The table at the start of these bytes, and the bytes after it.
    const fn split(bytes: &'static [u8], bits: u32) -> (Self, &'static [u8]) {
        let (keys, rest) = bytes.split_at(N << bits);
        let (ranks, rest) = rest.split_at(4 << bits);
        (Self { keys: keys.as_chunks().0, ranks: ranks.as_chunks().0, shift: 64 - bits }, rest)
    }

    #[inline(always)]
    fn has<K: TokenKey + Stored<N>>(&self, key: K) -> bool {
        self.find(key).1
    }

    #[inline(always)]
    fn rank<K: TokenKey + Stored<N>>(&self, key: K) -> u32 {
        match self.find(key) {
            (slot, true) => u32::from_le_bytes(self.ranks[slot]),
            _ => NONE,
        }
    }

    /// The slot of the key and whether it is there.
    #[inline(always)]
    fn find<K: TokenKey + Stored<N>>(&self, key: K) -> (usize, bool) {
        let mask = self.keys.len() - 1;
        let mut slot = (key.hash() >> self.shift) as usize;
        loop {
            let found = K::from_bytes(self.keys[slot & mask]);
            if found == key {
                return (slot & mask, true);
            }
            if found == K::default() {
                return (slot & mask, false);
            }
            slot += 1;
        }
    }
}

/// How a key is stored.
trait Stored<const N: usize> {
    fn from_bytes(bytes: [u8; N]) -> Self;
}

impl Stored<8> for u64 {
    #[inline(always)]
    fn from_bytes(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Stored<16> for u128 {
    #[inline(always)]
    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_le_bytes(bytes)
    }
}
