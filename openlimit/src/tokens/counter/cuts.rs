//! `Cuts`: where a piece may be cut because no token of the vocabulary reaches across.
//!
//! Chinese, Japanese and Thai are written without spaces, so that a piece is a whole clause, and seldom comes again.
//! Cut between characters that stand side by side in no token, it falls into words, which do come again. For each
//! border of two characters inside a token, the bytes around it are remembered, up to three on either side, as bits of
//! a hash. A border is cut if no token can have its bytes. What the hash takes for one another is not cut, and
//! nothing else is lost.

use super::vocabulary::Tokens;

/// The borders inside tokens, between two characters of several bytes each.
pub(super) struct Cuts {
    bits: Box<[u64]>,
}

impl Cuts {
    pub(super) fn new(tokens: Tokens) -> Self {
        let mut cuts = Self { bits: vec![0; 1 << (BITS - 6)].into_boxed_slice() };
        for (list, start, length) in tokens {
            let token = &list[start..start + length];
            for at in 1..length {
                if is_border(token, at) {
                    let (left, right) = (at.min(3), (length - at).min(3));
                    let (left, right) = match (left, right) {
                        (3, 3) => (3, 3),
                        _ => (left.min(2), right.min(2)),
                    };
                    let (word, bit) = place(&token[at - left..at], &token[at..at + right]);
                    cuts.bits[word] |= bit;
                }
            }
        }
        cuts
    }

    /// The end of what is to be merged together from `start` on.
    pub(super) fn next(&self, piece: &[u8], start: usize) -> usize {
        (start + 3..piece.len().saturating_sub(2))
            .find(|&at| is_border(piece, at) && !self.is_inside(piece, at))
            .unwrap_or(piece.len())
    }

    /// Whether some token may hold the bytes on both sides, of which there are three.
    fn is_inside(&self, text: &[u8], at: usize) -> bool {
        [(3, 3), (2, 2), (2, 1), (1, 2), (1, 1)].into_iter().any(|(left, right)| {
            let (word, bit) = place(&text[at - left..at], &text[at..at + right]);
            self.bits[word] & bit != 0
        })
    }
}

/// Bits of the hash, as a power of two.
const BITS: u32 = 21;

/// Whether two characters of several bytes meet here.
#[inline(always)]
fn is_border(text: &[u8], at: usize) -> bool {
    text[at] >= 0xc0 && text[at - 1] >= 0x80
}

/// The word and the bit of what stands left and right of a border.
#[inline(always)]
fn place(left: &[u8], right: &[u8]) -> (usize, u64) {
    let pack = |bytes: &[u8]| bytes.iter().fold(0_u64, |packed, byte| packed << 8 | u64::from(*byte));
    // No byte of a character is nought, so lengths need no mention.
    let hash = (pack(left) << 24 | pack(right)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - BITS);
    ((hash >> 6) as usize, 1 << (hash & 63))
}
