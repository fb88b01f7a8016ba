//! `Shape`: which fields of a request hold what, one constant for each kind of request.

use super::place::At;
use super::walk::Failed;
use crate::ParamsError;

/// Which fields of a request hold what.
#[derive(Debug)]
pub(super) struct Shape {
    /// The field without which there is no request.
    pub(super) body: &'static str,
    /// What it has to be.
    pub(super) wanted: &'static str,
    /// Whether it may be a string; a list it may always be.
    pub(super) text: bool,
    /// Fields of which one may be there instead.
    pub(super) in_place_of_body: &'static [&'static str],
    /// Where the largest output is named; the larger counts.
    pub(super) outputs: &'static [&'static str],
    /// Where the number of choices is named; the later counts.
    pub(super) choices: &'static [&'static str],
    /// Whether there is output at all.
    pub(super) replies: bool,
    /// Whether the texts come in messages, with what a model's formula adds to them.
    pub(super) framed: bool,
    /// The fields that are counted, and how.
    pub(super) counted: &'static [(&'static str, At)],
}

/// Which limiters price params with such a field.
const BODIES: [(&str, &str); 4] = [
    ("messages", "a `ChatRateLimiter`"),
    ("prompt", "a `CompletionRateLimiter`"),
    ("instruction", "a `CompletionRateLimiter`"),
    ("input", "a `ResponsesRateLimiter` or an `EmbeddingRateLimiter`"),
];

/// The place in `BODIES` of the body of a request, of whatever kind.
pub(super) fn body(field: &str) -> Option<usize> {
    BODIES.iter().position(|(body, _)| *body == field)
}

impl Shape {
    /// Source: OpenAI's API reference, as for the others.
    pub(super) const CHAT: Self = Self {
        body: "messages",
        wanted: "a list of messages",
        text: false,
        in_place_of_body: &[],
        outputs: &["max_completion_tokens", "max_tokens"],
        choices: &["n"],
        replies: true,
        framed: true,
        counted: &[
            ("messages", At::Messages),
            ("tools", At::Tools { begun: false }),
            ("functions", At::Tools { begun: false }),
            ("response_format", At::Format),
            ("web_search_options", At::BuiltIn),
        ],
    };

    /// Edits are priced as completions, whose models and limits they shared: a string as `input`, no maximum.
    pub(super) const COMPLETION: Self = Self {
        body: "prompt",
        wanted: "a string or a list",
        text: true,
        // An edit has an instruction, and an input for its prompt.
        in_place_of_body: &["instruction"],
        outputs: &["max_tokens"],
        choices: &["n", "best_of"],
        replies: true,
        framed: false,
        counted: &[
            ("prompt", At::Prompts),
            ("suffix", At::Suffix),
            ("instruction", At::Text),
            ("input", At::Text),
        ],
    };

    pub(super) const EMBEDDING: Self = Self {
        body: "input",
        wanted: "a string or a list",
        text: true,
        in_place_of_body: &[],
        outputs: &[],
        choices: &[],
        replies: false,
        framed: false,
        counted: &[("input", At::Prompts)],
    };

    pub(super) const RESPONSES: Self = Self {
        body: "input",
        wanted: "a string or a list of items",
        text: true,
        in_place_of_body: &["prompt", "previous_response_id", "conversation"],
        outputs: &["max_output_tokens"],
        choices: &[],
        replies: true,
        framed: true,
        counted: &[
            ("input", At::Messages),
            ("instructions", At::Messages),
            ("tools", At::Tools { begun: false }),
            ("text", At::Format),
            ("prompt", At::Template),
        ],
    };

    /// There is no body, but perhaps what is the body of another kind of request.
    pub(super) fn missing(&self, found: Option<usize>) -> ParamsError {
        let mut problem = "it is missing".to_owned();
        if !self.in_place_of_body.is_empty() {
            let names = self.in_place_of_body.join("`, `");
            problem += &format!(", and nothing is in its place (`{names}`)");
        }
        if let Some((field, limiters)) = found.and_then(|found| BODIES.get(found)) {
            problem += &format!("; params with `{field}` are for {limiters}");
        }
        ParamsError::new(self.body, problem)
    }

    pub(super) fn failed(&self, failed: &Failed) -> ParamsError {
        ParamsError::new(self.body, format!("the params cannot be serialized: {failed}"))
    }
}
