//! Byte-pair merging of short pieces, without an allocation.
//!
//! A piece begins as its single bytes. Of all neighbours, the two that are the token of the lowest rank become one,
//! the leftmost of several, until no two are a token. For up to 64 bytes the parts are the bits of one word, and to
//! search all ranks for the lowest is faster than to keep them in any order.

use super::vocabulary::{NONE, Vocabulary};

/// The longest piece that `merge` takes.
pub(super) const SHORT: usize = 64;

/// The parts that are left of 1 to 64 bytes: a bit for the start of each.
pub(super) fn merge(vocabulary: &Vocabulary, piece: &[u8]) -> u64 {
    let length = piece.len();
    debug_assert!((1..=SHORT).contains(&length));
    // Room behind the piece, so that keys are read without a look at where it ends.
    let mut text = [0; SHORT + 16];
    text[..length].copy_from_slice(piece);

    // The rank of each part with the next, before its place: the least of these is the leftmost of lowest rank.
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

/// Places take six bits, and ranks the others.
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

/// The start of the part after the one at `at`, or 64.
#[inline(always)]
fn next(starts: u64, at: usize) -> usize {
    (starts & (!1 << at)).trailing_zeros() as usize
}

/// The start of the part before the one at `at`, which is not the first.
#[inline(always)]
fn previous(starts: u64, at: usize) -> usize {
    63 - (starts & ((1 << at) - 1)).leading_zeros() as usize
}
