//! `Vocabulary`: the tokens of an encoding and their ranks, made for asking whether some bytes are a token.
//!
//! It is built from a list of tokens in the order of their ranks (`openlimit/data`), each after its length. A token
//! is looked up by its bytes themselves: up to eight fit a `u64` and up to sixteen a `u128`, so that comparing is
//! exact and takes no second look; only one in fifty is longer. The bytes are inverted, because no text holds
//! `0xff`: what is left of the key is nought then, and no shorter text has the key of a longer one.
//!
//! Ranks here count from the first token of two bytes. Single bytes are tokens that nothing merges into.

use std::collections::HashMap;
use std::sync::OnceLock;

use super::cuts::Cuts;

/// The rank of what is no token: after all others.
pub(super) const NONE: u32 = u32::MAX;

/// No token is longer.
pub(super) const LONGEST: usize = 128;

/// The tokens of one encoding.
pub(super) struct Vocabulary {
    source: &'static [&'static [u8]],
    /// The ranks of all pairs of bytes, which is where merging begins.
    pairs: Box<[u32]>,
    /// Tokens of up to 8 bytes, and of up to 16.
    short: Table<u64>,
    medium: Table<u128>,
    long: HashMap<&'static [u8], u32>,
    cuts: OnceLock<Cuts>,
}

impl Vocabulary {
    /// The tokens of these lists, one after the other. The tables get two to the power of `short` and `medium`
    /// slots, of which some have to stay free.
    pub(super) fn new(source: &'static [&'static [u8]], short: u32, medium: u32) -> Self {
        let mut vocabulary = Self {
            source,
            pairs: vec![NONE; 1 << 16].into_boxed_slice(),
            short: Table::new(short),
            medium: Table::new(medium),
            long: HashMap::new(),
            cuts: OnceLock::new(),
        };
        for (rank, (list, start, length)) in (0_u32..).zip(Tokens::of(source)) {
            match length {
                0..=8 => vocabulary.short.insert(short_key(list, start, length), rank),
                9..=16 => vocabulary.medium.insert(medium_key(list, start, length), rank),
                _ => {
                    vocabulary.long.insert(&list[start..start + length], rank);
                }
            }
            if length == 2 {
                vocabulary.pairs[pair_index(list[start], list[start + 1])] = rank;
            }
        }
        vocabulary
    }

    /// The rank of the token that is these two bytes.
    #[inline(always)]
    pub(super) fn pair(&self, first: u8, second: u8) -> u32 {
        self.pairs[pair_index(first, second)]
    }

    /// The rank of the token that is these bytes of the text, at least two of them.
    #[inline(always)]
    pub(super) fn rank(&self, text: &[u8], start: usize, end: usize) -> u32 {
        match end - start {
            length @ ..=8 => self.short.get(short_key(text, start, length)),
            length @ 9..=16 => self.medium.get(medium_key(text, start, length)),
            17..=LONGEST => self.long.get(&text[start..end]).copied().unwrap_or(NONE),
            _ => NONE,
        }
    }

    /// Whether these bytes of the text are a token, at least two of them.
    #[inline(always)]
    pub(super) fn has(&self, text: &[u8], start: usize, end: usize) -> bool {
        match end - start {
            length @ ..=8 => self.short.has(short_key(text, start, length)),
            length @ 9..=16 => self.medium.has(medium_key(text, start, length)),
            _ => self.rank(text, start, end) != NONE,
        }
    }

    /// Where a long piece may be cut. They are only gathered once there is one.
    pub(super) fn cuts(&self) -> &Cuts {
        self.cuts.get_or_init(|| Cuts::new(Tokens::of(self.source)))
    }
}

/// The key of up to 8 bytes of the text.
#[inline(always)]
fn short_key(text: &[u8], start: usize, length: usize) -> u64 {
    let bytes = match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => u64::from_le_bytes(last(text, start)),
    };
    !bytes & (u64::MAX >> (64 - 8 * length))
}

/// The key of 1 to 16 bytes of the text.
#[inline(always)]
pub(super) fn medium_key(text: &[u8], start: usize, length: usize) -> u128 {
    let bytes = match text.get(start..).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => u128::from_le_bytes(last(text, start)),
    };
    !bytes & (u128::MAX >> (128 - 8 * length))
}

/// The last bytes of the text, fewer than `N`.
#[inline(never)]
fn last<const N: usize>(text: &[u8], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(&text[start..]) {
        *to = *from;
    }
    bytes
}

#[inline(always)]
fn pair_index(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
}

/// The tokens of some lists: the list that each is in, where it starts there, and its length.
pub(super) struct Tokens {
    lists: std::slice::Iter<'static, &'static [u8]>,
    list: &'static [u8],
    at: usize,
}

impl Tokens {
    fn of(source: &'static [&'static [u8]]) -> Self {
        Self { lists: source.iter(), list: &[], at: 0 }
    }
}

impl Iterator for Tokens {
    type Item = (&'static [u8], usize, usize);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        while self.at >= self.list.len() {
            self.list = self.lists.next()?;
            self.at = 0;
        }
        let (start, length) = (self.at + 1, usize::from(self.list[self.at]));
        self.at = start + length;
        Some((self.list, start, length))
    }
}

/// From keys to ranks: open addressing, with the key nought for what is free.
struct Table<K> {
    keys: Box<[K]>,
    ranks: Box<[u32]>,
    shift: u32,
}

impl<K: Key> Table<K> {
    fn new(bits: u32) -> Self {
        let slots = 1 << bits;
        Self {
            keys: vec![K::default(); slots].into_boxed_slice(),
            ranks: vec![0; slots].into_boxed_slice(),
            shift: 64 - bits,
        }
    }

    fn insert(&mut self, key: K, rank: u32) {
        let slot = self.slot(key);
        self.keys[slot] = key;
        self.ranks[slot] = rank;
    }

    #[inline(always)]
    fn has(&self, key: K) -> bool {
        self.keys[self.slot(key)] == key
    }

    #[inline(always)]
    fn get(&self, key: K) -> u32 {
        let slot = self.slot(key);
        if self.keys[slot] == key { self.ranks[slot] } else { NONE }
    }

    /// The slot that holds the key, or the free one that would.
    #[inline(always)]
    fn slot(&self, key: K) -> usize {
        let mask = self.keys.len() - 1;
        let mut slot = (key.hash() >> self.shift) as usize & mask;
        while self.keys[slot & mask] != key && self.keys[slot & mask] != K::default() {
            slot += 1;
        }
        slot & mask
    }
}

/// What a table is looked up by. Nobody can add keys, so the hash need not be secret.
trait Key: Copy + Eq + Default {
    fn hash(self) -> u64;
}

impl Key for u64 {
    #[inline(always)]
    fn hash(self) -> u64 {
        let mixed = self ^ self >> 32;
        mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

impl Key for u128 {
    #[inline(always)]
    fn hash(self) -> u64 {
        let (low, high) = (self as u64, (self >> 64) as u64);
        let mixed = low.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ high.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(29);
        (mixed ^ mixed >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}
