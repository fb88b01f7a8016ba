//! The hash of a whole text.
//!
//! Its keys are random numbers of this process, so nobody can write two texts that have the same
//! hash on purpose. Rust's own hash, SipHash, has keys as well, but it would take a fifth of the
//! time that counting takes. So it hashes a sum of 16 bytes in place of each 256 bytes, and one in
//! place of the pairs of words that are left. The last bytes, fewer than 16, it hashes as they are.
//!
//! The sum is NH (Black and others, *UMAC: Fast and Secure Message Authentication*, 1999): a key is
//! added to each word, and the products of each two words are added up. Whatever two different
//! texts of 256 bytes are, their sums are the same with a chance of 1 in 2^64 at most. The same
//! holds for fewer pairs of words, if both texts have as many. Texts of different lengths differ in
//! what SipHash hashes, since that ends with the length.

use std::array;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::LazyLock;

/// Two words of 8 bytes.
type Pair = [u8; 16];

/// The pairs of which a sum takes the place.
const SUMMED: usize = 16;

static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

struct Keys {
    sip: RandomState,
    words: [[u64; 2]; SUMMED],
}

/// Returns the hash of the text and a number.
pub(super) fn hash(text: &[u8], number: u8) -> u64 {
    let keys = &*KEYS;
    let mut hasher = keys.sip.build_hasher();
    let (pairs, rest) = text.as_chunks();
    for pairs in pairs.chunks(SUMMED) {
        hasher.write_u128(keys.sum(pairs));
    }
    hasher.write(rest);
    hasher.write_usize(text.len());
    hasher.write_u8(number);
    hasher.finish()
}

impl Keys {
    fn new() -> Self {
        let sip = RandomState::new();
        let words = array::from_fn(|pair| [0, 1].map(|word| sip.hash_one((pair, word))));
        Self { sip, words }
    }

    #[inline(always)]
    fn sum(&self, pairs: &[Pair]) -> u128 {
        let products = pairs.iter().zip(&self.words).map(|(pair, keys)| {
            let pair = u128::from_le_bytes(*pair);
            let (first, second) = (pair as u64, (pair >> 64) as u64);
            u128::from(first.wrapping_add(keys[0])) * u128::from(second.wrapping_add(keys[1]))
        });
        products.fold(0, u128::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::{SUMMED, hash};

    #[test]
    fn a_text_has_one_hash_and_others_of_its_length_have_another() {
        let text = [b'x'; 3 * 16 * SUMMED + 21];
        for length in 0..text.len() {
            let text = &text[..length];
            assert_ne!(hash(text, 0), hash(text, 1));
            let at = length / 2;
            for byte in [0, b'y', 0xff] {
                let mut other = text.to_vec();
                assert_eq!(hash(text, 0), hash(&other, 0));
                if let Some(changed) = other.get_mut(at) {
                    *changed = byte;
                    assert_ne!(hash(text, 0), hash(&other, 0), "{length}");
                }
            }
        }
    }

    #[test]
    fn zeros_at_the_end_and_words_that_change_places_make_another_hash() {
        let words: Vec<u8> = (0..2 * 16 * SUMMED).map(|at| (at / 8) as u8).collect();
        let mut hashes: Vec<u64> = (0..words.len() / 8 - 1)
            .map(|at| {
                let mut words = words.clone();
                words[8 * at..8 * at + 16].rotate_left(8);
                hash(&words, 0)
            })
            .chain((0..600).map(|zeros| hash(&vec![0; zeros], 0)))
            .collect();
        let all = hashes.len();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), all);
    }
}
