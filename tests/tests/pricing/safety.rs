//! Tests that the default price of a request with text only is never below the provider's count.
//! The reference is the code of OpenAI's cookbook, with counts by tiktoken-rs.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Dimension, tokens};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn reference(model: &str, text: &str) -> u64 {
    let encoding = match model {
        "gpt-4o" | "gpt-5" => tiktoken_rs::o200k_base_singleton(),
        "gpt-4" | "gpt-3.5-turbo" => tiktoken_rs::cl100k_base_singleton(),
        _ => tiktoken_rs::p50k_base_singleton(),
    };
    encoding.encode_ordinary(text).len() as u64
}

/// `num_tokens_from_messages`.
fn messages(model: &str, messages: &[Value]) -> u64 {
    let message = |message: &Value| {
        let fields = message.as_object().unwrap();
        let texts = fields.values().map(|text| reference(model, text.as_str().unwrap())).sum::<u64>();
        3 + texts + u64::from(fields.contains_key("name"))
    };
    3 + messages.iter().map(message).sum::<u64>()
}

/// `num_tokens_for_tools`, without the messages.
fn tools(model: &str, tools: &[Value]) -> u64 {
    let (function, properties, property, item, end) = (if model == "gpt-4o" { 7 } else { 10 }, 3, 3, 3, 12);
    let text = |value: &Value| value.as_str().unwrap().trim_end_matches('.').to_owned();
    let mut sum = 0;
    for tool in tools {
        let tool = &tool["function"];
        sum += function
            + reference(model, &format!("{}:{}", tool["name"].as_str().unwrap(), text(&tool["description"])));
        let fields = tool["parameters"]["properties"].as_object().unwrap();
        sum += if fields.is_empty() { 0 } else { properties };
        for (key, field) in fields {
            sum += property;
            if let Some(items) = field["enum"].as_array() {
                sum = sum - 3
                    + items.iter().map(|text| item + reference(model, text.as_str().unwrap())).sum::<u64>();
            }
            let line = format!("{key}:{}:{}", field["type"].as_str().unwrap(), text(&field["description"]));
            sum += reference(model, &line);
        }
    }
    sum + if tools.is_empty() { 0 } else { end }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,80}",
        "[a-zA-Z ,.'\n]{0,200}",
        "[\\u4e00-\\u4eff]{0,40}",
        Just("<|endoftext|>".to_owned())
    ]
}

fn word() -> impl Strategy<Value = String> {
    "[a-z][a-z_]{0,12}"
}

/// Generates the name of a function or a property. Some encodings join its end with what follows.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        word(),
        "[a-z\u{300}\u{301}\u{903}\u{e31}]{1,6}",
        "[a-z\u{2160}\u{24b6}\u{24d0}\u{1f130}\u{aa}\u{b2}]{1,6}",
        "[一-二ก-ฮа-яé\u{1f600}-\u{1f610}\u{ac00}-\u{ac10}]{1,5}",
        "\\PC{1,5}",
    ]
}

fn message() -> impl Strategy<Value = Value> {
    let role = prop::sample::select(&["system", "user", "assistant"][..]);
    (role, text(), option::of(word())).prop_map(|(role, content, name)| match name {
        Some(name) => json!({ "role": role, "content": content, "name": name }),
        None => json!({ "role": role, "content": content }),
    })
}

fn sentence() -> impl Strategy<Value = String> {
    "[A-Z][a-z]{0,8}( [a-z]{1,9}){0,8}\\.?"
}

fn tool() -> impl Strategy<Value = Value> {
    let field = (
        prop::sample::select(&["string", "integer", "object"][..]),
        prop_oneof![sentence(), text()],
        option::of(vec(word(), 0..4)),
    )
        .prop_map(|(kind, description, items)| match items {
            Some(items) => json!({ "type": kind, "description": description, "enum": items }),
            None => json!({ "type": kind, "description": description }),
        });
    (name(), sentence(), vec((name(), field), 0..4)).prop_map(|(name, description, fields)| {
        let properties = fields.into_iter().collect::<Map<_, _>>();
        let parameters = json!({ "type": "object", "properties": properties });
        json!({ "type": "function", "function": { "name": name, "description": description, "parameters": parameters } })
    })
}

/// Characters that JSON escapes.
fn escaped() -> impl Strategy<Value = String> {
    prop_oneof![
        "[\"\\\\a-z ]{0,20}",
        "[\0-\x1f\x7f]{0,60}",
        "[\t\n]{0,60}",
        "[!-~ ]{0,20}",
        "[a-z\t\n\r\"]{0,40}",
        prop::sample::select(&[r"^\d{3}-\d{2}\.\w+\\[\s\S]*$", "\t\t\t\t", r#"{"a": "b"}"#][..])
            .prop_map(|text| text.repeat(3)),
    ]
}

/// Generates a JSON schema, or something similar.
fn schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        sentence().prop_map(Value::from),
        word().prop_map(Value::from),
        escaped().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((prop_oneof![4 => word().boxed(), 1 => escaped().boxed()], inner), 0..5)
                .prop_map(|fields| Value::from(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn model() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["gpt-4o", "gpt-4", "gpt-3.5-turbo"][..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_chat_is_never_priced_below_its_tokens_and_its_largest_reply(
        model in model(),
        said in vec(message(), 0..6),
        offered in vec(tool(), 0..3),
        max in 0..5_000_u64,
        n in option::of(1..5_u64),
    ) {
        let params = json!({ "model": model, "messages": said, "tools": offered, "max_completion_tokens": max, "n": n });
        let least = messages(model, &said) + tools(model, &offered);
        let cost = tokens::chat(&params).unwrap();
        prop_assert!(cost.amount(&Dimension::Tokens) >= least + n.unwrap_or(1) * max, "{cost:?} < {least}");
        prop_assert!(cost.amount(&Dimension::InputTokens) >= least);
    }

    #[test]
    fn the_messages_of_a_chat_are_counted_exactly(model in model(), said in vec(message(), 0..6)) {
        let params = json!({ "model": model, "messages": said });
        prop_assert_eq!(tokens::chat(&params).unwrap().amount(&Dimension::InputTokens), messages(model, &said));
    }

    #[test]
    fn a_response_is_never_priced_below_the_same_chat(said in vec(message(), 0..6), max in 0..5_000_u64) {
        let params = json!({ "model": "gpt-5", "input": said, "max_output_tokens": max });
        let cost = tokens::responses(&params).unwrap();
        prop_assert!(cost.amount(&Dimension::Tokens) >= messages("gpt-5", &said) + max);
    }

    #[test]
    fn calls_and_their_results_are_never_priced_below_the_same_chats(
        calls in vec((name(), escaped(), text(), name()), 0..4),
        model in prop::sample::select(&["gpt-4o", "gpt-5", "gpt-4"][..]),
    ) {
        let (mut said, mut items, mut least) = (Vec::new(), Vec::new(), 3);
        for (name, arguments, result, id) in calls {
            let function = json!({ "name": name, "arguments": arguments });
            let calls = json!([{ "id": id, "type": "function", "function": function }]);
            said.push(json!({ "role": "assistant", "content": null, "tool_calls": calls }));
            let tool = json!({ "role": "tool", "tool_call_id": id, "content": result });
            least += messages(model, std::slice::from_ref(&tool)) - 3;
            said.push(tool);
            items.push(json!({ "type": "function_call", "call_id": id, "name": name, "arguments": arguments }));
            items.push(json!({ "type": "function_call_output", "call_id": id, "output": result }));
        }
        let chat = tokens::chat(&json!({ "model": model, "messages": said })).unwrap();
        let response = tokens::responses(&json!({ "model": model, "input": items })).unwrap();
        prop_assert!(chat.amount(&Dimension::InputTokens) >= least, "{chat:?} < {least}");
        prop_assert!(response.amount(&Dimension::InputTokens) >= chat.amount(&Dimension::InputTokens), "{response:?} < {chat:?}");
    }

    #[test]
    fn completions_edits_and_embeddings_are_never_priced_below_their_texts(
        texts in vec(text(), 0..4),
        suffix in text(),
        max in 0..5_000_u64,
        n in 1..4_u64,
        best_of in 1..4_u64,
    ) {
        let model = "text-davinci-003";
        let count = |texts: &[String]| texts.iter().map(|text| reference(model, text)).sum::<u64>();
        let prompts = (texts.len() as u64).max(1);
        let params = json!({ "model": model, "prompt": texts, "suffix": suffix, "max_tokens": max, "n": n, "best_of": best_of });
        let least = count(&texts) + texts.len() as u64 * reference(model, &suffix) + prompts * best_of * max;
        prop_assert!(tokens::completion(&params).unwrap().amount(&Dimension::Tokens) >= least);

        let params = json!({ "model": "text-davinci-edit-001", "instruction": suffix, "input": texts.concat(), "n": n });
        let least = reference(model, &suffix) + reference(model, &texts.concat());
        prop_assert_eq!(tokens::completion(&params).unwrap().amount(&Dimension::Tokens), least + n * 16);

        let params = json!({ "model": model, "input": texts });
        prop_assert_eq!(tokens::embedding(&params).unwrap().amount(&Dimension::Tokens), count(&texts));
    }

    #[test]
    fn a_schema_is_never_priced_below_its_json(model in model(), name in word(), schema in schema()) {
        // The text that harmony shows to the model, and the frame of its message.
        let section = format!("# Response Formats\n\n## {name}\n\n{schema}");
        let format = json!({ "type": "json_schema", "json_schema": { "name": name, "strict": true, "schema": schema } });
        let params = json!({ "model": model, "messages": [], "response_format": format });
        let cost = tokens::chat(&params).unwrap().amount(&Dimension::InputTokens);
        prop_assert!(cost >= 3 + 4 + reference(model, &section), "{cost} < 7 + {}", reference(model, &section));

        let text = json!({ "format": { "type": "json_schema", "name": name, "schema": schema } });
        let params = json!({ "model": model, "input": [], "text": text });
        prop_assert_eq!(tokens::responses(&params).unwrap().amount(&Dimension::InputTokens), cost);
    }
}
