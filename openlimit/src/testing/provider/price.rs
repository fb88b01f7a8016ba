//! The cost of a request, by the limiter's own count.
//!
//! That is on purpose: this provider tests whether limits are kept, and not how tokens are counted.

use serde_json::{Value, json};

use super::route::Endpoint;
use crate::{Cost, ParamsError, tokens};

/// Returns the cost of a request.
pub(super) fn price(endpoint: Endpoint, params: &Value) -> Result<Cost, ParamsError> {
    match endpoint {
        Endpoint::Chat => tokens::chat(params),
        Endpoint::Completion => tokens::completion(params),
        Endpoint::Embedding => tokens::embedding(params),
        Endpoint::Responses => tokens::responses(params),
        // As a chat with the same texts, which is near enough for a test.
        Endpoint::Messages => tokens::chat(&chat_of_messages(params)),
        Endpoint::Content => tokens::chat(&chat_of_content(params)),
    }
}

/// Returns the chat with the texts of a request to Anthropic.
fn chat_of_messages(params: &Value) -> Value {
    let mut chat = params.clone();
    let system = chat.as_object_mut().and_then(|params| params.remove("system"));
    if let (Some(system), Some(messages)) = (system, chat["messages"].as_array_mut()) {
        messages.insert(0, json!({ "role": "system", "content": system }));
    }
    chat
}

/// Returns the chat with the texts of a request to Gemini.
fn chat_of_content(params: &Value) -> Value {
    let contents = params["contents"].as_array().into_iter().flatten().chain(params.get("systemInstruction"));
    let text = |content: &Value| {
        let parts = content["parts"].as_array().into_iter().flatten();
        parts.filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().concat()
    };
    let messages = contents.map(|content| json!({ "role": "user", "content": text(content) }));
    json!({
        "model": params["model"],
        "messages": messages.collect::<Vec<_>>(),
        "max_tokens": params["generationConfig"]["maxOutputTokens"],
    })
}
