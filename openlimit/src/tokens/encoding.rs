//! `Encoding`: how a model cuts text into tokens.
//!
//! A model that nobody told this library of is most likely newer than it, so it gets the newest encoding. That
//! is an assumption, and can be told from knowledge: `Encoding::known` has no answer then. Nor has everyone a use
//! for the encodings of the first models, so they are features, and a model whose encoding is left out gets the
//! nearest one: then `Encoding::of` and `Encoding::known` differ.

use std::fmt;

use super::counter::{self, Counter};

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
    ///
    /// Where that encoding is not compiled in (features `p50k` and `r50k`), it is the nearest that is.
    #[must_use]
    pub fn of(model: &str) -> Self {
        Self::known(model).unwrap_or(Self::O200kBase).compiled()
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
    /// It is exact, unless the encoding is not compiled in: then it is the count of the nearest.
    #[must_use]
    pub fn count(self, text: &str) -> u64 {
        u64::try_from(self.counter().count(text)).unwrap_or(u64::MAX)
    }

    /// How many tokens a colon and then `text` are.
    ///
    /// The formulas count a name and its description as one text, and never have both at hand. A name ends where
    /// every encoding cuts, so the rest can be counted apart, but it does begin with the colon.
    pub(super) fn count_after_colon(self, text: &str) -> u64 {
        const SHORT: usize = 512;
        let mut joined = [b':'; SHORT];
        if let Some(rest) = joined.get_mut(1..=text.len()) {
            rest.copy_from_slice(text.as_bytes());
            if let Ok(joined) = str::from_utf8(&joined[..=text.len()]) {
                return self.count(joined);
            }
        }
        self.count(&format!(":{text}"))
    }

    /// This encoding, or the nearest that is compiled in.
    const fn compiled(self) -> Self {
        match self {
            Self::P50kBase if cfg!(feature = "p50k") => Self::P50kBase,
            Self::R50kBase if cfg!(feature = "r50k") => Self::R50kBase,
            Self::P50kBase if cfg!(feature = "r50k") => Self::R50kBase,
            Self::R50kBase if cfg!(feature = "p50k") => Self::P50kBase,
            Self::O200kBase => Self::O200kBase,
            _ => Self::Cl100kBase,
        }
    }

    fn counter(self) -> Counter {
        match self.compiled() {
            Self::O200kBase => counter::O200K_BASE,
            #[cfg(feature = "p50k")]
            Self::P50kBase => counter::P50K_BASE,
            #[cfg(feature = "r50k")]
            Self::R50kBase => counter::R50K_BASE,
            _ => counter::CL100K_BASE,
        }
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
        assert_eq!(Encoding::of("gpt-5"), Encoding::O200kBase);
        assert_eq!(Encoding::of("gpt-4"), Encoding::Cl100kBase);
        let legacy = match (cfg!(feature = "p50k"), cfg!(feature = "r50k")) {
            (true, true) => [Encoding::P50kBase, Encoding::R50kBase],
            (true, false) => [Encoding::P50kBase; 2],
            (false, true) => [Encoding::R50kBase; 2],
            (false, false) => [Encoding::Cl100kBase; 2],
        };
        for ((model, own), encoding) in
            [("text-davinci-003", Encoding::P50kBase), ("davinci", Encoding::R50kBase)]
                .into_iter()
                .zip(legacy)
        {
            assert_eq!(Encoding::known(model), Some(own));
            assert_eq!(Encoding::of(model), encoding);
            assert_eq!(own.count("    spaces, 123456"), encoding.count("    spaces, 123456"));
        }
    }

    #[test]
    fn a_colon_and_a_text_are_counted_as_one() {
        let long = "The city and state, e.g. San Francisco, CA; ".repeat(100);
        let run = "é".repeat(1000);
        for text in [
            "",
            "The city",
            "$",
            "'s",
            "\n",
            " x",
            "今天",
            &long[..510],
            &long[..511],
            &long[..512],
            &long,
            &run,
        ] {
            for encoding in
                [Encoding::O200kBase, Encoding::Cl100kBase, Encoding::P50kBase, Encoding::R50kBase]
            {
                assert_eq!(
                    encoding.count_after_colon(text),
                    encoding.count(&format!(":{text}")),
                    "{text:.20}"
                );
            }
        }
    }
}
