//! `Encoding`: how a model cuts text into tokens.
//!
//! A model that nobody told this library of is most likely newer than it, so it gets the newest encoding. That
//! is an assumption, and can be told from knowledge: `Encoding::known` has no answer then. Nor has everyone a use
//! for every encoding, and each is some megabytes of the program, so they are features. What a model's encoding is does
//! not depend on them; what it is counted by does, and `Encoding::counted_by` says it.

use std::fmt;

use super::counter;

/// How a model cuts text into tokens.
///
/// ```
/// use openlimit::tokens::Encoding;
///
/// assert_eq!(Encoding::of("gpt-4o"), Encoding::O200kBase);
/// assert_eq!(Encoding::of("ft:gpt-3.5-turbo-1106:acme::8IW"), Encoding::Cl100kBase);
///
/// // A model that is not known is assumed to be a new one.
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
    /// The encoding of this model, or the newest where the model is not [`known`](Self::known).
    ///
    /// Neither case nor the prefix of a provider (`openai/`, `azure/`) matters, and a fine-tuned model has the
    /// encoding of its base.
    #[must_use]
    pub fn of(model: &str) -> Self {
        Self::known(model).unwrap_or(Self::O200kBase)
    }

    /// The encoding of this model, or `None` where [`of`](Self::of) would have to assume one.
    #[must_use]
    pub fn known(model: &str) -> Option<Self> {
        let model = base(model);
        let row = MODELS.iter().find(|(_, patterns)| patterns.iter().any(|pattern| fits(model, pattern)));
        row.map(|(encoding, _)| *encoding)
    }

    /// The name that OpenAI gave it, such as `o200k_base`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::O200kBase => "o200k_base",
            Self::Cl100kBase => "cl100k_base",
            Self::P50kBase => "p50k_base",
            Self::R50kBase => "r50k_base",
        }
    }

    /// How many tokens this encoding cuts `text` into, as [`count`](super::count) does for a model.
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

    /// Which of these is nearest to this encoding: the one whose vocabulary has most in common with its own.
    const fn nearest(self, among: &[Self]) -> Option<Self> {
        let order = match self {
            Self::O200kBase => [Self::O200kBase, Self::Cl100kBase, Self::P50kBase, Self::R50kBase],
            Self::Cl100kBase => [Self::Cl100kBase, Self::O200kBase, Self::P50kBase, Self::R50kBase],
            Self::P50kBase => [Self::P50kBase, Self::R50kBase, Self::Cl100kBase, Self::O200kBase],
            Self::R50kBase => [Self::R50kBase, Self::P50kBase, Self::Cl100kBase, Self::O200kBase],
        };
        // In a constant there is no `find`, and no `==` of enums.
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

/// Which models have which encoding; the first row that fits decides, and `*` ends an open pattern.
///
/// After OpenAI's tiktoken (`model.py`), which has the older models and those of each family that it knows of.
/// That gpt-4.1, gpt-4.5, o4, gpt-5, gpt-oss, gpt-audio, gpt-realtime and Codex follow gpt-4o is OpenAI's word
/// in its model pages and cookbook.
const MODELS: &[(Encoding, &[&str])] = &[
    (
        Encoding::O200kBase,
        &[
            "gpt-4o*",
            "gpt-4.1*",
            "gpt-4.5*",
            "chatgpt-4o*",
            "gpt-5*",
            "gpt-oss*",
            "gpt-audio*",
            "gpt-realtime*",
            "codex*",
            "o1*",
            "o3*",
            "o4*",
        ],
    ),
    (
        Encoding::Cl100kBase,
        &["gpt-4*", "gpt-3.5*", "gpt-35*", "text-embedding-*", "davinci-002", "babbage-002"],
    ),
    (
        Encoding::P50kBase,
        &["text-davinci-002", "text-davinci-003", "text-davinci-edit-*", "code-davinci-*", "code-cushman-*"],
    ),
    (
        Encoding::R50kBase,
        &[
            "text-davinci-001",
            "text-curie-*",
            "text-babbage-*",
            "text-ada-*",
            "davinci",
            "curie",
            "babbage",
            "ada",
            "text-similarity-*",
            "text-search-*",
            "code-search-*",
            "gpt2",
            "gpt-2",
        ],
    ),
];

/// The model's own name: without providers before it, `ft:`, and what follows a colon.
pub(super) fn base(model: &str) -> &str {
    let mut model = model.trim();
    loop {
        let colon = model.find(':').unwrap_or(model.len());
        if let Some(slash) = model[..colon].rfind('/') {
            model = &model[slash + 1..];
        } else if model[..colon].eq_ignore_ascii_case("ft") && colon < model.len() {
            model = &model[colon + 1..];
        } else {
            return &model[..colon];
        }
    }
}

/// Whether the name is the pattern's, in any case.
pub(super) fn fits(model: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => model.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)),
        None => model.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::{Encoding, base};

    #[test]
    fn a_model_has_its_own_name_in_every_disguise() {
        for name in [
            "gpt-4o",
            "openai/gpt-4o",
            "openrouter/openai/gpt-4o",
            "gpt-4o:free",
            "ft:gpt-4o:acme::8IW",
            "ft:gpt-4o:acme/team::8IW",
            "openai/ft:gpt-4o:acme",
            "FT:gpt-4o",
            " gpt-4o ",
        ] {
            assert_eq!(base(name), "gpt-4o", "{name}");
        }
        assert_eq!(base("davinci:ft-acme-2023"), "davinci");
        for nothing in ["", ":", "/", "ft:", "ft::", "a/:b", "ft:ft:"] {
            assert_eq!(base(nothing), "", "{nothing}");
        }
    }

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
