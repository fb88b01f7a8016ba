//! `Cache`: the counts of short pieces that a thread has merged.
//!
//! Most pieces are tokens and need no cache. Of the others, the same few come again and again. A
//! slot is one `u128`: a piece of up to 15 bytes, and its count. The hash of a piece gives its only
//! slot, and the latest piece there overwrites the one before. So the size is fixed, and there is
//! no search for a piece to evict. A thread allocates its cache when it first counts.

/// Counts of one encoding.
pub(super) struct Cache {
    slots: Box<[u128]>,
}

/// The longest piece that fits into a slot, in bytes. The 16th byte is the count.
pub(super) const LONGEST: usize = 15;

impl Cache {
    /// Reads the slot of this piece, so that it is in the processor's caches. Returns a part of it.
    #[inline(always)]
    pub(super) fn touch(&self, key: u128) -> u64 {
        self.slots[slot(key)] as u64
    }

    /// Returns the count of this piece, from its slot or else from `count`.
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

/// The number of slots, as a power of two: 128 KB for each thread and encoding. A larger cache is
/// spread over more pages of memory, whose addresses the processor then has to look up.
const BITS: u32 = 13;

/// The bits of a slot that are the piece.
const KEY: u128 = u128::MAX >> 8;

#[inline(always)]
fn slot(key: u128) -> usize {
    let mixed = (key as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (key >> 64) as u64;
    (mixed.wrapping_mul(0xc2b2_ae3d_27d4_eb4f) >> (64 - BITS)) as usize
}
