//! `escaped`: a text as JSON writes it.

/// Returns the text with JSON's escapes, or `None` if it needs none. The quotes around it are left
/// out.
pub(crate) fn escaped(text: &str) -> Option<String> {
    if !text.contains(|c: char| c == '"' || c == '\\' || c.is_ascii_control()) {
        return None;
    }
    let mut json = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            '\u{8}' => json.push_str("\\b"),
            '\u{c}' => json.push_str("\\f"),
            '\0'..' ' => json.extend(format!("\\u{:04x}", u32::from(character)).chars()),
            _ => json.push(character),
        }
    }
    Some(json)
}
