//! Tests of the price of a chat completion: the figures of OpenAI's cookbook, and every kind of
//! content.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{Dimension, ParamsError, tokens};
use serde_json::{Value, json};

fn input(params: &Value) -> u64 {
    tokens::chat(params).unwrap().amount(&Dimension::InputTokens)
}

fn output(params: &Value) -> u64 {
    tokens::chat(params).unwrap().amount(&Dimension::OutputTokens)
}

/// Returns what one message costs, without the three tokens of the reply.
fn message(message: Value) -> u64 {
    input(&json!({ "model": "gpt-4o", "messages": [message] })) - 3
}

fn count(text: &str) -> u64 {
    tokens::count("gpt-4o", text)
}

/// Returns the example of OpenAI's cookbook, "How to count tokens with tiktoken".
fn cookbook(model: &str) -> Value {
    json!({
        "model": model,
        "messages": [
            {
                "role": "system",
                "content": "You are a helpful, pattern-following assistant that translates corporate jargon into plain English.",
            },
            { "role": "system", "name": "example_user", "content": "New synergies will help drive top-line growth." },
            {
                "role": "system",
                "name": "example_assistant",
                "content": "Things working well together will increase revenue.",
            },
            {
                "role": "system",
                "name": "example_user",
                "content": "Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage.",
            },
            {
                "role": "system",
                "name": "example_assistant",
                "content": "Let's talk later when we're less busy about how to do better.",
            },
            {
                "role": "user",
                "content": "This late pivot means we don't have time to boil the ocean for the client deliverable.",
            },
        ],
    })
}

#[test]
fn the_cookbooks_messages_have_the_cookbooks_count() {
    for (model, expected) in [
        ("gpt-3.5-turbo", 129),
        ("gpt-4", 129),
        ("gpt-4-0613", 129),
        ("gpt-4o", 124),
        ("gpt-4o-mini", 124),
        ("gpt-3.5-turbo-0301", 127),
    ] {
        assert_eq!(input(&cookbook(model)), expected, "{model}");
    }
}

#[test]
fn the_cookbooks_tools_have_the_cookbooks_count() {
    let mut params = json!({
        "messages": [
            {
                "role": "system",
                "content": "You are a helpful assistant that can answer to questions about the weather.",
            },
            { "role": "user", "content": "What's the weather like in San Francisco?" },
        ],
        "tools": [{
            "type": "function",
            "function": {
                "name": "get_current_weather",
                "description": "Get the current weather in a given location",
                "parameters": {
                    "type": "object",
                    "properties": {
                        "location": { "type": "string", "description": "The city and state, e.g. San Francisco, CA" },
                        "unit": {
                            "type": "string",
                            "description": "The unit of temperature to return",
                            "enum": ["celsius", "fahrenheit"],
                        },
                    },
                    "required": ["location"],
                },
            },
        }],
    });
    for (model, expected) in [("gpt-3.5-turbo", 105), ("gpt-4", 105), ("gpt-4o", 101), ("gpt-4o-mini", 101)] {
        params["model"] = json!(model);
        assert_eq!(input(&params), expected, "{model}");
    }
    // The deprecated field contains the same functions, not wrapped.
    let function = params["tools"][0]["function"].clone();
    params["functions"] = json!([function]);
    params.as_object_mut().unwrap().remove("tools");
    assert_eq!(input(&params), 101);
}

#[test]
fn a_function_without_properties_costs_its_name_and_its_frame() {
    let with = |tools: Value| input(&json!({ "model": "gpt-4o", "messages": [], "tools": tools }));
    let tool =
        json!({ "type": "function", "function": { "name": "now", "parameters": { "properties": {} } } });
    assert_eq!(with(json!([])), 3);
    assert_eq!(with(json!(null)), 3);
    assert_eq!(with(json!([tool])), 3 + 12 + 7 + count("now"));
    assert_eq!(with(json!([tool, tool])), 3 + 12 + 2 * (7 + count("now")));
}

#[test]
fn a_web_search_costs_a_flat_amount_and_its_options() {
    let with =
        |options: Value| input(&json!({ "model": "gpt-4o", "messages": [], "web_search_options": options }));
    let city = json!({ "user_location": { "approximate": { "city": "San Francisco" } } });
    assert_eq!(with(json!(null)), 3);
    assert_eq!(with(json!({})), 3 + 400);
    assert!(with(city) >= 3 + 400 + count("San Francisco"));
}

#[test]
fn nested_schemas_are_counted_to_their_ends() {
    let with = |schema: Value| {
        let function =
            json!({ "name": "f", "parameters": { "type": "object", "properties": { "p": schema } } });
        input(
            &json!({ "model": "gpt-4o", "messages": [], "tools": [{ "type": "function", "function": function }] }),
        )
    };
    let bare = with(json!({ "type": "object" }));
    let text = "A description of which every word is to be counted";
    let words = count(text);
    for schema in [
        json!({ "type": "object", "properties": { "q": { "description": text } } }),
        json!({ "type": "object", "items": { "type": "string", "description": text } }),
        json!({ "type": "object", "anyOf": [{ "description": text }, { "type": "null" }] }),
        json!({ "type": "object", "enum": [text, 1, null, true] }),
        json!({ "type": "object", "default": text }),
        json!({ "type": "object", "additionalProperties": { "type": "string", "description": text } }),
        json!({ "type": "object", "additionalProperties": { "properties": { "q": { "description": text } } } }),
    ] {
        assert!(with(schema.clone()) >= bare + words, "{schema}");
    }
    for open in [false, true] {
        assert_eq!(with(json!({ "type": "object", "additionalProperties": open })), bare);
    }
}

#[test]
fn a_response_format_is_counted() {
    let with =
        |format: Value| input(&json!({ "model": "gpt-4o", "messages": [], "response_format": format }));
    let text = "What the reply is to say";
    let schema =
        json!({ "type": "object", "properties": { "reply": { "type": "string", "description": text } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "reply", "strict": true, "schema": schema } });
    assert_eq!(with(json!({ "type": "text" })), 3);
    assert!(with(format) > 3 + count(text) + 10);
}

#[test]
fn content_is_a_text_or_parts_or_nothing() {
    let text = message(json!({ "role": "user", "content": "Why is the sky blue?" }));
    assert_eq!(text, 3 + 1 + count("Why is the sky blue?"));
    let parts = json!([{ "type": "text", "text": "Why is the sky blue?" }]);
    assert_eq!(message(json!({ "role": "user", "content": parts })), text);
    for nothing in [json!({ "role": "user" }), json!({ "role": "user", "content": null })] {
        assert_eq!(message(nothing), 3 + 1);
    }
    let refusal = json!([{ "type": "refusal", "refusal": "I will not" }]);
    assert_eq!(message(json!({ "role": "assistant", "content": refusal })), 4 + count("I will not"));
    assert_eq!(message(json!({ "role": "assistant", "refusal": "I will not" })), 4 + count("I will not"));
}

#[test]
fn a_name_adds_its_text_and_one() {
    let bare = message(json!({ "role": "user", "content": "Hello" }));
    assert_eq!(
        message(json!({ "role": "user", "content": "Hello", "name": "bob" })),
        bare + count("bob") + 1
    );
    assert_eq!(message(json!({ "role": "user", "content": "Hello", "name": null })), bare);
}

#[test]
fn calls_and_results_are_counted_and_only_the_id_of_a_result() {
    let arguments = r#"{"location":"San Francisco, CA"}"#;
    let function = json!({ "name": "get_weather", "arguments": arguments });
    let calls = json!([{ "id": "call_7Yx2KkqP0aZ", "type": "function", "function": function }]);
    let called = 4 + 3 + count("get_weather") + count(arguments);
    assert_eq!(message(json!({ "role": "assistant", "content": null, "tool_calls": calls })), called);
    assert_eq!(message(json!({ "role": "assistant", "content": null, "function_call": function })), called);
    assert_eq!(message(json!({ "role": "assistant", "tool_calls": null, "function_call": null })), 4);

    let custom = json!([{ "id": "call_1", "type": "custom", "custom": { "name": "sh", "input": "ls -la" } }]);
    let cost = message(json!({ "role": "assistant", "tool_calls": custom }));
    assert_eq!(cost, 4 + 3 + count("sh") + count("ls -la"));

    let result = json!({ "role": "tool", "tool_call_id": "call_7Yx2KkqP0aZ", "content": "18 degrees" });
    assert_eq!(message(result), 4 + count("call_7Yx2KkqP0aZ") + count("18 degrees"));
}

#[test]
fn bytes_of_images_sounds_and_files_are_never_text() {
    let content = |part: Value| message(json!({ "role": "user", "content": [part] })) - 4;
    let bytes = "iVBORw0KGgoAAAANSUhEUg".repeat(100_000);
    let url = format!("data:image/png;base64,{bytes}");

    let image = content(json!({ "type": "image_url", "image_url": { "url": url, "detail": "high" } }));
    assert_eq!(image, 765);
    assert_eq!(
        content(json!({ "type": "image_url", "image_url": { "url": "https://a.example/b.png" } })),
        1445
    );
    assert_eq!(content(json!({ "type": "image_url", "image_url": url })), image);

    assert_eq!(
        content(json!({ "type": "input_audio", "input_audio": { "data": bytes, "format": "wav" } })),
        600
    );
    assert_eq!(content(json!({ "type": "file", "file": { "file_data": bytes, "filename": "a.pdf" } })), 2045);
    assert_eq!(content(json!({ "type": "file", "file": { "file_id": "file-1" } })), 2045);
    assert_eq!(message(json!({ "role": "assistant", "audio": { "id": "audio_1" } })), 4 + 600);

    // Unknown types of content, too.
    for unknown in
        [json!({ "type": "video", "video": url }), json!({ "type": "video", "source": { "data": bytes } })]
    {
        let cost = content(unknown);
        assert!((2045..2100).contains(&cost), "{cost}");
    }
}

#[test]
fn what_is_unknown_counts_as_its_text() {
    let bare = message(json!({ "role": "assistant", "content": "Hello" }));
    let text = "Let me think about this for a while";
    let with =
        |value: Value| message(json!({ "role": "assistant", "content": "Hello", "reasoning": value })) - bare;
    assert_eq!(with(json!(text)), count(text));
    assert!(
        with(json!({ "steps": [{ "thought": text }] })) >= count(text) + count("steps") + count("thought")
    );
    assert!(with(json!([1, 2.5, -3, true])) >= 4);
    assert_eq!(with(Value::Null), 0);
    // Unknown fields of the request itself are not part of the prompt.
    let params = json!({ "model": "gpt-4o", "messages": [], "metadata": { "note": text }, "user": text });
    assert_eq!(input(&params), 3);
}

#[test]
fn no_content_is_an_error() {
    for content in [json!(7), json!(true), json!({ "text": "x" }), json!([[["x"]]]), json!([null, 1, "x"])] {
        message(json!({ "role": 1, "content": content, "name": [], "tool_calls": "x", "function_call": 2 }));
    }
    for odd in [json!("Hello"), json!(1), json!(null), json!([["x"]]), json!({})] {
        let params = json!({ "messages": [odd], "tools": odd, "functions": [odd], "response_format": odd });
        assert!(tokens::chat(&params).is_ok(), "{params}");
    }
}

#[test]
fn the_output_is_the_largest_that_the_request_allows() {
    let with = |fields: Value| {
        let mut params = json!({ "model": "gpt-4o", "messages": [] });
        params.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        output(&params)
    };
    assert_eq!(with(json!({})), 16);
    assert_eq!(with(json!({ "max_tokens": null, "max_completion_tokens": null, "n": null })), 16);
    assert_eq!(with(json!({ "max_tokens": 100 })), 100);
    assert_eq!(with(json!({ "max_tokens": 0 })), 0);
    assert_eq!(with(json!({ "max_tokens": 100.0 })), 100);
    assert_eq!(with(json!({ "max_completion_tokens": 200 })), 200);
    assert_eq!(with(json!({ "max_tokens": 300, "max_completion_tokens": 200 })), 300);
    assert_eq!(with(json!({ "max_tokens": 100, "max_completion_tokens": 200, "n": 3 })), 600);
    assert_eq!(with(json!({ "max_tokens": null, "max_completion_tokens": 200, "n": 0 })), 200);
    assert_eq!(with(json!({ "max_tokens": u64::MAX, "n": u64::MAX })), u64::MAX);
    let params = json!({ "messages": [], "max_tokens": u64::MAX });
    assert_eq!(tokens::chat(&params).unwrap().amount(&Dimension::Tokens), u64::MAX);
}

#[test]
fn a_wrong_shape_names_the_field_and_what_was_found() {
    let refused = |params: Value| -> ParamsError { tokens::chat(&params).unwrap_err() };
    for (params, field, found) in [
        (json!({}), "messages", "missing"),
        (json!({ "messages": null }), "messages", "missing"),
        (json!({ "messages": "Hello" }), "messages", "a string"),
        (json!({ "messages": { "role": "user" } }), "messages", "a map"),
        (json!({ "messages": 5 }), "messages", "a number"),
        (json!(null), "messages", "null"),
        (json!([]), "messages", "a list"),
        (json!("messages"), "messages", "a string"),
        (json!(12.5), "messages", "12.5"),
        (json!({ "messages": [], "model": 4 }), "model", "a number"),
        (json!({ "messages": [], "max_tokens": -5 }), "max_tokens", "-5"),
        (json!({ "messages": [], "max_tokens": 1.5 }), "max_tokens", "1.5"),
        (json!({ "messages": [], "max_tokens": "100" }), "max_tokens", "a string"),
        (json!({ "messages": [], "max_completion_tokens": [1] }), "max_completion_tokens", "a list"),
        (json!({ "messages": [], "n": false }), "n", "a boolean"),
    ] {
        let error = refused(params.clone());
        assert_eq!(error.field(), field, "{params}");
        assert!(error.to_string().contains(found), "{params}: {error}");
    }
    let error = refused(json!({ "messages": [], "max_tokens": -5 }));
    assert_eq!(
        error.to_string(),
        "cannot read `max_tokens` of the params: expected a non-negative integer, found -5"
    );
}
