//! `Layout`: the keys, the hashes and the sizes of a vocabulary's tables, shared by the build
//! script, which fills them, and the library, which reads them.
//!
//! The key of a token is its bytes: up to 8 fit into a `u64` and up to 16 into a `u128`. So one
//! comparison of keys is an exact comparison of tokens. At most one token in fifty is longer than
//! that, and only those are hashed and then compared byte by byte.
//!
//! The bytes of a key are inverted, and a shorter token is filled up with zeros. No text holds the
//! byte `0xff`, so an inverted byte is never zero, and a zero always means "no byte here". Hence
//! tokens of different lengths never have the same key, and the key zero marks a free slot.

/// The sizes of an encoding's tables, as powers of two.
pub(crate) struct Layout {
    /// Slots for tokens of up to 8 bytes. At least a quarter of every table is free, which keeps
    /// probing short.
    pub(crate) short: u32,
    /// Slots for tokens of 9 to 16 bytes.
    pub(crate) medium: u32,
    /// Slots for longer tokens.
    pub(crate) long: u32,
    /// Bits for the borders inside tokens: see `Vocabulary::cut`.
    pub(crate) cuts: u32,
}

pub(crate) const O200K_BASE: Layout = Layout { short: 18, medium: 16, long: 13, cuts: 21 };
pub(crate) const CL100K_BASE: Layout = Layout { short: 17, medium: 15, long: 11, cuts: 20 };
pub(crate) const P50K_BASE: Layout = R50K_BASE;
pub(crate) const R50K_BASE: Layout = Layout { short: 16, medium: 14, long: 8, cuts: 19 };

/// The rank of a pair of bytes that is not a token.
pub(crate) const EMPTY_RANK: u32 = u32::MAX;

#[inline(always)]
pub(crate) fn pair_index(first: u8, second: u8) -> usize {
    usize::from(u16::from_le_bytes([first, second]))
}

/// Returns the key of 1 to 8 bytes of the text.
#[inline(always)]
pub(crate) fn short_key(text: &[u8], start: usize, length: usize) -> u64 {
    let bytes = match text.get(start..start + 8).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u64::from_le_bytes(*bytes),
        None => u64::from_le_bytes(last(text, start)),
    };
    !bytes & BYTES[length]
}

/// For each number of bytes, the mask of so many at the start of a word.
const BYTES: [u64; 9] = {
    let mut bytes = [0; 9];
    let mut length = 1;
    while length <= 8 {
        bytes[length] = u64::MAX >> (64 - 8 * length);
        length += 1;
    }
    bytes
};

/// Returns the key of 1 to 16 bytes of the text.
#[inline(always)]
pub(crate) fn medium_key(text: &[u8], start: usize, length: usize) -> u128 {
    let bytes = match text.get(start..start + 16).and_then(|rest| rest.first_chunk()) {
        Some(bytes) => u128::from_le_bytes(*bytes),
        None => u128::from_le_bytes(last(text, start)),
    };
    !bytes & (u128::MAX >> (128 - 8 * length))
}

/// Returns the last bytes of the text, of which there are fewer than `N`, followed by zeros.
#[inline(never)]
fn last<const N: usize>(text: &[u8], start: usize) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(&text[start..]) {
        *to = *from;
    }
    bytes
}

/// The key of a table or of the cache. The hash need not resist chosen keys: the keys of a table
/// are fixed when the program is built, and those of the cache have one slot each.
pub(crate) trait TokenKey: Copy + Eq + Default {
    /// Returns a hash whose highest bits are the best mixed.
    fn hash(self) -> u64;
}

impl TokenKey for u64 {
    #[inline(always)]
    fn hash(self) -> u64 {
        (self ^ self >> 32).wrapping_mul(GOLDEN)
    }
}

impl TokenKey for u128 {
    #[inline(always)]
    fn hash(self) -> u64 {
        let (low, high) = (self as u64, (self >> 64) as u64);
        let mixed = low.wrapping_mul(GOLDEN) ^ high.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(29);
        (mixed ^ mixed >> 32).wrapping_mul(GOLDEN)
    }
}

/// Returns the hash of more than 16 bytes of the text: of their two ends and their length.
#[inline]
pub(crate) fn long_hash(text: &[u8], start: usize, end: usize) -> u64 {
    let (first, last) = (medium_key(text, start, 16).hash(), medium_key(text, end - 16, 16).hash());
    ((end - start) as u64 ^ first ^ last.rotate_left(23)).wrapping_mul(GOLDEN) >> 32
}

/// Returns whether two characters of several bytes each meet here.
#[inline(always)]
pub(crate) fn is_border(text: &[u8], at: usize) -> bool {
    text[at] >= 0xc0 && text[at - 1] >= 0x80
}

/// Returns the place of the bit for the bytes left and right of a border, up to three on each side.
#[inline(always)]
pub(crate) fn place(left: &[u8], right: &[u8], bits: u32) -> usize {
    let pack = |bytes: &[u8]| bytes.iter().fold(0_u64, |packed, byte| packed << 8 | u64::from(*byte));
    ((pack(left) << 24 | pack(right)).wrapping_mul(GOLDEN) >> (64 - bits)) as usize
}

/// 2^64 divided by the golden ratio, an odd number without a pattern in its bits: Knuth's
/// multiplier for hashing by multiplication.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
