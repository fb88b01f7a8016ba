//! The bit planes of 64 bytes: a plane is a word with one bit of each byte.
//!
//! With planes, a few operations on words find out for all 64 bytes at once which of them are, say,
//! digits.
//!
//! The bytes are 8 words of 8 bytes of 8 bits. First the bytes and the bits of each word change
//! places, and then the words and the bytes. Each of the two is the transposition of an 8 by 8
//! matrix, in three rounds (Henry S. Warren, *Hacker's Delight*, section 7-3). A round swaps the
//! squares on either side of a diagonal, which are 1, 2 or 4 wide.

/// Returns the planes. The plane `p` has bit `p` of each byte, in the order of the bytes.
#[inline(always)]
pub(super) fn of(bytes: &[u8; 64]) -> [u64; 8] {
    let (words, _) = bytes.as_chunks();
    let mut words = std::array::from_fn(|at| u64::from_le_bytes(words[at]));
    for word in &mut words {
        *word = transposed(*word);
    }
    between::<4>(&mut words, 0x0000_0000_ffff_ffff);
    between::<2>(&mut words, 0x0000_ffff_0000_ffff);
    between::<1>(&mut words, 0x00ff_00ff_00ff_00ff);
    words
}

/// Swaps bit `p` of byte `k` with bit `k` of byte `p`.
#[inline(always)]
fn transposed(mut word: u64) -> u64 {
    for (shift, mask) in
        [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0x0000_0000_f0f0_f0f0)]
    {
        let differ = (word >> shift ^ word) & mask;
        word ^= differ ^ differ << shift;
    }
    word
}

/// Swaps bytes of each two words that are so far apart: those of the first that the mask leaves out
/// with those of the second that are in it.
#[inline(always)]
fn between<const APART: usize>(words: &mut [u64; 8], mask: u64) {
    for first in (0..8).filter(|at| at & APART == 0) {
        let second = first + APART;
        let differ = (words[first] >> (8 * APART) ^ words[second]) & mask;
        words[second] ^= differ;
        words[first] ^= differ << (8 * APART);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn each_bit_is_in_its_plane_at_the_place_of_its_byte() {
        for place in 0..64 {
            for bit in 0..8 {
                let mut bytes = [0; 64];
                bytes[place] = 1 << bit;
                let mut planes = [0; 8];
                planes[bit] = 1 << place;
                assert_eq!(super::of(&bytes), planes);
            }
        }
    }
}
