//! Tests that JSON text, as serde_json's `RawValue` keeps it, costs the same as the value it is.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use openlimit::{Cost, Dimension, ParamsError, tokens};
use proptest::prelude::*;
use serde::Serialize;
use serde::ser::{SerializeStruct, Serializer};
use serde_json::{Value, json};

use super::properties::{request, value};

/// A JSON text as serde_json passes it: a struct whose name and only field are this name.
pub(crate) struct Raw(pub(crate) String);

impl Raw {
    fn of(json: &Value) -> Self {
        Self(json.to_string())
    }
}

impl Serialize for Raw {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        const NAME: &str = "$serde_json::private::RawValue";
        let mut private = serializer.serialize_struct(NAME, 1)?;
        private.serialize_field(NAME, &self.0)?;
        private.end()
    }
}

/// A request whose fields are each a JSON text.
#[derive(Serialize)]
struct Request<T> {
    messages: T,
    max_tokens: T,
}

#[test]
fn raw_json_is_read_as_if_it_were_not() {
    let messages = json!([
        { "role": "user", "content": "Say \"é😀\\n\" twice:\n\tand \u{1} then [1, {2}] stop", "name": "bob" },
        { "role": "user", "content": [
            { "type": "text", "text": "Look" },
            { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } },
        ] },
        { "role": "assistant", "content": null, "unknown": { "a": [1, -2, 0.5, true, false, null, {}, []] } },
    ]);
    let plain = tokens::chat(&Request { messages: messages.clone(), max_tokens: json!(5) }).unwrap();
    let raw = Request { messages: Raw::of(&messages), max_tokens: Raw::of(&json!(5)) };
    assert_eq!(tokens::chat(&raw).unwrap(), plain);

    let whole = json!({ "messages": messages, "max_tokens": 5 });
    assert_eq!(tokens::chat(&Raw::of(&whole)).unwrap(), plain);
}

#[test]
fn a_number_below_all_integers_is_the_same_number() {
    for number in ["-1e300", "-170141183460469231731687303715884105729"] {
        let json: Value = serde_json::from_str(number).unwrap();
        let error = tokens::chat(&json!({ "messages": [], "n": json })).unwrap_err();
        assert_eq!(tokens::chat(&Raw(format!(r#"{{ "messages": [], "n": {number} }}"#))), Err(error));
    }
}

#[test]
fn raw_text_that_is_no_json_is_no_panic() {
    for text in [
        "",
        "{",
        "[",
        "{\"messages\"",
        "{\"messages\":[",
        "\"",
        "\\",
        "}{",
        "[[[[é",
        "{\"a\":\"\\u12",
        "{[{",
        "{{}{}}",
        "[1}",
    ] {
        for text in [text.to_owned(), format!("{{\"messages\":[{text}]}}"), text.repeat(100_000)] {
            let _ = prices(&Raw(text));
        }
    }
}

/// What follows a list that is too deep is still counted.
#[test]
fn nesting_without_end_is_cut_off_and_passed() {
    let text = "It was a dark and stormy night.";
    let cost = |deep: &str| {
        let messages = format!(r#"[{{ "content": {deep} }}, {{ "content": "{text}" }}]"#);
        tokens::chat(&Request { messages: Raw(messages), max_tokens: Raw("1".to_owned()) })
            .unwrap()
            .amount(&Dimension::InputTokens)
    };
    let empty = cost("[]");
    for (open, close) in [("[", "]"), (r#"{"text":"#, "}"), (r#"[{"unknown":[{},"#, "]}]")] {
        let deep = cost(&format!("{}\"the bottom\"{}", open.repeat(200_000), close.repeat(200_000)));
        assert!((empty..empty + 1_000).contains(&deep), "{deep}");
    }
}

/// Returns the price of the params as each kind of request.
fn prices<T: Serialize>(params: &T) -> [Result<Cost, ParamsError>; 6] {
    [
        tokens::chat(params),
        tokens::completion(params),
        tokens::embedding(params),
        tokens::responses(params),
        tokens::messages(params),
        tokens::generate_content("gemini-3-pro", params),
    ]
}

proptest! {
    #[test]
    fn any_text_costs_what_its_value_costs(value in value(), request in request()) {
        for params in [value, request.into()] {
            let pretty = serde_json::to_string_pretty(&params).unwrap();
            prop_assert_eq!(prices(&Raw::of(&params)), prices(&params));
            prop_assert_eq!(prices(&Raw(pretty)), prices(&params));

            let whole = json!({ "model": "gpt-4", "messages": params, "prompt": params, "input": params, "contents": params });
            let fields = whole.as_object().unwrap().iter().map(|(key, value)| (key, Raw::of(value)));
            prop_assert_eq!(prices(&fields.collect::<BTreeMap<_, _>>()), prices(&whole));
        }
    }
}
