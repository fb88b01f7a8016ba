//! Counting by the encodings that are compiled in.

use super::counter;
use super::encoding::Encoding;

impl Encoding {
    /// How many tokens this encoding cuts `text` into, as [`count`](crate::tokens::count) does for a model.
    ///
    /// It is exact where the encoding is compiled in. Where it is not, it is the count of the one that the encoding is
    /// [`counted_by`](Self::counted_by), and where there is none, the length in bytes, which no count exceeds.
    // By reference, so that it is what `encoding.count(..)` means where `Tokenizer` is in scope.
    #[must_use]
    pub fn count(&self, text: &str) -> u64 {
        let count = match self.counted_by() {
            Some(encoding) => counter::count(encoding, text),
            None => text.len(),
        };
        u64::try_from(count).unwrap_or(u64::MAX)
    }

    /// The encoding that [`count`](Self::count) counts by: this one, or the nearest that is compiled in, or none.
    ///
    /// Each encoding is a feature of this crate: `o200k` and `cl100k`, which are on by default, `p50k` and `r50k`.
    ///
    /// By another encoding a count may be too high or **too low**, and no surcharge would bound it. `cl100k_base` and
    /// `o200k_base` are within a fifth of each other as a rule. In the place of `p50k_base` they count a tenth less for
    /// English, a fifth less for code, and an eighth of a run of spaces; and that counts a third of a list of years in
    /// theirs. A limiter that must never price too low needs the encodings of its models, or none at all: then bytes are
    /// counted.
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

    /// Whatever is compiled in.
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
