//! Tools, and the format of the reply.
//!
//! The model reads the definition of a tool as JSON.

use super::place::Place;
use super::prices::{SCHEMA, Tally};
use crate::pricing::common::Plain;

/// Returns the place of a field of a tool, or `None` to skip it.
///
/// Source: `ToolUnionParam` in Anthropic's SDKs, of October 2026.
pub(super) fn tool(tally: &mut Tally<'_>, key: &str) -> Option<Place> {
    match key {
        "type" => Some(Place::ToolType),
        "allowed_callers"
        | "cache_control"
        | "citations"
        | "defer_loading"
        | "eager_input_streaming"
        | "max_content_tokens"
        | "max_uses"
        | "strict"
        | "use_cache" => None,
        "name" | "description" | "input_schema" | "input_examples" | "allowed_domains"
        | "blocked_domains" | "user_location" | "display_width_px" | "display_height_px"
        | "display_number" | "enable_zoom" | "max_characters" | "model" | "mcp_server_name" | "configs"
        | "default_config" => Some(Plain::Json.field(tally, key).into()),
        _ => Some(Plain::UNKNOWN.field(tally, key).into()),
    }
}

/// Returns the place of a field of the choice of a tool, or `None` to skip it.
pub(super) fn choice(key: &str) -> Option<Place> {
    match key {
        "type" => Some(Place::Choice),
        // The name is that of a tool, and the other is a setting.
        "name" | "disable_parallel_tool_use" => None,
        _ => Some(Plain::unknown(key).into()),
    }
}

/// Returns the place of a field of the reply's settings, or `None` to skip it.
pub(super) fn output(key: &str) -> Option<Place> {
    match key {
        "format" => Some(Place::Format),
        "effort" | "task_budget" => None,
        _ => Some(Plain::unknown(key).into()),
    }
}

/// Returns the place of a field of the reply's format, or `None` to skip it.
pub(super) fn format(tally: &mut Tally<'_>, key: &str) -> Option<Place> {
    match key {
        "type" => None,
        "schema" => {
            tally.add(SCHEMA);
            Some(Plain::Json.into())
        }
        _ => Some(Plain::unknown(key).into()),
    }
}
