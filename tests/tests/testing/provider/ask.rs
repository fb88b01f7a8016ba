//! Short ways to ask a provider that has no network.

use openlimit::feedback::Observation;
use openlimit::testing::{ManualClock, ProviderBuilder, ProviderModel, ProviderReply};
use serde_json::{Value, json};

/// A request without a maximum. It is charged 16 tokens more than its prompt.
pub(crate) fn params() -> Value {
    json!({ "model": "gpt-4o", "messages": [{ "role": "user", "content": "Hello, how are you?" }] })
}

/// Builds a provider on a clock of its own.
pub(crate) fn on_clock(builder: ProviderBuilder) -> (ProviderModel, ManualClock) {
    let clock = ManualClock::new();
    (builder.clock(&clock).build().expect("the limits are valid"), clock)
}

/// Sends a chat.
pub(crate) fn chat(provider: &ProviderModel) -> ProviderReply {
    ask(provider, "/v1/chat/completions", &params())
}

/// Sends JSON.
pub(crate) fn ask(provider: &ProviderModel, path: &str, body: &Value) -> ProviderReply {
    provider.answer(path, [], body.to_string().as_bytes())
}

/// Sends chats, and returns their statuses.
pub(crate) fn statuses(provider: &ProviderModel, calls: usize) -> Vec<u16> {
    (0..calls).map(|_| chat(provider).status()).collect()
}

/// Reads a reply as a limiter does.
pub(crate) fn observe(reply: &ProviderReply) -> Observation {
    Observation::from_parts(reply.status(), reply.headers(), reply.body())
}

/// Returns the body as JSON.
pub(crate) fn json_of(reply: &ProviderReply) -> Value {
    serde_json::from_slice(reply.body()).expect("the body is JSON")
}

/// Returns the value of a header as a number.
pub(crate) fn number(reply: &ProviderReply, name: &str) -> u64 {
    let value = reply.header(name).unwrap_or_else(|| panic!("no {name}"));
    value.parse().unwrap_or_else(|_| panic!("{name}: {value}"))
}
