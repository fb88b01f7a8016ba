//! Tests of the encoding of each model, and that the vocabularies are compiled in.

use openlimit::tokens::{self, Encoding};

/// Models that the Python library knows.
const ORIGINAL: &[(&str, Encoding)] = &[
    ("gpt-4", Encoding::Cl100kBase),
    ("gpt-4-0314", Encoding::Cl100kBase),
    ("gpt-4-32k", Encoding::Cl100kBase),
    ("gpt-4-32k-0314", Encoding::Cl100kBase),
    ("gpt-3.5-turbo", Encoding::Cl100kBase),
    ("gpt-3.5-turbo-0301", Encoding::Cl100kBase),
    ("text-davinci-003", Encoding::P50kBase),
    ("text-davinci-002", Encoding::P50kBase),
    ("text-curie-001", Encoding::R50kBase),
    ("text-babbage-001", Encoding::R50kBase),
    ("text-ada-001", Encoding::R50kBase),
    ("text-embedding-ada-002", Encoding::Cl100kBase),
];

/// Newer models.
const TODAY: &[(&str, Encoding)] = &[
    ("gpt-4-turbo", Encoding::Cl100kBase),
    ("gpt-4-1106-preview", Encoding::Cl100kBase),
    ("gpt-35-turbo-16k", Encoding::Cl100kBase),
    ("gpt-3.5-turbo-instruct", Encoding::Cl100kBase),
    ("davinci-002", Encoding::Cl100kBase),
    ("babbage-002", Encoding::Cl100kBase),
    ("text-embedding-3-small", Encoding::Cl100kBase),
    ("text-embedding-3-large", Encoding::Cl100kBase),
    ("code-davinci-002", Encoding::P50kBase),
    ("code-cushman-001", Encoding::P50kBase),
    ("davinci", Encoding::R50kBase),
    ("curie", Encoding::R50kBase),
    ("babbage", Encoding::R50kBase),
    ("ada", Encoding::R50kBase),
    ("gpt-4o", Encoding::O200kBase),
    ("gpt-4o-mini-2024-07-18", Encoding::O200kBase),
    ("chatgpt-4o-latest", Encoding::O200kBase),
    ("gpt-4.1-nano", Encoding::O200kBase),
    ("gpt-4.5-preview", Encoding::O200kBase),
    ("gpt-5", Encoding::O200kBase),
    ("gpt-5.1-codex-max", Encoding::O200kBase),
    ("gpt-oss-120b", Encoding::O200kBase),
    ("gpt-oss:20b", Encoding::O200kBase),
    ("gpt-audio", Encoding::O200kBase),
    ("gpt-realtime-mini", Encoding::O200kBase),
    ("codex-mini-latest", Encoding::O200kBase),
    ("o1", Encoding::O200kBase),
    ("o1-pro", Encoding::O200kBase),
    ("o3-mini", Encoding::O200kBase),
    ("o4", Encoding::O200kBase),
    ("o4-mini", Encoding::O200kBase),
];

#[test]
fn the_models_of_the_original_have_their_encodings() {
    for &(model, encoding) in ORIGINAL {
        assert_eq!(Encoding::known(model), Some(encoding), "{model}");
    }
}

#[test]
fn the_models_of_today_have_their_encodings() {
    for &(model, encoding) in TODAY {
        assert_eq!(Encoding::known(model), Some(encoding), "{model}");
    }
}

#[test]
fn a_model_is_recognised_behind_providers_fine_tunes_and_capitals() {
    for &(model, encoding) in ORIGINAL.iter().chain(TODAY) {
        for disguised in [
            model.to_uppercase(),
            format!("openai/{model}"),
            format!("azure/{model}"),
            format!("openrouter/openai/{model}"),
            format!("ft:{model}:acme:suffix:8IW"),
            format!("openai/FT:{model}:acme"),
        ] {
            assert_eq!(Encoding::known(&disguised), Some(encoding), "{disguised}");
        }
    }
}

#[test]
fn an_unknown_model_is_assumed_to_be_new() {
    for model in ["gpt-6", "claude-3-opus", "my-deployment", "", ":", "ft:", "ft:llama:acme", "é"] {
        assert_eq!(Encoding::known(model), None, "{model}");
        assert_eq!(Encoding::of(model), Encoding::O200kBase, "{model}");
    }
}

#[test]
fn a_model_without_a_public_tokenizer_has_a_factor_and_no_exact_count() {
    let text = "Why is the sky blue? ".repeat(100);
    for (model, factor) in [
        ("claude-3-5-sonnet-20241022", 1.18),
        ("claude-opus-4-6", 1.18),
        ("claude-sonnet-4-5@20250929", 1.18),
        ("us.anthropic.claude-haiku-4-5-20251001-v1:0", 1.18),
        ("claude-opus-4-7", 1.53),
        ("anthropic/claude-opus-4.8", 1.53),
        ("Claude-Sonnet-5-5", 1.53),
        ("claude-mythos-preview", 1.53),
        ("gemini-2.5-pro", 1.18),
        ("models/gemini-3-flash-preview", 1.18),
        ("gpt-4o", 1.0),
        ("gpt-12", 1.0),
        ("llama-4", 1.0),
        ("", 1.0),
    ] {
        assert_eq!(tokens::factor(model), factor, "{model}");
        assert_eq!(tokens::is_exact(model), model == "gpt-4o", "{model}");
        let o200k = Encoding::O200kBase.count(&text) as f64;
        assert_eq!(tokens::count(model, &text), (o200k * factor).ceil() as u64, "{model}");
    }
    assert_eq!(tokens::factor("gpt-4"), 1.0);
    assert_eq!(tokens::count("claude-opus-5", ""), 0);
}

#[test]
fn an_encoding_says_its_name() {
    let names =
        ["gpt-4o", "gpt-4", "text-davinci-003", "davinci"].map(|model| Encoding::of(model).to_string());
    assert_eq!(names, ["o200k_base", "cl100k_base", "p50k_base", "r50k_base"]);
}

#[test]
fn a_text_is_counted_in_the_encoding_of_its_model() {
    // From OpenAI's cookbook, "How to count tokens with tiktoken".
    for (text, r50k, p50k, cl100k, o200k) in [
        ("antidisestablishmentarianism", 5, 5, 6, 6),
        ("2 + 2 = 4", 5, 5, 7, 7),
        ("お誕生日おめでとう", 14, 14, 9, 8),
    ] {
        assert_eq!(tokens::count("davinci", text), r50k, "{text}");
        assert_eq!(tokens::count("text-davinci-003", text), p50k, "{text}");
        assert_eq!(tokens::count("gpt-4", text), cl100k, "{text}");
        assert_eq!(tokens::count("gpt-4o", text), o200k, "{text}");
    }
    assert_eq!(tokens::count("gpt-4o", ""), 0);
}

#[test]
fn the_text_of_a_special_token_is_ordinary_text() {
    for encoding in [Encoding::R50kBase, Encoding::P50kBase, Encoding::Cl100kBase, Encoding::O200kBase] {
        let count = encoding.count("a <|endoftext|> b");
        assert!((8..=9).contains(&count), "{encoding}: {count}");
    }
}

#[test]
fn hostile_text_is_never_undercounted_and_never_a_panic() {
    // More than tiktoken-rs can take. The longest tokens of these texts have 128 bytes and 8.
    assert_eq!(tokens::count("gpt-4o", &" ".repeat(1_280_000)), 10_000);
    assert_eq!(tokens::count("gpt-4", &"a".repeat(1_280_000)), 160_000);
    // If a long text can be cut, it has exactly the tokens of its parts.
    let sentence = "The quick brown fox isn't 12 years old.\n";
    let once = tokens::count("gpt-4o", sentence);
    assert_eq!(tokens::count("gpt-4o", &sentence.repeat(10_000)), 10_000 * once);
}

/// No surcharge makes up for an encoding that is not compiled in.
#[test]
fn no_encoding_is_always_above_another() {
    use Encoding::{Cl100kBase, O200kBase, P50kBase, R50kBase};
    let (years, spaces) = ("1984 1999 2001 ".repeat(100), " ".repeat(1_000));
    for new in [O200kBase, Cl100kBase] {
        for old in [P50kBase, R50kBase] {
            assert!(new.count(&years) > 2 * old.count(&years), "{new} {old}");
            assert!(4 * new.count(&spaces) < old.count(&spaces), "{new} {old}");
        }
    }
}
