//! Tests that the requests of async-openai cost what their JSON costs, and that nothing in them is
//! unknown.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use async_openai::types::chat::{
    ChatCompletionRequestMessage, ChatCompletionRequestUserMessage, CreateChatCompletionRequest,
    CreateChatCompletionRequestArgs,
};
use async_openai::types::completions::CreateCompletionRequest;
use async_openai::types::embeddings::CreateEmbeddingRequest;
use async_openai::types::responses::CreateResponse;
use openlimit::{Cost, Dimension, ParamsError, kind, tokens};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Reads `json` as the client's type. Checks that it costs the same as the original JSON, and as
/// the JSON that the client writes, and that all fields of both are known.
fn same<K: kind::ReadsParams, T: DeserializeOwned + Serialize>(
    json: &Value,
    typed: fn(&T) -> Result<Cost, ParamsError>,
    untyped: fn(&Value) -> Result<Cost, ParamsError>,
) -> u64 {
    let request: T = serde_json::from_value(json.clone()).unwrap();
    let cost = typed(&request).unwrap();
    assert_eq!(cost, untyped(&serde_json::to_value(&request).unwrap()).unwrap());
    assert_eq!(cost, untyped(json).unwrap(), "{json}");
    assert_eq!(tokens::unknown_fields::<K>(&request), Ok(Vec::new()));
    assert_eq!(tokens::unknown_fields::<K>(json), Ok(Vec::new()));
    cost.amount(&Dimension::Tokens)
}

fn weather() -> Value {
    json!({
        "name": "get_weather",
        "description": "Get the weather.",
        "strict": true,
        "parameters": {
            "type": "object",
            "properties": { "city": { "type": "string", "description": "Which city", "enum": ["Paris", "Rome"] } },
            "required": ["city"],
            "additionalProperties": false,
        },
    })
}

#[test]
fn a_chat_request_costs_what_its_json_costs() {
    let cost = same::<kind::Chat, CreateChatCompletionRequest>(
        &json!({
            "model": "gpt-4",
            "messages": [
                { "role": "developer", "content": "Be brief." },
                { "role": "system", "content": [{ "type": "text", "text": "Be kind." }], "name": "admin" },
                { "role": "user", "name": "bob", "content": [
                    { "type": "text", "text": "What is this?" },
                    { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA", "detail": "high" } },
                    { "type": "input_audio", "input_audio": { "data": "AAAA", "format": "wav" } },
                    { "type": "file", "file": { "file_id": "file-1" } },
                ] },
                { "role": "assistant", "content": "Let me see.", "tool_calls": [{
                    "id": "call_1",
                    "type": "function",
                    "function": { "name": "get_weather", "arguments": "{\"city\":\"Paris\"}" },
                }] },
                { "role": "tool", "tool_call_id": "call_1", "content": "18 degrees" },
                { "role": "assistant", "refusal": "I cannot help with that." },
            ],
            "tools": [{ "type": "function", "function": weather() }],
            "response_format": { "type": "json_schema", "json_schema": {
                "name": "reply",
                "schema": { "type": "object", "properties": { "reply": { "type": "string" } } },
                "strict": true,
            } },
            "max_completion_tokens": 300,
            "n": 2,
        }),
        tokens::chat,
        tokens::chat,
    );
    assert!(cost > 600 + 1445 + 600 + 2045);
}

#[test]
fn a_chat_request_that_a_builder_made_is_read() {
    let user = ChatCompletionRequestUserMessage::from("Why is the sky blue?");
    let request = CreateChatCompletionRequestArgs::default()
        .model("gpt-4o")
        .messages(vec![ChatCompletionRequestMessage::from(user)])
        .max_completion_tokens(300_u32)
        .build()
        .unwrap();
    let cost = tokens::chat(&request).unwrap();
    assert_eq!(cost.amount(&Dimension::InputTokens), 13);
    assert_eq!(cost.amount(&Dimension::OutputTokens), 300);
}

#[test]
fn a_completion_request_costs_what_its_json_costs() {
    for prompt in [json!("Once"), json!(["Once", "Twice"]), json!([1, 2, 3]), json!([[1, 2], [3]])] {
        same::<kind::Completion, CreateCompletionRequest>(
            &json!({ "model": "gpt-3.5-turbo-instruct", "prompt": prompt, "suffix": " end", "max_tokens": 9, "best_of": 3 }),
            tokens::completion,
            tokens::completion,
        );
    }
}

#[test]
fn an_embedding_request_costs_what_its_json_costs() {
    for input in [json!("Once"), json!(["Once", "Twice"]), json!([1, 2, 3]), json!([[1, 2], [3]])] {
        same::<kind::Embedding, CreateEmbeddingRequest>(
            &json!({ "model": "text-embedding-3-small", "input": input }),
            tokens::embedding,
            tokens::embedding,
        );
    }
}

#[test]
fn a_response_request_costs_what_its_json_costs() {
    let function = weather();
    let tool = json!({
        "type": "function",
        "name": function["name"],
        "description": function["description"],
        "strict": true,
        "parameters": function["parameters"],
    });
    let items = json!([
        { "type": "message", "role": "user", "content": "Hello" },
        { "type": "message", "role": "user", "content": [
            { "type": "input_text", "text": "What is this?" },
            { "type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "auto" },
            { "type": "input_file", "filename": "a.pdf", "file_data": "AAAA" },
        ] },
        { "type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{\"city\":\"Paris\"}" },
        { "type": "function_call_output", "call_id": "call_1", "output": "18 degrees" },
        { "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": "So it is" }] },
    ]);
    for input in [json!("Why is the sky blue?"), items] {
        same::<kind::Responses, CreateResponse>(
            &json!({
                "model": "gpt-5",
                "instructions": "Be brief.",
                "input": input,
                "tools": [tool],
                "max_output_tokens": 500,
            }),
            tokens::responses,
            tokens::responses,
        );
    }
}
