//! `Shape`: the fields of a request and their meaning, one constant for each kind of request.
//!
//! Source of all of them: `CreateChatCompletionRequest`, `CreateCompletionRequest`,
//! `CreateEmbeddingRequest` and `CreateResponse` in OpenAI's OpenAPI specification
//! (<https://github.com/openai/openai-openapi>), version 2.3.0 of August 2026. A field that OpenAI
//! adds is a line here. Until it is, it counts as its text.

use super::place::{FormatPlace, MessagePlace, Place, PlainPlace, PromptPlace, ToolPlace};
use crate::ParamsError;
use crate::pricing::walk::Failed;

/// The fields of one kind of request, and their meaning.
#[derive(Debug)]
pub(in crate::pricing) struct Shape {
    /// The field that every request of this kind has: its messages or its prompt.
    pub(super) body: &'static str,
    /// The type of the body, for errors.
    pub(super) expected: &'static str,
    /// True if the body may be a string. It may always be a list.
    pub(super) text: bool,
    /// Fields of which one may be there instead of the body.
    pub(super) in_place_of_body: &'static [&'static str],
    /// Fields that name the largest output. The largest of them counts.
    pub(super) outputs: &'static [&'static str],
    /// Fields that name the number of choices. The last in this order counts.
    pub(super) choices: &'static [&'static str],
    /// True if there is output.
    pub(super) replies: bool,
    /// True if the texts are in messages, to which the model's formula adds frames.
    pub(super) framed: bool,
    /// The fields that are counted, and their places.
    pub(super) counted: &'static [(&'static str, Place)],
    /// The other fields of the API. Only the API reads them, so they are not counted.
    pub(super) settings: &'static [&'static str],
}

/// The bodies of all kinds of request, and the limiter that prices each, for errors.
const BODIES: [(&str, &str); 4] = [
    ("messages", "a `ChatRateLimiter`"),
    ("prompt", "a `CompletionRateLimiter`"),
    ("instruction", "a `CompletionRateLimiter`"),
    ("input", "a `ResponsesRateLimiter` or an `EmbeddingRateLimiter`"),
];

/// Returns the index in `BODIES` of this field, which is the body of some kind of request.
pub(super) fn body(field: &str) -> Option<usize> {
    BODIES.iter().position(|(body, _)| *body == field)
}

impl Shape {
    pub(in crate::pricing) const CHAT: Self = Self {
        body: "messages",
        expected: "a list of messages",
        text: false,
        in_place_of_body: &[],
        outputs: &["max_completion_tokens", "max_tokens"],
        choices: &["n"],
        replies: true,
        framed: true,
        counted: &[
            ("messages", Place::Message(MessagePlace::All)),
            ("tools", Place::Tool(ToolPlace::All { begun: false })),
            ("functions", Place::Tool(ToolPlace::All { begun: false })),
            ("response_format", Place::Format(FormatPlace::Settings)),
            ("web_search_options", Place::Tool(ToolPlace::BuiltIn)),
            ("prediction", Place::Message(MessagePlace::Prediction)),
        ],
        settings: &[
            "audio",
            "frequency_penalty",
            "function_call",
            "logit_bias",
            "logprobs",
            "metadata",
            "modalities",
            "moderation",
            "parallel_tool_calls",
            "presence_penalty",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning_effort",
            "safety_identifier",
            "seed",
            "service_tier",
            "stop",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "top_logprobs",
            "top_p",
            "user",
            "verbosity",
        ],
    };

    /// Edits are priced as completions, since they shared models and limits with them. An edit has
    /// an `instruction`, its `input` is a string, and it names no maximum.
    pub(in crate::pricing) const COMPLETION: Self = Self {
        body: "prompt",
        expected: "a string or a list",
        text: true,
        in_place_of_body: &["instruction"],
        outputs: &["max_tokens"],
        choices: &["n", "best_of"],
        replies: true,
        framed: false,
        counted: &[
            ("prompt", Place::Prompt(PromptPlace::All)),
            ("suffix", Place::Prompt(PromptPlace::Suffix)),
            ("instruction", Place::Plain(PlainPlace::Text)),
            ("input", Place::Plain(PlainPlace::Text)),
        ],
        settings: &[
            "echo",
            "frequency_penalty",
            "logit_bias",
            "logprobs",
            "presence_penalty",
            "seed",
            "stop",
            "stream",
            "stream_options",
            "temperature",
            "top_p",
            "user",
        ],
    };

    pub(in crate::pricing) const EMBEDDING: Self = Self {
        body: "input",
        expected: "a string or a list",
        text: true,
        in_place_of_body: &[],
        outputs: &[],
        choices: &[],
        replies: false,
        framed: false,
        counted: &[("input", Place::Prompt(PromptPlace::All))],
        // No embedding has a maximum. Callers that send the same options with all kinds of request
        // send it nevertheless.
        settings: &["dimensions", "encoding_format", "max_tokens", "user"],
    };

    pub(in crate::pricing) const RESPONSES: Self = Self {
        body: "input",
        expected: "a string or a list of items",
        text: true,
        in_place_of_body: &["prompt", "previous_response_id", "conversation"],
        outputs: &["max_output_tokens"],
        choices: &[],
        replies: true,
        framed: true,
        counted: &[
            ("input", Place::Message(MessagePlace::All)),
            ("instructions", Place::Message(MessagePlace::All)),
            ("tools", Place::Tool(ToolPlace::All { begun: false })),
            ("text", Place::Format(FormatPlace::Settings)),
            ("prompt", Place::Message(MessagePlace::Template)),
        ],
        settings: &[
            // From async-openai 0.43. The specification does not have it yet.
            "access_programs",
            "background",
            "context_management",
            "conversation",
            "include",
            "max_tool_calls",
            "metadata",
            "moderation",
            "parallel_tool_calls",
            "previous_response_id",
            "prompt_cache_key",
            "prompt_cache_options",
            "prompt_cache_retention",
            "reasoning",
            "safety_identifier",
            "service_tier",
            "store",
            "stream",
            "stream_options",
            "temperature",
            "tool_choice",
            "top_logprobs",
            "top_p",
            "truncation",
            "user",
        ],
    };

    /// Returns the place of a field of the request, or `None` if only the API reads it.
    pub(super) fn field(&self, key: &str) -> Option<Place> {
        if let Some((_, place)) = self.counted.iter().find(|(name, _)| *name == key) {
            return Some(*place);
        }
        let read_by_api = [self.outputs, self.choices, self.settings];
        let is_setting = key == "model" || read_by_api.iter().any(|names| names.contains(&key));
        (!is_setting).then(|| Place::unknown(key))
    }

    /// Returns the error for a request without a body. `stray` is the index in `BODIES` of a field
    /// that is the body of another kind of request.
    pub(super) fn missing(&self, stray: Option<usize>) -> ParamsError {
        let mut problem = "the field is missing".to_owned();
        if !self.in_place_of_body.is_empty() {
            let names = self.in_place_of_body.join("`, `");
            problem += &format!(", and so is every field that may replace it (`{names}`)");
        }
        if let Some((field, limiters)) = stray.and_then(|stray| BODIES.get(stray)) {
            problem += &format!("; for params with `{field}`, use {limiters}");
        }
        ParamsError::new(self.body, problem)
    }

    pub(super) fn failed(&self, failed: &Failed) -> ParamsError {
        ParamsError::new(self.body, format!("the params cannot be serialized: {failed}"))
    }
}
