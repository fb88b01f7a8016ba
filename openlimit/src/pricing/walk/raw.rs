//! `Raw`: JSON text as a value, as `serde_json`'s `RawValue` passes it to a serializer. And `Body`:
//! the text of a whole request.
//!
//! A proxy may keep the messages of a request unparsed, and they cost the same as parsed ones. No
//! tree is built, and only strings with escapes are copied. The values of the text share one
//! [`Cursor`], so reading takes linear time at any depth.
//!
//! For example, `{"a": [1, 2], "b": 3}` is a map whose keys and values are `"a"`, `[1, 2]`, `"b"`
//! and `3`. The list is entered only if the walk serializes it. Otherwise the cursor passes it.
//!
//! Text that is not JSON counts as text.

use std::borrow::Cow;

use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};

use super::cursor::{Cursor, Start};
use super::number::Number;

/// A JSON text with one value in it.
pub(super) struct Raw<'a>(pub(super) &'a str);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.0.trim_matches([' ', '\t', '\n', '\r']);
        if text.starts_with(['{', '[']) {
            Value(&Cursor::new(text)).serialize(serializer)
        } else {
            scalar(text, serializer)
        }
    }
}

/// The body of a request: JSON text, and the model that the path of the request names.
///
/// The model stands before the fields of the text, so a model in the text replaces it.
pub(crate) struct Body<'a> {
    pub(crate) json: &'a str,
    pub(crate) model: Option<&'a str>,
}

impl Serialize for Body<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cursor = Cursor::new(self.json.trim_start_matches([' ', '\t', '\n', '\r']));
        match (self.model, cursor.enter()) {
            (Some(model), Start::Map) => {
                let mut map = serializer.serialize_map(None)?;
                map.serialize_entry("model", model)?;
                entries(&cursor, &mut map)?;
                map.end()
            }
            _ => Raw(self.json).serialize(serializer),
        }
    }
}

/// The value that the cursor is at. To serialize it is to move behind it.
pub(super) struct Value<'c, 'a>(pub(super) &'c Cursor<'a>);

impl Serialize for Value<'_, '_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cursor = self.0;
        match cursor.enter() {
            Start::Map => {
                let mut map = serializer.serialize_map(None)?;
                entries(cursor, &mut map)?;
                map.end()
            }
            Start::List => {
                let mut list = serializer.serialize_seq(None)?;
                while cursor.next() {
                    cursor.pass(|| list.serialize_element(self))?;
                }
                list.end()
            }
            Start::Scalar(text) => scalar(text, serializer),
        }
    }
}

/// Serializes the entries of the map that the cursor is in.
fn entries<M: SerializeMap>(cursor: &Cursor<'_>, map: &mut M) -> Result<(), M::Error> {
    while cursor.next() {
        cursor.pass(|| map.serialize_key(&Value(cursor)))?;
        if !cursor.next() {
            return map.serialize_value(&());
        }
        cursor.pass(|| map.serialize_value(&Value(cursor)))?;
    }
    Ok(())
}

/// Serializes a value that contains no others.
fn scalar<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    match text.as_bytes() {
        [b'"', .., b'"'] => serializer.serialize_str(&unescaped(&text[1..text.len() - 1])),
        b"true" => serializer.serialize_bool(true),
        b"false" => serializer.serialize_bool(false),
        b"null" | b"" => serializer.serialize_unit(),
        _ => match Number::parse(text) {
            Some(Number::Whole(value)) => serializer.serialize_u128(value),
            Some(Number::Negative(value)) => match 0_i128.checked_sub_unsigned(value) {
                Some(negative) => serializer.serialize_i128(negative),
                // Only a float is below all integers, so nothing is lost.
                None => serializer.serialize_f64(-(value as f64)),
            },
            Some(Number::Fraction(value)) => serializer.serialize_f64(value),
            None => serializer.serialize_str(text),
        },
    }
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
    use super::{Cursor, Value, unescaped};
    use crate::pricing::walk::{Number, ValueReader, walk};

    /// Enters the lists and maps of so many levels, and skips those below.
    struct Levels(usize);

    impl ValueReader for Levels {
        type Place = usize;

        fn field(&mut self, depth: &mut usize, _: &str) -> Option<usize> {
            (*depth < self.0).then_some(*depth + 1)
        }

        fn item(&mut self, depth: &mut usize) -> Option<usize> {
            self.field(depth, "")
        }

        fn map(&mut self, _: usize) {}

        fn list(&mut self, _: usize) {}

        fn null(&mut self, _: usize) {}

        fn boolean(&mut self, _: usize) {}

        fn number(&mut self, _: usize, _: Number) {}

        fn text(&mut self, _: usize, _: &str) {}
    }

    #[test]
    fn no_byte_is_searched_twice_at_any_depth() {
        let items = |depth: usize, open: &str, close: &str| {
            let bottom = r#""a", {"b": [1, 2]}, "#.repeat(100);
            format!("{}{bottom}{}", open.repeat(depth), close.repeat(depth))
        };
        for text in [
            items(1, "[", "]"),
            items(100, "[", "]"),
            items(100, r#"[{"k":"#, "}]"),
            items(100_000, "[", "]"),
            items(100_000, r#"{"k": [{}, "#, "]}"),
            items(100_000, "{", "}"),
            items(100_000, "[", ""),
            items(100_000, r#"{"k":["#, "\""),
            items(100_000, "[{[", ""),
        ] {
            for levels in [0, 1, 2, 10, 200] {
                let cursor = Cursor::new(&text);
                walk(&mut Levels(levels), 0, &Value(&cursor)).unwrap();
                assert!(cursor.searched.get() <= text.len(), "{} of {}", cursor.searched.get(), text.len());
                assert!(!cursor.next(), "{text:.20}");
            }
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
