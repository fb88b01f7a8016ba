//! The fields of a request.
//!
//! Source: `MessageCreateParams` in Anthropic's SDKs, of October 2026, with its beta fields, and
//! the fields that Bedrock and Google Cloud expect in the body.

use super::place::Place;
use crate::pricing::common::{Fields, First};

/// The fields of a request to Messages.
pub(super) static FIELDS: Fields<Place> = Fields {
    body: "messages",
    expected: "a list of messages",
    text: false,
    in_place_of_body: &[],
    first: &[(&["max_tokens"], First::Output), (&["thinking", "budget_tokens"], First::Thinking)],
    snake_case_too: false,
    counted: &[
        ("messages", Place::Messages),
        ("system", Place::Content),
        ("tools", Place::Tools),
        ("tool_choice", Place::ToolChoice),
        ("output_config", Place::Output),
        ("output_format", Place::Format),
    ],
    settings: &[
        "anthropic_beta",
        "anthropic_version",
        "betas",
        "cache_control",
        "container",
        "context_management",
        "diagnostics",
        "fallbacks",
        "inference_geo",
        "mcp_servers",
        "metadata",
        "service_tier",
        "speed",
        "stop_sequences",
        "stream",
        "temperature",
        "top_k",
        "top_p",
        "user_profile_id",
    ],
};
