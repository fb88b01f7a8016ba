//! A walk over the values of a JSON text, with the key of each.
//!
//! Error bodies are small and shaped in many ways, but all use the same few keys. So the walk knows
//! keys and values, and not where they are. It has no recursion, allocates nothing, and takes
//! linear time. Text that is not JSON yields values that mean nothing.

/// A value, as it stands in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scalar<'a> {
    /// The content of a string. Escapes are not resolved: nothing that is searched for has any.
    Text(&'a [u8]),
    /// The digits of a non-negative number, perhaps with a fraction.
    Number(&'a [u8]),
}

impl<'a> Scalar<'a> {
    /// Returns the bytes of the value.
    pub(super) fn bytes(self) -> &'a [u8] {
        match self {
            Self::Text(bytes) | Self::Number(bytes) => bytes,
        }
    }
}

/// Returns all strings and numbers, each with the key before it. The items of a list after the
/// first have no key.
pub(super) fn scalars(text: &[u8]) -> impl Iterator<Item = (&[u8], Scalar<'_>)> {
    let mut at = 0;
    let mut key: &[u8] = b"";
    std::iter::from_fn(move || {
        while let Some(byte) = text.get(at) {
            match byte {
                b'"' => {
                    let content = string(&text[at + 1..]);
                    at += content.len() + 2;
                    let rest = text.get(at..).unwrap_or_default();
                    let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
                    if rest.get(spaces) == Some(&b':') {
                        at += spaces + 1;
                        key = content;
                        continue;
                    }
                    return Some((std::mem::take(&mut key), Scalar::Text(content)));
                }
                b'0'..=b'9' => {
                    let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
                    let length = text[at..].iter().take_while(is_part).count();
                    let number = &text[at..at + length];
                    at += length;
                    return Some((std::mem::take(&mut key), Scalar::Number(number)));
                }
                b'-' => {
                    // A negative number says nothing.
                    let is_part =
                        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'+');
                    at += text[at..].iter().take_while(is_part).count();
                    key = b"";
                }
                _ => at += 1,
            }
        }
        None
    })
}

/// Returns the string at the start of `text`, up to the quote that ends it.
fn string(text: &[u8]) -> &[u8] {
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return &text[..at],
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_comes_with_its_key() {
        let text =
            br#"{"a": "b\"", "c" :1.5, "d": {"e": null, "f": ["g", 2]}, "h": -3, "i": true, "j": "k"}"#;
        let found: Vec<_> = scalars(text).collect();
        let expected: [(&[u8], Scalar<'_>); 5] = [
            (b"a", Scalar::Text(br#"b\""#)),
            (b"c", Scalar::Number(b"1.5")),
            (b"f", Scalar::Text(b"g")),
            (b"", Scalar::Number(b"2")),
            (b"j", Scalar::Text(b"k")),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn text_that_is_no_json_comes_to_an_end() {
        for text in ["\"", "\"\\", "\"a\\\"", "{{{{", "\"a\":", "-", "1", "\"a\"\"b\"", "\u{e9}\"\u{e9}"] {
            assert!(scalars(text.as_bytes()).count() <= 2, "{text}");
        }
    }
}
