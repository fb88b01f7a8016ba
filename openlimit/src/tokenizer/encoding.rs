//! `Encoding`: the encodings of OpenAI's models, their names, and the nearest to each.
//!
//! Every encoding has a variant here, whether or not it is compiled in. So the encoding of a model
//! does not depend on the features of this crate. The counter that stands in for it does: see
//! `compiled`.

use std::fmt;

/// A way to split text into tokens.
///
/// ```
/// use openlimit::tokens::Encoding;
///
/// assert_eq!(Encoding::of("gpt-4o"), Encoding::O200kBase);
/// assert_eq!(Encoding::of("ft:gpt-3.5-turbo-1106:acme::8IW"), Encoding::Cl100kBase);
///
/// // An unknown model is assumed to be a new one.
/// assert_eq!(Encoding::of("gpt-12"), Encoding::O200kBase);
/// assert_eq!(Encoding::known("gpt-12"), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// gpt-4o and everything after it.
    O200kBase,
    /// gpt-4, gpt-3.5 and the embeddings since text-embedding-ada-002.
    Cl100kBase,
    /// text-davinci-002, text-davinci-003 and the Codex models of their time.
    P50kBase,
    /// The first GPT-3 models.
    R50kBase,
}

impl Encoding {
    /// Returns OpenAI's name for the encoding, such as `o200k_base`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
            Self::P50kBase => "p50k_base",
            Self::R50kBase => "r50k_base",
        }
    }

    /// Returns the nearest of these encodings: the one whose vocabulary has most in common with
    /// this one's.
    pub(super) const fn nearest(self, among: &[Self]) -> Option<Self> {
        let order = match self {
            Self::O200kBase => [Self::O200kBase, Self::Cl100kBase, Self::P50kBase, Self::R50kBase],
            Self::Cl100kBase => [Self::Cl100kBase, Self::O200kBase, Self::P50kBase, Self::R50kBase],
            Self::P50kBase => [Self::P50kBase, Self::R50kBase, Self::Cl100kBase, Self::O200kBase],
            Self::R50kBase => [Self::R50kBase, Self::P50kBase, Self::Cl100kBase, Self::O200kBase],
        };
        // A const fn cannot call `find`, nor compare enums by `==`.
        let mut place = 0;
        while place < order.len() {
            let mut at = 0;
            while at < among.len() {
                if among[at] as u8 == order[place] as u8 {
                    return Some(order[place]);
                }
                at += 1;
            }
            place += 1;
        }
        None
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Encoding;

    #[test]
    fn an_encoding_that_is_left_out_is_replaced_by_its_nearest() {
        use Encoding::{Cl100kBase, O200kBase, P50kBase, R50kBase};
        let all = [O200kBase, Cl100kBase, P50kBase, R50kBase];
        for encoding in all {
            assert_eq!(encoding.nearest(&all), Some(encoding));
            assert_eq!(encoding.nearest(&[encoding]), Some(encoding));
            assert_eq!(encoding.nearest(&[]), None);
            for only in all {
                assert_eq!(encoding.nearest(&[only]), Some(only));
            }
        }
        assert_eq!(P50kBase.nearest(&[O200kBase, Cl100kBase, R50kBase]), Some(R50kBase));
        assert_eq!(R50kBase.nearest(&[O200kBase, Cl100kBase, P50kBase]), Some(P50kBase));
        assert_eq!(R50kBase.nearest(&[O200kBase, Cl100kBase]), Some(Cl100kBase));
        assert_eq!(Cl100kBase.nearest(&[P50kBase, O200kBase]), Some(O200kBase));
        assert_eq!(O200kBase.nearest(&[R50kBase, Cl100kBase]), Some(Cl100kBase));
    }
}
