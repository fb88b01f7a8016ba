//! Merging of short pieces, without an allocation.
//!
//! The parts of a piece of up to 64 bytes are the bits of one word: a bit for the byte at which a
//! part starts. A merge clears the bit of its right part, and the count is the number of bits. So
//! `hugs`, with the parts `h` `u` `g` `s`, is `1111` (the first byte is the lowest bit). Merging
//! `ug` gives `1011` and merging `ugs` gives `0011`: two tokens.
//!
//! The lowest rank is found by searching all of them, several at a time. At this size that is
//! faster than keeping them in order.

use super::vocabulary::{NONE, Vocabulary};

/// The longest piece that `merge` takes.
pub(super) const SHORT: usize = 64;

/// Merges 1 to 64 bytes, and returns a bit for the start of each part that is left.
pub(super) fn merge(vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
    let length = piece.len();
    debug_assert!((1..=SHORT).contains(&length));
    // The room after the piece lets keys be read without a check for its end.
    let mut text = [0; SHORT + 16];
    text[..length].copy_from_slice(piece);

    // The rank of each part with the next, followed by its place in the low bits. The least of
    // these is the leftmost pair of the lowest rank.
    let mut pairs = [NONE; SHORT];
    for at in 0..length - 1 {
        pairs[at] = placed(vocabulary.pair(text[at], text[at + 1]), at);
    }
    let searched = length.next_multiple_of(8);
    let mut starts = u64::MAX >> (SHORT - length);
    loop {
        let least = least(&pairs[..searched]);
        if least == NONE {
            return starts;
        }
        let at = (least & PLACE) as usize;
        let right = next(starts, at);
        starts &= !(1 << right);
        pairs[right] = NONE;
        let middle = next(starts, at).min(length);
        pairs[at] = if middle < length {
            let end = next(starts, middle).min(length);
            placed(vocabulary.rank(&text, at, end), at)
        } else {
            NONE
        };
        if at > 0 {
            let left = previous(starts, at);
            pairs[left] = placed(vocabulary.rank(&text, left, middle), left);
        }
    }
}

/// The bits of a place: six. The others are the rank.
const PLACE: u32 = SHORT as u32 - 1;

#[inline(always)]
fn placed(rank: u32, at: usize) -> u32 {
    if rank == NONE { NONE } else { rank << 6 | at as u32 }
}

#[inline(always)]
fn least(pairs: &[u32]) -> u32 {
    let mut least = [NONE; 8];
    for eight in pairs.chunks_exact(8) {
        for (least, pair) in least.iter_mut().zip(eight) {
            *least = (*least).min(*pair);
        }
    }
    least.into_iter().fold(NONE, u32::min)
}

/// Returns the start of the part after the one at `at`, or 64 after the last.
#[inline(always)]
fn next(starts: u64, at: usize) -> usize {
    (starts & (!1 << at)).trailing_zeros() as usize
}

/// Returns the start of the part before the one at `at`, which is not the first.
#[inline(always)]
fn previous(starts: u64, at: usize) -> usize {
    63 - (starts & ((1 << at) - 1)).leading_zeros() as usize
}
