//! The encoding of each model, and how the names of models are compared and read.
//!
//! A model that this library does not know is most likely newer than the library, so it gets the
//! newest encoding. `Encoding::known` tells such an assumption from knowledge.

use super::encoding::Encoding;

impl Encoding {
    /// Returns the encoding of a model, or the newest encoding if the model is not
    /// [`known`](Self::known).
    ///
    /// Case and a provider's prefix (`openai/`, `azure/`) are ignored. A fine-tuned model has the
    /// encoding of its base model.
    #[must_use]
    pub fn of(model: &str) -> Self {
        Self::known(model).unwrap_or(Self::O200kBase)
    }

    /// Returns the encoding of a model, or `None` if the model is unknown and [`of`](Self::of)
    /// would assume one.
    #[must_use]
    pub fn known(model: &str) -> Option<Self> {
        let model = base(model);
        let row = MODELS.iter().find(|(_, patterns)| patterns.iter().any(|pattern| fits(model, pattern)));
        row.map(|(encoding, _)| *encoding)
    }
}

/// Patterns of model names by encoding. The first row that fits decides, and a final `*` stands for
/// any rest.
///
/// Source: OpenAI's tiktoken (`model.py`). That gpt-4.1, gpt-4.5, o4, gpt-5, gpt-oss, gpt-audio,
/// gpt-realtime and Codex have the encoding of gpt-4o is from OpenAI's model pages and cookbook.
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

/// Returns the name of the base model: without prefixes of providers, without `ft:`, and without
/// the part after a colon.
pub(crate) fn base(model: &str) -> &str {
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

/// Returns whether the name matches the pattern, in any case.
pub(crate) fn fits(model: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => model.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)),
        None => model.eq_ignore_ascii_case(pattern),
    }
}

/// The version of a model, major and minor.
pub(crate) type Version = (u32, u32);

/// Returns the version of a model of this family, or `None` if it is of another.
///
/// The version is the number after the family's name, or after one word more: (4, 5) of
/// `claude-opus-4-5-20251101`, (2, 5) of `google/gemini-2.5-pro`. A model without a version is
/// assumed to be newer than all others.
pub(crate) fn version(model: &str, family: &str) -> Option<Version> {
    // Longer numbers are dates.
    const DIGITS: usize = 2;
    let name = model.as_bytes();
    let at = name.windows(family.len()).position(|part| part.eq_ignore_ascii_case(family.as_bytes()))?;
    let rest = model.get(at + family.len()..)?;
    let mut parts = rest.split(|c: char| !c.is_ascii_alphanumeric()).skip(1);
    let number = |part: &str| part.parse().ok().filter(|_: &u32| part.len() <= DIGITS);
    let first = parts.next().unwrap_or_default();
    let major = number(first).or_else(|| parts.next().and_then(number));
    Some(match major {
        Some(major) => (major, parts.next().and_then(number).unwrap_or(0)),
        None => (u32::MAX, 0),
    })
}

#[cfg(test)]
mod tests {
    use super::{base, version};

    #[test]
    fn a_version_is_found_in_the_names_of_every_provider() {
        for (model, expected) in [
            ("claude-opus-4-7", (4, 7)),
            ("claude-opus-4-5-20251101", (4, 5)),
            ("claude-opus-4-20250514", (4, 0)),
            ("claude-sonnet-4-5@20250929", (4, 5)),
            ("claude-3-5-haiku-20241022", (3, 5)),
            ("claude-2.1", (2, 1)),
            ("CLAUDE-INSTANT-1.2", (1, 2)),
            ("claude-fable-5", (5, 0)),
            ("anthropic/claude-opus-4.8:beta", (4, 8)),
            ("us.anthropic.claude-haiku-4-5-20251001-v1:0", (4, 5)),
            ("claude-mythos-preview", (u32::MAX, 0)),
            ("claude", (u32::MAX, 0)),
        ] {
            assert_eq!(version(model, "claude"), Some(expected), "{model}");
        }
        for (model, expected) in [
            ("models/gemini-2.5-flash-lite", (2, 5)),
            ("gemini-3-pro-preview", (3, 0)),
            ("google/gemini-3.1-flash-image", (3, 1)),
            ("gemini-flash-latest", (u32::MAX, 0)),
            ("gemini-nano-banana-2", (u32::MAX, 0)),
        ] {
            assert_eq!(version(model, "gemini"), Some(expected), "{model}");
        }
        for model in ["gpt-4o", "", "clau", "é", "gemini-2.5-pro"] {
            assert_eq!(version(model, "claude"), None, "{model}");
        }
    }

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
}
