//! Messages of a chat and items of a response, with their content and the tool calls in them.
//!
//! Each message adds a frame to its texts, and so does each tool call that a message repeats. A
//! field without a rule counts as its text.

use super::rules::Rules;
use crate::pricing::common::{Plain, Prices};
use crate::pricing::openai::formula;
use crate::pricing::openai::images::Image;
use crate::pricing::openai::place::{MediaPlace, MessagePlace, Place};
use crate::pricing::openai::tally::Tally;
use crate::pricing::walk::Number;

impl Rules for MessagePlace {
    #[inline]
    fn field(&mut self, tally: &mut Tally<'_>, key: &str) -> Option<Place> {
        match self {
            Self::One => message(tally, key),
            Self::Content => content(tally, key),
            Self::Call | Self::Called => call(key),
            Self::Template => (key == "variables").then_some(Place::Message(Self::Variables)),
            Self::Variables => Some(Place::Message(Self::Content)),
            Self::Sealed => None,
            Self::Prediction => prediction(key),
            Self::All | Self::Role | Self::Name | Self::Calls => {
                Some(Plain::UNKNOWN.field(tally, key).into())
            }
        }
    }

    #[inline]
    fn item(&mut self, tally: &mut Tally<'_>) -> Option<Place> {
        Some(match self {
            Self::All => Place::Message(Self::One),
            Self::Content => Place::Message(Self::Content),
            Self::Calls => Place::Message(Self::Call),
            Self::Template | Self::Sealed => return None,
            Self::One
            | Self::Role
            | Self::Name
            | Self::Call
            | Self::Called
            | Self::Variables
            | Self::Prediction => Plain::UNKNOWN.item(tally).into(),
        })
    }

    #[inline]
    fn map(self, tally: &mut Tally<'_>) {
        match self {
            Self::One => tally.message(),
            Self::Call => tally.add(formula::CALL),
            Self::Content => tally.prices.image = Image::default(),
            _ => {}
        }
    }

    #[inline]
    fn boolean(self, tally: &mut Tally<'_>) {
        if !self.is_skipped() {
            tally.add(1);
        }
    }

    #[inline]
    fn number(self, tally: &mut Tally<'_>, number: Number) {
        if !self.is_skipped() {
            tally.add(number.tokens());
        }
    }

    #[inline]
    fn text(self, tally: &mut Tally<'_>, text: &str) {
        match self {
            Self::All | Self::One => {
                tally.message();
                tally.text(text);
            }
            Self::Role => {
                tally.text(text);
                tally.adjust(-formula::ROLE);
            }
            Self::Name => {
                tally.text(text);
                tally.adjust(tally.prices.model.formula.name);
            }
            Self::Sealed => tally.sealed(text),
            Self::Template => {}
            Self::Content | Self::Calls | Self::Call | Self::Called | Self::Variables | Self::Prediction => {
                tally.text(text);
            }
        }
    }
}

impl MessagePlace {
    /// Returns whether numbers and booleans here never reach the model.
    fn is_skipped(self) -> bool {
        matches!(self, Self::Template | Self::Sealed)
    }
}

/// The fields of messages and items that have no rule of their own.
///
/// Source: `InputItem` and `ChatCompletionResponseMessage`, which clients send back, in OpenAI's
/// OpenAPI specification, version 2.3.0 of August 2026.
const FIELDS: [&str; 21] = [
    "acknowledged_safety_checks",
    "actions",
    "annotations",
    "approval_request_id",
    "approve",
    "caller",
    "container_id",
    "environment",
    "error",
    "execution",
    "fingerprint",
    "max_output_length",
    "namespace",
    "operation",
    "outputs",
    "pending_safety_checks",
    "phase",
    "reason",
    "results",
    "server_label",
    "tools",
];

fn message(tally: &mut Tally<'_>, key: &str) -> Option<Place> {
    Some(match key {
        "id" | "type" | "status" => return None,
        "role" => Place::Message(MessagePlace::Role),
        "call_id" | "tool_call_id" | "refusal" => Place::TEXT,
        // Each is the payload of an item that is a call.
        "arguments" | "input" | "action" | "code" | "queries" => {
            tally.add(formula::CALL);
            Plain::value(key).into()
        }
        "content" | "output" | "summary" => Place::Message(MessagePlace::Content),
        "name" => Place::Message(MessagePlace::Name),
        "tool_calls" => Place::Message(MessagePlace::Calls),
        "function_call" => Place::Message(MessagePlace::Call),
        "audio" => Place::Media(MediaPlace::Flat(formula::AUDIO)),
        "result" => Place::Media(MediaPlace::Drawn),
        "encrypted_content" => Place::Message(MessagePlace::Sealed),
        _ if FIELDS.contains(&key) => Plain::value(key).into(),
        _ => Plain::unknown(key).into(),
    })
}

fn content(tally: &Tally<'_>, key: &str) -> Option<Place> {
    Some(match key {
        "id" | "type" | "logprobs" => return None,
        "text" | "refusal" | "filename" => Place::TEXT,
        "image_url" => Place::Media(MediaPlace::Image),
        "detail" => Place::Media(MediaPlace::Detail),
        "input_audio" | "audio" => Place::Media(MediaPlace::Flat(formula::AUDIO)),
        "file" | "file_data" | "file_url" | "file_id" => Place::Media(MediaPlace::Flat(tally.prices.file())),
        "annotations" | "outcome" | "prompt_cache_breakpoint" | "stderr" | "stdout" => {
            Plain::value(key).into()
        }
        _ => Plain::unknown(key).into(),
    })
}

/// Returns the place of a field of a predicted reply. The model does not read the prediction, but
/// OpenAI counts its wrong parts as output, in addition to the reply.
///
/// Source: `rejected_prediction_tokens` in OpenAI's API reference, "these tokens are still counted
/// in the total completion tokens for purposes of billing, output, and context window limits".
fn prediction(key: &str) -> Option<Place> {
    Some(match key {
        "type" => return None,
        "content" => Place::Message(MessagePlace::Content),
        _ => Plain::unknown(key).into(),
    })
}

fn call(key: &str) -> Option<Place> {
    Some(match key {
        "id" | "type" | "index" => return None,
        "function" | "custom" => Place::Message(MessagePlace::Called),
        "name" | "arguments" | "input" => Place::TEXT,
        _ => Plain::unknown(key).into(),
    })
}
