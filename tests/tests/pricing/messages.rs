//! Tests of the price of a request to Anthropic's Messages.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::tokens::Tokenizer;
use openlimit::{
    AcquireError, Charge, Cost, Dimension, MessagesRateLimiter, Rate, Usage, kind, limiter, rate_limited,
    tokens,
};
use serde_json::{Value, json};

use super::images::{base64, png};
use super::raw::Raw;
use super::unknown;

/// What every request has, and each message.
const FRAME: u64 = 3;
const MESSAGE: u64 = 4;

const PDF: &str = "JVBERi0xLjcKJeLjz9MKMSAwIG9iago8PC9UeXBlL0NhdGFsb2c+PgplbmRvYmoK";

/// The price of a document, for a model of standard resolution.
const DOCUMENT: u64 = 3_000 + 1_568;

/// Counts each text as its bytes, so that all that is counted can be seen.
pub(crate) struct Bytes;

impl Tokenizer for Bytes {
    fn count(&self, _: &str, text: &str) -> u64 {
        text.len() as u64
    }
}

fn request(fields: &Value) -> Value {
    let mut request = json!({
        "model": "claude-sonnet-4-5",
        "max_tokens": 1_024,
        "messages": [{ "role": "user", "content": "Hi" }],
    });
    request.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    request
}

fn cost(fields: &Value) -> Cost {
    tokens::messages(&request(fields)).unwrap()
}

fn input(cost: &Cost) -> u64 {
    cost.amount(&Dimension::InputTokens)
}

fn output(fields: &Value) -> u64 {
    cost(fields).amount(&Dimension::OutputTokens)
}

/// Returns the tokens of texts, with a factor of one for each byte.
fn bytes(fields: &Value) -> u64 {
    let minute = Rate::per_minute(1_000_000);
    let limiter = MessagesRateLimiter::builder().input_tokens(minute).tokenizer(Bytes).build().unwrap();
    input(&limiter.cost(&request(fields)).unwrap())
}

/// Returns what a block adds to a message.
fn block(block: &Value) -> u64 {
    let with = |content: Value| bytes(&json!({ "messages": [{ "role": "user", "content": content }] }));
    with(json!([block])) - with(json!([]))
}

fn image(width: u32, height: u32) -> Value {
    let data = base64(&png(width, height));
    json!({ "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": data } })
}

fn unknown_fields(fields: &Value) -> Vec<String> {
    tokens::unknown_fields::<kind::Messages>(&request(fields)).unwrap()
}

/// The examples of Anthropic's guide to token counting. An estimate may be a quarter too high, or
/// 1 % too low.
#[test]
fn a_request_costs_about_what_anthropic_counts() {
    let weather = json!([{
        "name": "get_weather",
        "description": "Get the current weather in a given location",
        "input_schema": {
            "type": "object",
            "properties": { "location": { "type": "string", "description": "The city and state, e.g. San Francisco, CA" } },
            "required": ["location"],
        },
    }]);
    for (params, counted) in [
        (json!({ "model": "claude-opus-4-1", "messages": [{ "role": "user", "content": "hi" }] }), 8_u64),
        (
            json!({
                "model": "claude-opus-4-1",
                "system": "You are a scientist",
                "messages": [{ "role": "user", "content": "Hello, Claude" }],
            }),
            14,
        ),
        (
            json!({
                "model": "claude-opus-4-1",
                "tools": weather,
                "messages": [{ "role": "user", "content": "What's the weather like in San Francisco?" }],
            }),
            403,
        ),
    ] {
        let input = input(&tokens::messages(&params).unwrap());
        let range = counted - counted / 100..=counted + counted.div_ceil(4);
        assert!(range.contains(&input), "{input} of {counted}");
    }
}

#[test]
fn a_message_costs_its_text_and_a_frame() {
    assert_eq!(bytes(&json!({})), FRAME + MESSAGE + 2);
    assert_eq!(bytes(&json!({ "messages": [] })), FRAME);
    let turns = json!([
        { "role": "user", "content": "Hello there." },
        { "role": "assistant", "content": "Hi, I'm Claude. How can I help you?" },
        { "role": "user", "content": "Can you explain LLMs in plain English?" },
    ]);
    assert_eq!(bytes(&json!({ "messages": turns })), FRAME + 3 * MESSAGE + 12 + 35 + 38);
}

#[test]
fn content_is_a_text_or_blocks() {
    for text in ["", "Hello", "a \"quoted\" text\n"] {
        let blocks = json!([{ "type": "text", "text": text, "cache_control": { "type": "ephemeral" } }]);
        let length = text.len() as u64;
        assert_eq!(bytes(&json!({ "system": text })), FRAME + MESSAGE + 2 + length);
        assert_eq!(bytes(&json!({ "system": blocks })), FRAME + MESSAGE + 2 + length);
        let content = |content| json!({ "messages": [{ "role": "user", "content": content }] });
        assert_eq!(bytes(&content(json!(text))), FRAME + MESSAGE + length);
        assert_eq!(bytes(&content(blocks)), FRAME + MESSAGE + length);
    }
}

#[test]
fn each_kind_of_block_has_its_price() {
    let sealed = "EqoBCkgIARAB".repeat(10);
    for (added, expected) in [
        (json!({ "type": "text", "text": "12345" }), 5),
        (json!({ "type": "thinking", "thinking": "12345", "signature": sealed }), 5 + 30),
        (json!({ "type": "redacted_thinking", "data": sealed }), 30),
        // The name, the key and its value, and their punctuation.
        (
            json!({ "type": "tool_use", "id": "toolu_1", "name": "get", "input": { "city": "Bonn" } }),
            3 + 4 + 4 + 2,
        ),
        (json!({ "type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {} }), 10),
        (
            json!({ "type": "tool_result", "tool_use_id": "toolu_1", "content": "259.75 USD", "is_error": false }),
            7 + 10,
        ),
        (
            json!({ "type": "tool_result", "tool_use_id": "t", "content": [{ "type": "text", "text": "12345" }, image(56, 56)] }),
            1 + 5 + 4,
        ),
        (
            json!({
                "type": "search_result",
                "source": "https://a.example",
                "title": "12345",
                "content": [{ "type": "text", "text": "12345" }],
                "citations": { "enabled": true },
            }),
            17 + 5 + 5,
        ),
        (
            json!({ "type": "web_search_tool_result", "tool_use_id": "s", "content": [
                { "type": "web_search_result", "url": "u", "title": "t", "encrypted_content": sealed, "page_age": "1 d" },
            ] }),
            1 + 1 + 1 + 30 + 3,
        ),
        (
            json!({ "type": "code_execution_tool_result", "tool_use_id": "s", "content": {
                "type": "code_execution_result", "stdout": "12", "stderr": "3", "return_code": 0, "content": [],
            } }),
            1 + 2 + 1 + 1,
        ),
        // What is cited does not count again.
        (
            json!({ "type": "text", "text": "12345", "citations": [{ "type": "char_location", "cited_text": "long" }] }),
            5,
        ),
        (json!({ "type": "container_upload", "file_id": "file_1" }), 0),
        (json!("12345"), 5),
    ] {
        assert_eq!(block(&added), expected, "{added}");
        let content = json!({ "messages": [{ "role": "user", "content": [added] }] });
        assert_eq!(unknown_fields(&content), [""; 0], "{added}");
    }
}

#[test]
fn an_image_costs_a_token_for_each_patch() {
    for ((width, height), expected) in
        [((200, 200), 64), ((1_000, 1_000), 1_296), ((3_840, 2_160), 1_560), ((1, 1), 1)]
    {
        assert_eq!(block(&image(width, height)), expected);
    }
    let data = format!("data:image/png;base64,{}", base64(&png(200, 200)));
    for source in [json!({ "type": "base64", "data": data }), json!({ "type": "url", "url": data })] {
        assert_eq!(block(&json!({ "type": "image", "source": source })), 64);
    }
}

#[test]
fn an_image_of_unknown_size_costs_as_much_as_the_largest_of_its_model() {
    for source in [
        json!({ "type": "url", "url": "https://a.example/a.png" }),
        json!({ "type": "file", "file_id": "file_1" }),
        json!({ "type": "base64", "media_type": "image/heic", "data": unknown::base64(5_000) }),
    ] {
        let image = json!({ "type": "image", "source": source });
        assert_eq!(block(&image), 1_568);
        let with = |model: &str, content: Value| {
            let messages = json!([{ "role": "user", "content": content }]);
            input(&cost(&json!({ "model": model, "messages": messages })))
        };
        for (model, expected) in [
            ("claude-opus-4-6", 1_568),
            ("claude-haiku-4-5-20251001", 1_568),
            ("us.anthropic.claude-sonnet-4-20250514-v1:0", 1_568),
            ("claude-opus-4-7", 4_784),
            ("anthropic/claude-sonnet-5", 4_784),
            ("claude-mythos-preview", 4_784),
            ("a-model-of-my-own", 4_784),
        ] {
            assert_eq!(with(model, json!([image])) - with(model, json!([])), expected, "{model}");
        }
    }
}

#[test]
fn a_document_costs_a_page_or_its_text() {
    let document = |source: Value| block(&json!({ "type": "document", "source": source }));
    assert_eq!(document(json!({ "type": "base64", "media_type": "application/pdf", "data": PDF })), DOCUMENT);
    assert_eq!(document(json!({ "type": "base64", "data": unknown::base64(1_000_000) })), DOCUMENT);
    assert_eq!(document(json!({ "type": "url", "url": "https://a.example/a.pdf" })), DOCUMENT);
    assert_eq!(document(json!({ "type": "file", "file_id": "file_1" })), DOCUMENT);
    assert_eq!(document(json!({ "type": "text", "media_type": "text/plain", "data": "12345" })), 5);
    assert_eq!(document(json!({ "type": "content", "content": "12345" })), 5);
    let content = json!([{ "type": "text", "text": "12345" }, image(200, 200)]);
    assert_eq!(document(json!({ "type": "content", "content": content })), 5 + 64);
    let titled = json!({ "type": "document", "title": "12", "context": "345", "source": { "type": "text", "data": "6" } });
    assert_eq!(block(&titled), 6);
}

/// A `serde_json::Value` sorts its fields, so `source` comes before `type`.
#[test]
fn the_order_of_a_blocks_fields_does_not_matter() {
    for (kind, expected) in [("image", 1_568), ("document", DOCUMENT)] {
        let [source, kind] = [
            r#""source":{"type":"url","url":"https://a.example"}"#.to_owned(),
            format!(r#""type":"{kind}""#),
        ];
        for fields in [format!("{source},{kind}"), format!("{kind},{source}")] {
            let text =
                format!(r#"{{"messages":[{{"content":[{{{fields}}},{{"type":"text","text":""}}]}}]}}"#);
            let minute = Rate::per_minute(1_000_000);
            let limiter = MessagesRateLimiter::builder()
                .tokens(minute)
                .tokenizer(Bytes)
                .model("claude-3")
                .build()
                .unwrap();
            assert_eq!(
                input(&limiter.cost(&Raw(text.clone())).unwrap()),
                FRAME + MESSAGE + expected,
                "{text}"
            );
        }
    }
}

#[test]
fn unknown_blocks_and_fields_count_as_their_text() {
    let new = json!({ "type": "hologram", "shape": "a very long and winding shape", "parts": [1, { "deep": "text" }] });
    assert!(block(&new) > 40);
    let fields = json!({ "messages": [{ "role": "user", "content": [new], "mood": "good" }], "prompt_style": "terse" });
    assert_eq!(
        unknown_fields(&fields),
        ["messages[0].content[0].parts", "messages[0].content[0].shape", "messages[0].mood", "prompt_style",]
    );
    assert!(input(&cost(&json!({ "prompt_style": "terse" }))) > input(&cost(&json!({}))));
    // Bytes in a field that is not known are not text.
    let bytes = json!({ "type": "hologram", "bytes": unknown::base64(1_000_000) });
    assert!(block(&bytes) < DOCUMENT + 20);
}

#[test]
fn settings_cost_nothing() {
    let settings = json!({
        "anthropic_version": "bedrock-2023-05-31",
        "cache_control": { "type": "ephemeral" },
        "container": "container_1",
        "context_management": { "edits": [{ "type": "clear_tool_uses_20250919" }] },
        "inference_geo": "eu",
        "mcp_servers": [{ "type": "url", "url": "https://a.example", "name": "a" }],
        "metadata": { "user_id": "u" },
        "output_config": { "effort": "high", "task_budget": { "type": "tokens", "total": 5 } },
        "service_tier": "auto",
        "stop_sequences": ["\n\nHuman:"],
        "stream": true,
        "temperature": 1.0,
        "thinking": { "type": "adaptive", "display": "omitted" },
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
        "top_k": 5,
        "top_p": 0.7,
    });
    assert_eq!(cost(&settings), cost(&json!({})));
    assert_eq!(unknown_fields(&settings), [""; 0]);
}

fn tool() -> Value {
    json!({
        "type": "custom",
        "name": "get_weather",
        "description": "Get the weather",
        "input_schema": { "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] },
        "cache_control": { "type": "ephemeral" },
        "strict": true,
    })
}

#[test]
fn tools_cost_their_json_and_a_prompt_that_depends_on_model_and_choice() {
    let with = |fields: Value| bytes(&fields) - bytes(&json!({}));
    assert_eq!(with(json!({ "tools": [] })), 0);
    let prompt = |model: &str, choice: &Value| {
        with(json!({ "model": model, "tools": [{ "type": "custom" }], "tool_choice": choice })) - 8
    };
    let (may, must, named) = (
        json!({ "type": "auto" }),
        json!({ "type": "any" }),
        json!({ "type": "tool", "name": "get_weather" }),
    );
    for (model, optional, forced) in [
        ("claude-opus-5", 354, 474),
        ("claude-opus-4-8", 290, 410),
        ("claude-opus-4-7", 675, 804),
        ("claude-sonnet-4-5", 497, 589),
        ("claude-opus-4-20250514", 313, 315),
        ("claude-3-5-haiku-20241022", 346, 355),
        ("claude-3-opus-20240229", 530, 340),
    ] {
        assert_eq!(prompt(model, &Value::Null), optional, "{model}");
        assert_eq!(prompt(model, &may), optional, "{model}");
        assert_eq!(prompt(model, &json!({ "type": "none" })), optional, "{model}");
        assert_eq!(prompt(model, &must), forced, "{model}");
        assert_eq!(prompt(model, &named), forced, "{model}");
    }
    let json = tool()["input_schema"].to_string().len() as u64;
    let one = with(json!({ "tools": [tool()] })) - 497;
    assert!(one > json && one < json + 80, "{one}");
    assert_eq!(with(json!({ "tools": [tool(), tool()] })) - 497, 2 * one);
    assert_eq!(unknown_fields(&json!({ "tools": [tool()] })), [""; 0]);
}

#[test]
fn a_tool_of_anthropics_costs_what_its_page_says() {
    let with = |kind: &str| {
        bytes(&json!({ "tools": [{ "type": kind }] })) - bytes(&json!({ "tools": [{ "type": "custom" }] }))
    };
    assert_eq!(with("bash_20250124"), 245);
    assert_eq!(with("text_editor_20250728"), 700);
    assert_eq!(with("computer_20251124"), 735 + 499);
    assert_eq!(with("web_search_20260209"), 735 + 499);
}

#[test]
fn the_schema_of_the_reply_costs_its_json() {
    let schema = tool()["input_schema"].clone();
    let format = json!({ "type": "json_schema", "schema": schema });
    let json = schema.to_string().len() as u64;
    for fields in [json!({ "output_config": { "format": format } }), json!({ "output_format": format })] {
        let added = bytes(&fields) - bytes(&json!({}));
        assert!((json - 20..json + 70).contains(&added), "{added} {json}");
        assert_eq!(unknown_fields(&fields), [""; 0]);
    }
}

#[test]
fn the_output_is_what_is_expected_and_at_most_the_maximum() {
    assert_eq!(output(&json!({ "max_tokens": 64_000 })), 500);
    assert_eq!(output(&json!({ "max_tokens": 100 })), 100);
    assert_eq!(output(&json!({ "max_tokens": 0 })), 0);
    assert_eq!(output(&json!({ "max_tokens": null })), 500);
    let thinking = json!({ "type": "enabled", "budget_tokens": 4_000 });
    assert_eq!(output(&json!({ "max_tokens": 64_000, "thinking": thinking })), 4_500);
    assert_eq!(output(&json!({ "max_tokens": 4_200, "thinking": thinking })), 4_200);
    assert_eq!(output(&json!({ "max_tokens": 64_000, "thinking": { "type": "disabled" } })), 500);
    assert_eq!(
        output(&json!({ "max_tokens": u64::MAX, "thinking": { "budget_tokens": u64::MAX } })),
        u64::MAX
    );

    let minute = Rate::per_minute(1_000_000);
    for (default, max, expected) in [(50, 8_000, 50), (50, 20, 20), (u64::MAX, 8_000, 8_000)] {
        let limiter = MessagesRateLimiter::builder().tokens(minute).default_output(default).build().unwrap();
        let cost = limiter.cost(&request(&json!({ "max_tokens": max }))).unwrap();
        assert_eq!(cost.amount(&Dimension::OutputTokens), expected);
        assert_eq!(cost.amount(&Dimension::Tokens), input(&cost) + expected);
    }
}

#[test]
fn only_texts_are_multiplied_by_the_factor() {
    let fields = json!({ "messages": [{ "role": "user", "content": [
        { "type": "text", "text": "Why is the sky blue? ".repeat(50) }, image(200, 200),
    ] }] });
    let o200k = tokens::count("gpt-4o", &"Why is the sky blue? ".repeat(50));
    let expected = |thousandths: u64| FRAME + MESSAGE + 64 + (o200k * thousandths).div_ceil(1_000);
    let with = |model: &str| {
        let mut fields = fields.clone();
        fields["model"] = model.into();
        input(&cost(&fields))
    };
    assert_eq!(with("claude-sonnet-4-5"), expected(1_180));
    assert_eq!(with("claude-opus-4-7"), expected(1_530));
    assert_eq!(with("another"), expected(1_000));
    let limiter = MessagesRateLimiter::builder()
        .tokens(Rate::per_minute(1_000_000))
        .input_factor(1.25)
        .build()
        .unwrap();
    assert_eq!(input(&limiter.cost(&request(&fields)).unwrap()), expected(1_250));
}

#[test]
fn a_wrong_shape_names_the_field() {
    for (fields, field, problem) in [
        (json!({ "messages": "Hi" }), "messages", "expected a list of messages, found a string"),
        (json!({ "messages": {} }), "messages", "expected a list of messages, found a map"),
        (json!({ "messages": null }), "messages", "the field is missing"),
        (json!({ "model": 5 }), "model", "expected a string, found a number"),
        (json!({ "max_tokens": "5" }), "max_tokens", "expected a non-negative integer, found a string"),
        (json!({ "max_tokens": -1 }), "max_tokens", "expected a non-negative integer, found -1"),
        (json!({ "max_tokens": 1.5 }), "max_tokens", "expected a non-negative integer, found 1.5"),
        (json!({ "thinking": true }), "thinking", "expected a map of settings, found a boolean"),
        (
            json!({ "thinking": { "budget_tokens": [] } }),
            "thinking.budget_tokens",
            "expected a non-negative integer, found a list",
        ),
    ] {
        let error = tokens::messages(&request(&fields)).unwrap_err();
        assert_eq!(error.field(), field);
        assert_eq!(error.to_string(), format!("cannot read `{field}` of the params: {problem}"));
    }
    let error = tokens::messages(&json!({ "contents": [] })).unwrap_err().to_string();
    assert!(error.ends_with("for params with `contents`, use a `GenerateContentRateLimiter`"), "{error}");
}

#[test]
fn content_of_any_shape_has_a_price() {
    for strange in [
        json!(null),
        json!(5),
        json!(true),
        json!([[[["x"]]]]),
        json!({ "type": ["image"], "source": 5, "content": { "content": { "content": "x" } } }),
        json!([{ "source": { "data": 5, "url": ["x"], "content": 1 }, "input": "x", "text": [{}], "signature": {} }]),
    ] {
        for place in ["system", "tools", "tool_choice", "output_config", "output_format"] {
            let mut fields = json!({});
            fields[place] = strange.clone();
            let _ = cost(&fields);
        }
        let _ =
            cost(&json!({ "messages": [strange.clone(), { "role": strange.clone(), "content": strange }] }));
    }
}

mod limiters {
    use super::*;

    limiter! {
        static BEDROCK: MessagesRateLimiter = {
            tokens: 1_000_000 / minute,
            default_output: u64::MAX,
            model: "claude-sonnet-4-5",
            input_factor: 1.25,
            admission: Charge::OpenAi,
        };
    }

    #[rate_limited(limiter = limiter, params = request, permit = permit)]
    fn call(limiter: &MessagesRateLimiter, request: &Value, usage: Usage) -> Result<(), AcquireError> {
        permit.settle(usage);
        Ok(())
    }

    #[test]
    fn a_call_settles_input_without_cache_reads_and_output_apart() {
        let minute = Rate::per_minute(60_000);
        let limiter = MessagesRateLimiter::builder()
            .input_tokens(minute)
            .output_tokens(minute)
            .burst(Duration::from_secs(60))
            .jitter(Duration::ZERO)
            .clock(&ManualClock::new())
            .build()
            .unwrap();
        let left =
            || limiter.status().unwrap().limits.iter().map(|limit| limit.available).collect::<Vec<_>>();
        assert_eq!(left(), [60_000, 60_000]);
        // Of 50 000 tokens of input, the cache served 40 000 and stored 2 000.
        let reply =
            br#"{ "type": "message", "usage": { "input_tokens": 8000, "cache_read_input_tokens": 40000,
            "cache_creation_input_tokens": 2000, "output_tokens": 3000 } }"#;
        let content = "word ".repeat(40_000);
        let request = request(&json!({ "messages": [{ "role": "user", "content": content }] }));
        assert!(input(&limiter.cost(&request).unwrap()) > 40_000);
        call(&limiter, &request, Usage::from_json(reply).unwrap()).unwrap();
        assert_eq!(left(), [50_000, 57_000]);
    }

    #[test]
    fn a_limit_on_tokens_takes_input_and_output() {
        let usage = Usage::from_json(
            br#"{ "usage": { "input_tokens": 10, "cache_read_input_tokens": 40, "output_tokens": 5 } }"#,
        );
        assert_eq!(usage.unwrap().amount(&Dimension::Tokens), Some(15));
        let text = "a".repeat(400);
        let params = json!({ "max_tokens": 10, "messages": [{ "role": "user", "content": text }] });
        let cost = BEDROCK.cost(&params).unwrap();
        assert_eq!(cost.amount(&Dimension::Tokens), 100 + FRAME + MESSAGE);
        assert_eq!(input(&cost), FRAME + MESSAGE + (tokens::count("gpt-4o", &text) * 5).div_ceil(4));
        assert_eq!(cost.amount(&Dimension::OutputTokens), 10);
    }
}
