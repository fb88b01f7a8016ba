//! Properties of every request, whatever its content.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Cost, Dimension, ParamsError, kind, tokens};
use proptest::collection::vec;
use proptest::prelude::*;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value, json};

/// Fields with a meaning in some place, and others without.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "prompt",
    "input",
    "instructions",
    "max_tokens",
    "max_completion_tokens",
    "max_output_tokens",
    "n",
    "best_of",
    "suffix",
    "tools",
    "functions",
    "function",
    "parameters",
    "properties",
    "enum",
    "type",
    "description",
    "response_format",
    "json_schema",
    "schema",
    "text",
    "role",
    "content",
    "name",
    "tool_calls",
    "function_call",
    "arguments",
    "output",
    "summary",
    "image_url",
    "url",
    "detail",
    "result",
    "instruction",
    "input_audio",
    "file",
    "encrypted_content",
    "variables",
    "items",
    "system",
    "source",
    "data",
    "thinking",
    "budget_tokens",
    "tool_choice",
    "input_schema",
    "signature",
    "contents",
    "parts",
    "inlineData",
    "file_data",
    "mimeType",
    "mediaResolution",
    "video_metadata",
    "endOffset",
    "functionDeclarations",
    "generationConfig",
    "maxOutputTokens",
    "candidateCount",
    "thinkingConfig",
    "thinkingBudget",
    "unknown",
    "",
    "é",
];

fn key() -> impl Strategy<Value = String> {
    prop_oneof![9 => prop::sample::select(FIELDS).prop_map(str::to_owned), 1 => ".{0,8}"]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
        prop::sample::select(
            &[
                "low",
                "high",
                "https://a.example",
                "data:;base64,R0lGODlhAgECAQ==",
                "gpt-4",
                "gpt-4o",
                "gpt-3.5-turbo-0301",
                "data:x;base64,AAAA",
                "<|endoftext|>",
                "image",
                "document",
                "any",
                "image/png",
                "video/mp4",
                "90s",
                "MEDIA_RESOLUTION_LOW",
                "claude-opus-4-7",
                "JVBERi0x",
                "."
            ][..]
        )
        .prop_map(Value::from),
    ]
}

/// Generates any value, with fields that have a meaning in some place.
pub(crate) fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 48, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            vec((key(), inner), 0..7)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Generates a request with any values in known fields.
pub(crate) fn request() -> impl Strategy<Value = Map<String, Value>> {
    let message = prop_oneof![
        3 => (".{0,60}", ".{0,10}").prop_map(|(content, name)| json!({ "role": "user", "content": content, "name": name })),
        1 => value(),
    ];
    (vec(message, 0..5), vec((key(), value()), 0..4)).prop_map(|(messages, others)| {
        let mut fields = others.into_iter().collect::<Map<_, _>>();
        fields.insert("messages".to_owned(), messages.clone().into());
        fields.insert("contents".to_owned(), messages.clone().into());
        fields.insert("input".to_owned(), messages.into());
        fields
    })
}

type Price = fn(&Value) -> Result<Cost, ParamsError>;

const KINDS: [Price; 6] = [
    tokens::chat,
    tokens::completion,
    tokens::embedding,
    tokens::responses,
    tokens::messages,
    generate_content,
];

fn generate_content(params: &Value) -> Result<Cost, ParamsError> {
    tokens::generate_content("gemini-2.5-flash", params)
}

/// A map that keeps its fields in this order.
struct InOrder<'a>(Vec<(&'a String, &'a Value)>);

impl Serialize for InOrder<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (key, value) in &self.0 {
            match value {
                Value::Object(fields) => map.serialize_entry(key, &InOrder(fields.iter().rev().collect()))?,
                value => map.serialize_entry(key, value)?,
            }
        }
        map.end()
    }
}

proptest! {
    #[test]
    fn any_value_has_a_price_or_an_error_that_names_a_field(params in value()) {
        for price in KINDS {
            if let Err(error) = price(&params) {
                prop_assert!(error.field().split('.').all(|field| FIELDS.contains(&field)), "{error}");
            }
        }
    }

    #[test]
    fn unknown_fields_are_listed_of_all_that_has_a_price(params in prop_oneof![value(), request().prop_map(Value::from)]) {
        let chat = tokens::unknown_fields::<kind::Chat>(&params);
        prop_assert_eq!(chat.err(), tokens::chat(&params).err());
        let responses = tokens::unknown_fields::<kind::Responses>(&params);
        prop_assert_eq!(responses.err(), tokens::responses(&params).err());
        let messages = tokens::unknown_fields::<kind::Messages>(&params);
        prop_assert_eq!(messages.err(), tokens::messages(&params).err());
        let contents = tokens::unknown_fields::<kind::GenerateContent>(&params);
        prop_assert_eq!(contents.err(), generate_content(&params).err());
    }

    #[test]
    fn a_price_is_the_sum_of_its_parts(params in request()) {
        for price in [tokens::chat as Price, tokens::messages, generate_content] {
            let Ok(cost) = price(&params.clone().into()) else { continue };
            let [input, output, sum] =
                [Dimension::InputTokens, Dimension::OutputTokens, Dimension::Tokens].map(|part| cost.amount(&part));
            prop_assert_eq!(sum, input.saturating_add(output));
            prop_assert_eq!(cost.amount(&Dimension::Requests), 1);
        }
    }

    #[test]
    fn the_order_of_fields_never_matters(
        (params, order) in request().prop_flat_map(|params| {
            let places = (0..params.len()).collect::<Vec<_>>();
            (Just(params), Just(places).prop_shuffle())
        })
    ) {
        let fields = params.iter().collect::<Vec<_>>();
        let shuffled = InOrder(order.into_iter().map(|place| fields[place]).collect());
        prop_assert_eq!(tokens::chat(&shuffled), tokens::chat(&params));
        prop_assert_eq!(tokens::completion(&shuffled), tokens::completion(&params));
        prop_assert_eq!(tokens::embedding(&shuffled), tokens::embedding(&params));
        prop_assert_eq!(tokens::responses(&shuffled), tokens::responses(&params));
    }

    #[test]
    fn another_message_never_lowers_the_count(mut params in request(), message in value()) {
        for (field, price) in [
            ("messages", tokens::chat as Price),
            ("input", tokens::responses),
            ("input", tokens::embedding),
            ("messages", tokens::messages),
            ("contents", generate_content),
        ] {
            let Ok(before) = price(&Value::from(params.clone())) else { continue };
            params[field].as_array_mut().unwrap().push(message.clone());
            let after = price(&Value::from(params.clone())).unwrap();
            for dimension in [Dimension::Tokens, Dimension::InputTokens, Dimension::OutputTokens] {
                prop_assert!(after.amount(&dimension) >= before.amount(&dimension));
            }
        }
    }

    #[test]
    fn a_text_has_at_most_as_many_tokens_as_bytes(text in "\\PC{0,200}|[ \\t\\r\\n]{0,200}|[a-z'0-9 /]{0,200}") {
        for model in ["gpt-4o", "gpt-4", "text-davinci-003", "davinci"] {
            let count = tokens::count(model, &text);
            prop_assert!(count <= text.len() as u64);
            prop_assert_eq!(count == 0, text.is_empty());
        }
    }
}
