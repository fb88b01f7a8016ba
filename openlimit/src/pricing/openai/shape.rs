//! `Shape`: the fields of a request and their meaning, one constant for each kind of request.
//!
//! Source of all of them: `CreateChatCompletionRequest`, `CreateCompletionRequest`,
//! `CreateEmbeddingRequest` and `CreateResponse` in OpenAI's OpenAPI specification
//! (<https://github.com/openai/openai-openapi>), version 2.3.0 of August 2026. A field that OpenAI
//! adds is a line here. Until it is, it counts as its text.

use super::place::{FormatPlace, MessagePlace, Place, PromptPlace, ToolPlace};
use crate::pricing::common::{Fields, First, Plain};

/// The fields of one kind of request, and what sets the kind apart.
#[derive(Debug)]
pub(in crate::pricing) struct Shape {
    pub(super) fields: Fields<Place>,
    /// True if there is output.
    pub(super) replies: bool,
    /// True if the texts are in messages, to which the model's formula adds frames.
    pub(super) framed: bool,
}

impl Shape {
    pub(in crate::pricing) const CHAT: Self = Self {
        fields: Fields {
            body: "messages",
            expected: "a list of messages",
            text: false,
            in_place_of_body: &[],
            first: &[
                (&["max_completion_tokens"], First::Output),
                (&["max_tokens"], First::Output),
                (&["n"], First::Choices),
            ],
            snake_case_too: false,
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
        },
        replies: true,
        framed: true,
    };

    /// Edits are priced as completions, since they shared models and limits with them. An edit has
    /// an `instruction`, its `input` is a string, and it names no maximum.
    pub(in crate::pricing) const COMPLETION: Self = Self {
        fields: Fields {
            body: "prompt",
            expected: "a string or a list",
            text: true,
            in_place_of_body: &["instruction"],
            first: &[
                (&["max_tokens"], First::Output),
                (&["n"], First::Choices),
                (&["best_of"], First::Choices),
            ],
            snake_case_too: false,
            counted: &[
                ("prompt", Place::Prompt(PromptPlace::All)),
                ("suffix", Place::Prompt(PromptPlace::Suffix)),
                ("instruction", Place::Plain(Plain::Text)),
                ("input", Place::Plain(Plain::Text)),
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
        },
        replies: true,
        framed: false,
    };

    pub(in crate::pricing) const EMBEDDING: Self = Self {
        fields: Fields {
            body: "input",
            expected: "a string or a list",
            text: true,
            in_place_of_body: &[],
            first: &[],
            snake_case_too: false,
            counted: &[("input", Place::Prompt(PromptPlace::All))],
            // No embedding has a maximum. Callers that send the same options with all kinds of
            // request send it nevertheless.
            settings: &["dimensions", "encoding_format", "max_tokens", "user"],
        },
        replies: false,
        framed: false,
    };

    pub(in crate::pricing) const RESPONSES: Self = Self {
        fields: Fields {
            body: "input",
            expected: "a string or a list of items",
            text: true,
            in_place_of_body: &["prompt", "previous_response_id", "conversation"],
            first: &[(&["max_output_tokens"], First::Output)],
            snake_case_too: false,
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
        },
        replies: true,
        framed: true,
    };
}
