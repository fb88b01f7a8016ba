//! The bit planes of 64 bytes: a plane is a word with one bit of each byte.
//!
//! With planes, a few operations on words find out for all 64 bytes at once which of them are, say,
//! digits.
//!
//! The bytes are 8 words of 8 bytes of 8 bits. First the words and their bytes change places, so
//! that a word has one byte of each. Then the words and the bits within each byte change places, so
//! that a word has one bit of each byte. Both are the transposition of an 8 by 8 matrix, in three
//! rounds (Henry S. Warren, *Hacker's Delight*, section 7-3). A round swaps the squares on either
//! side of a diagonal, which are 4, 2 or 1 wide.

/// Returns the planes. The plane `p` has bit `p` of each byte, in the order of the bytes.
#[inline(always)]
pub(super) fn of(bytes: &[u8; 64]) -> [u64; 8] {
    let (words, _) = bytes.as_chunks();
    let mut words = std::array::from_fn(|at| u64::from_le_bytes(words[at]));
    swap::<4>(&mut words, 32, 0x0000_0000_ffff_ffff);
    swap::<2>(&mut words, 16, 0x0000_ffff_0000_ffff);
    swap::<1>(&mut words, 8, 0x00ff_00ff_00ff_00ff);

    swap::<4>(&mut words, 4, 0x0f0f_0f0f_0f0f_0f0f);
    swap::<2>(&mut words, 2, 0x3333_3333_3333_3333);
    swap::<1>(&mut words, 1, 0x5555_5555_5555_5555);
    words
}

/// Swaps bits between words at a distance of `APART`: those of the second word that are in the mask
/// with those of the first that are `shift` bits above them.
#[inline(always)]
fn swap<const APART: usize>(words: &mut [u64; 8], shift: u32, mask: u64) {
    for words in words.chunks_exact_mut(2 * APART) {
        let (firsts, seconds) = words.split_at_mut(APART);
        for (first, second) in firsts.iter_mut().zip(seconds) {
            let differ = (*first >> shift ^ *second) & mask;
            *second ^= differ;
            *first ^= differ << shift;
        }
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
