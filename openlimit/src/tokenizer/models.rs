//! Which model has which encoding.

use super::encoding::Encoding;

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

/// Whether the name is the pattern's, in any case.
pub(crate) fn fits(model: &str, pattern: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => model.get(..start.len()).is_some_and(|found| found.eq_ignore_ascii_case(start)),
        None => model.eq_ignore_ascii_case(pattern),
    }
}

#[cfg(test)]
mod tests {
    use super::base;

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
