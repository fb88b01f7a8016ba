//! `Cache`: how many tokens the pieces were that a thread has merged lately.
//!
//! Most pieces are tokens, and need none of this. Of the others, the same few come again and again. A slot is one
//! `u128`: a piece of up to 15 bytes, and its count. Each piece has one slot, and the last to come keeps it, so
//! the cache is bounded and never has to be tidied. It is there from a thread's first merge on.

use std::cell::Cell;

/// Counts of one encoding.
pub(super) struct Cache {
    slots: Box<[u128]>,
}

/// Pieces that a slot has room for, in bytes.
pub(super) const LONGEST: usize = 15;

impl Cache {
    /// The count of this piece, from its slot or from `count`.
    #[inline(always)]
    pub(super) fn count(&mut self, key: u128, count: impl FnOnce() -> usize) -> usize {
        let slot = &mut self.slots[slot(key)];
        if *slot & KEY == key && *slot != 0 {
            return (*slot >> 120) as usize;
        }
        let count = count();
        *slot = (count as u128) << 120 | key;
        count
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self { slots: vec![0; 1 << BITS].into_boxed_slice() }
    }
}

/// Where the thread keeps a cache while nothing is counted.
pub(super) type Kept = Cell<Option<Cache>>;

/// Slots, as a power of two.
const BITS: u32 = 15;

/// The part of a slot that is the piece.
const KEY: u128 = u128::MAX >> 8;

#[inline(always)]
fn slot(key: u128) -> usize {
    let mixed = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (key >> 64) as u64;
    (mixed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) >> (64 - BITS)) as usize
}
