//! Messages and the blocks of their content: texts, images, documents, tool calls and results.
//!
//! All types of block share one table, because the type of a block may come after its content. A
//! field has the same meaning in each.

use super::place::Place;
use super::prices::Tally;
use crate::pricing::common::Plain;
use crate::pricing::data::is_data;
use crate::pricing::pixels::Pixels;

/// Returns the place of a field of a message, or `None` to skip it.
pub(super) fn message(key: &str) -> Option<Place> {
    Some(match key {
        // Part of the price of a message.
        "role" => return None,
        // Fields of a reply that is sent back whole.
        "id" | "type" | "model" | "stop_reason" | "stop_sequence" | "stop_details" | "usage"
        | "container" => {
            return None;
        }
        "content" => Place::Content,
        _ => Plain::unknown(key).into(),
    })
}

/// Returns the place of a field of a block, or `None` to skip it.
///
/// Source: `ContentBlockParam` in Anthropic's SDKs, of October 2026.
pub(super) fn block(number: u32, key: &str) -> Option<Place> {
    Some(match key {
        "type" => Place::BlockType(number),
        "source" => Place::Source(number),
        "content" => Place::Content,
        "text" | "thinking" | "name" | "title" | "context" | "tool_use_id" | "server_name" | "url"
        | "query" | "stdout" | "stderr" | "error_code" | "error_message" | "page_age" | "retrieved_at"
        | "tool_name" => Place::TEXT,
        "input" => Place::Plain(Plain::Json),
        // The signature holds the whole thinking, of which the text is a summary or nothing.
        "signature" | "data" | "encrypted_content" | "encrypted_index" | "encrypted_stdout" => Place::Sealed,
        // Cited texts do not count when they are sent back.
        "citations" => return None,
        "id" | "cache_control" | "caller" | "file_id" | "is_error" | "transformations" => return None,
        "return_code" | "tool_references" => Plain::value(key).into(),
        _ => Plain::unknown(key).into(),
    })
}

/// Returns the place of a field of a source, or `None` to skip it.
pub(super) fn source(block: u32, key: &str) -> Option<Place> {
    Some(match key {
        "type" | "media_type" => return None,
        "data" => Place::Data(block),
        "url" | "file_id" => Place::Remote(block),
        "content" => Place::Content,
        _ => Plain::unknown(key).into(),
    })
}

/// Adds the bytes of a file, or a text. A text looks different, and the type of the source may come
/// later.
pub(super) fn data(tally: &mut Tally<'_>, block: u32, data: &str) {
    /// The start of every PDF, in base64.
    const PDF: &str = "JVBERi";
    match Pixels::of_url(data).or_else(|| Pixels::of_base64(data)) {
        Some(size) => tally.source(block, Some(size)),
        None if data.starts_with(PDF) || is_data(data) => tally.source(block, None),
        None => tally.text(data),
    }
}
