//! `Raw`: JSON text as a value, as `serde_json`'s `RawValue` passes it to a serializer.
//!
//! A proxy may keep the messages of a request unparsed, and they cost the same as parsed ones. Each
//! level is split into its values by finding their ends, and a value is split further only if the
//! walk enters it. No tree is built, and only strings with escapes are copied. A byte is read at
//! most once for each level of the walk.
//!
//! For example, `{"a": [1, 2], "b": 3}` is split into `"a"`, `[1, 2]`, `"b"` and `3`. If the reader
//! skips the field `a`, its list is never split.
//!
//! `serde_json` has checked a `RawValue`, so nothing is checked here. Text that is not JSON counts
//! as text.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::number::Number;

/// One JSON value.
pub(super) struct Raw<'a>(pub(super) &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.trim_matches(BLANK);
        match text.as_bytes() {
            [b'{', ..] => {
                let mut map = serializer.serialize_map(None)?;
                let mut rest = &text[1..];
                while let Some((key, after)) = next(rest) {
                    let (value, after) = next(after).unwrap_or(("null", ""));
                    map.serialize_entry(&Raw(key), &Raw(value))?;
                    rest = after;
                }
                map.end()
            }
            [b'[', ..] => {
                let mut list = serializer.serialize_seq(None)?;
                let mut rest = &text[1..];
                while let Some((item, after)) = next(rest) {
                    list.serialize_element(&Raw(item))?;
                    rest = after;
                }
                list.end()
            }
            [b'"', .., b'"'] => serializer.serialize_str(&unescaped(&text[1..text.len() - 1])),
            b"true" => serializer.serialize_bool(true),
            b"false" => serializer.serialize_bool(false),
            b"null" | b"" => serializer.serialize_unit(),
            _ => match Number::parse(text) {
                Some(Number::Whole(value)) => serializer.serialize_u128(value),
                Some(Number::Negative(value)) => {
                    serializer.serialize_i128(0_i128.checked_sub_unsigned(value).unwrap_or(i128::MIN))
                }
                Some(Number::Fraction(value)) => serializer.serialize_f64(value),
                None => serializer.serialize_str(text),
            },
        }
    }
}

/// JSON's whitespace.
const BLANK: [char; 4] = [' ', '\t', '\n', '\r'];

/// Splits the next value off a list or a map, keys included. Returns it and the rest, or `None` at
/// the end.
fn next(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches([' ', '\t', '\n', '\r', ',', ':']);
    if text.is_empty() || text.starts_with([']', '}']) {
        return None;
    }
    Some(text.split_at(end_of_value(text.as_bytes())))
}

/// Returns the end of the value at the start of the text: never zero, and never inside a character.
fn end_of_value(text: &[u8]) -> usize {
    let mut open = 0_usize;
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => {
                at += end_of_string(&text[at..]);
                if open == 0 {
                    return at;
                }
                continue;
            }
            b'[' | b'{' => open += 1,
            b']' | b'}' if open <= 1 => return if open == 1 { at + 1 } else { at },
            b']' | b'}' => open -= 1,
            b',' | b':' | b' ' | b'\t' | b'\n' | b'\r' if open == 0 => return at,
            _ => {}
        }
        at += 1;
    }
    text.len()
}

/// Returns the end of the string at the start of the text, after its closing quote.
fn end_of_string(text: &[u8]) -> usize {
    let mut at = 1;
    while at < text.len() {
        match text[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Returns the text of a string, from the characters between its quotes.
fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, escape)) = rest.split_once('\\') {
        plain.push_str(before);
        let mut after = escape.chars();
        match after.next() {
            Some('n') => plain.push('\n'),
            Some('t') => plain.push('\t'),
            Some('r') => plain.push('\r'),
            Some('b') => plain.push('\u{8}'),
            Some('f') => plain.push('\u{c}'),
            Some('u') => {
                let (character, left) = unicode(after.as_str());
                plain.push(character);
                rest = left;
                continue;
            }
            Some(other) => plain.push(other),
            None => {}
        }
        rest = after.as_str();
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// Returns the character of one `\u` escape, or of two that are a pair, and the rest.
fn unicode(text: &str) -> (char, &str) {
    let Some((first, rest)) = hex(text) else {
        return (char::REPLACEMENT_CHARACTER, text);
    };
    let pair = rest.strip_prefix("\\u").and_then(hex);
    let two = pair.map_or([first, 0], |(second, _)| [first, second]);
    match (char::decode_utf16(two).next(), pair) {
        (Some(Ok(character)), Some((_, rest))) if character.len_utf16() == 2 => (character, rest),
        (Some(Ok(character)), _) => (character, rest),
        _ => (char::REPLACEMENT_CHARACTER, rest),
    }
}

fn hex(text: &str) -> Option<(u16, &str)> {
    let (digits, rest) = text.split_at_checked(4)?;
    Some((u16::from_str_radix(digits, 16).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::{next, unescaped};

    #[test]
    fn a_level_is_cut_into_its_values() {
        let mut rest = r#" "a\"]" : [1, {"b": "}"}] ,"c":-1e5,"d" :null}"#;
        let mut values = Vec::new();
        while let Some((value, after)) = next(rest) {
            values.push(value);
            rest = after;
        }
        assert_eq!(values, [r#""a\"]""#, r#"[1, {"b": "}"}]"#, r#""c""#, "-1e5", r#""d""#, "null"]);
        assert_eq!(rest, "}");
    }

    #[test]
    fn what_is_no_json_comes_to_an_end() {
        for text in ["\"", "\"\\", "[[[", "é", "x]", "{\"é\\", "\"a\"\"b\""] {
            let mut rest = text;
            for _ in 0..text.len() {
                rest = next(rest).map_or("", |(_, after)| after);
            }
            assert_eq!(next(rest), None, "{text}");
        }
    }

    #[test]
    fn escapes_stand_for_their_characters() {
        assert_eq!(unescaped("plain é"), "plain é");
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(unescaped(r"\u00e9\ud83d\ude00!"), "é😀!");
        assert_eq!(unescaped(r"\ud83d\u0041 \ude00 \u12"), "\u{fffd}A \u{fffd} \u{fffd}12");
    }
}
