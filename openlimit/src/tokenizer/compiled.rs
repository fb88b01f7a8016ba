//! The encoding that counts in place of one that is not compiled in.
//!
//! Each encoding adds megabytes to a program, and few programs need all of them, so each is a
//! feature of this crate. A text in an encoding that is left out is counted by the nearest one, and
//! without any encoding by its bytes.

use super::counter;
use super::encoding::Encoding;

impl Encoding {
    /// Counts the tokens of `text` in this encoding, as [`count`](crate::tokens::count) does for a
    /// model.
    ///
    /// The count is exact if the encoding is compiled in. Otherwise it is the count of the encoding
    /// that [`counted_by`](Self::counted_by) returns. If there is none, it is the length in bytes,
    /// which no count exceeds.
    // By reference, so that `encoding.count(..)` means this where `Tokenizer` is in scope too.
    #[must_use]
    pub fn count(&self, text: &str) -> u64 {
        let count = match self.counted_by() {
            Some(encoding) => counter::count(encoding, text),
            None => text.len(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// Returns the encoding that [`count`](Self::count) uses: this one if it is compiled in, else
    /// the nearest that is, or `None` without any.
    ///
    /// Each encoding is a feature of this crate: `o200k` and `cl100k`, which are on by default, and
    /// `p50k` and `r50k`.
    ///
    /// A count by another encoding can be too high or **too low**, and no surcharge bounds the
    /// error. `cl100k_base` and `o200k_base` are usually within a fifth of each other. For a model
    /// of `p50k_base`, both count English a tenth too low, and code a fifth. A run of 128 spaces is
    /// one token for them, 8 in `p50k_base`, and 128 in `r50k_base`. The other way round,
    /// `p50k_base` counts a list of years at a third of theirs.
    ///
    /// A limiter that must never price too low needs the encodings of its models, or no encoding at
    /// all, in which case bytes are counted.
    ///
    /// ```
    /// use openlimit::tokens::Encoding;
    ///
    /// let encoding = Encoding::of("text-davinci-003");
    /// assert_eq!(encoding, Encoding::P50kBase);
    /// if encoding.counted_by() != Some(encoding) {
    ///     println!("enable openlimit's feature `p50k` for exact counts");
    /// }
    /// ```
    #[must_use]
    pub const fn counted_by(self) -> Option<Self> {
        const NEAREST: [Option<Encoding>; 4] = [
            Encoding::O200kBase.nearest(counter::ENCODINGS),
            Encoding::Cl100kBase.nearest(counter::ENCODINGS),
            Encoding::P50kBase.nearest(counter::ENCODINGS),
            Encoding::R50kBase.nearest(counter::ENCODINGS),
        ];
        NEAREST[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    /// This holds for every set of features.
    #[test]
    fn an_encoding_counts_as_the_one_that_it_is_counted_by() {
        let text = "    spaces, 123456 und 你好";
        for encoding in [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase] {
            match encoding.counted_by() {
                Some(nearest) => {
                    assert_eq!(nearest.counted_by(), Some(nearest));
                    assert_eq!(encoding.count(text), nearest.count(text));
                }
                None => assert_eq!(encoding.count(text), text.len() as u64),
            }
        }
    }
}
