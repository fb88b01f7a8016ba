//! `Shape`: the fields of a request and their meaning, one constant for each kind of request.
//!
//! Source of all of them: OpenAI's API reference.

use super::place::{FormatPlace, MessagePlace, Place, PlainPlace, PromptPlace, ToolPlace};
use crate::ParamsError;
use crate::pricing::walk::Failed;

/// The fields of one kind of request, and their meaning.
#[derive(Debug)]
pub(super) struct Shape {
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
    pub(super) const CHAT: Self = Self {
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
        ],
    };

    /// Edits are priced as completions, since they shared models and limits with them. An edit has
    /// an `instruction`, its `input` is a string, and it names no maximum.
    pub(super) const COMPLETION: Self = Self {
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
    };

    pub(super) const EMBEDDING: Self = Self {
        body: "input",
        expected: "a string or a list",
        text: true,
        in_place_of_body: &[],
        outputs: &[],
        choices: &[],
        replies: false,
        framed: false,
        counted: &[("input", Place::Prompt(PromptPlace::All))],
    };

    pub(super) const RESPONSES: Self = Self {
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
    };

    /// Returns the place of a field of the request, or `None` if the field is not counted.
    pub(super) fn counted(&self, key: &str) -> Option<Place> {
        self.counted.iter().find(|(name, _)| *name == key).map(|(_, place)| *place)
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
