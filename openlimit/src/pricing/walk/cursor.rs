//! `Cursor`: a position in a JSON text, which only moves forward.
//!
//! One cursor reads all values of a text, however deep they are. Each value moves it from its own
//! start to its own end, so no byte is searched twice, and reading takes linear time at any depth.
//!
//! `serde_json` has checked a `RawValue`, so nothing is checked here. Text that is not JSON comes
//! to an end all the same.

use std::cell::Cell;

/// A position in a JSON text.
///
/// It is shared by the values that it reads, because serde passes each of them by reference.
pub(super) struct Cursor<'a> {
    rest: Cell<&'a str>,
    /// The bytes that were searched for the end of a value.
    #[cfg(test)]
    pub(super) searched: Cell<usize>,
}

/// The start of a value.
pub(super) enum Start<'a> {
    /// The cursor is behind the opening bracket of a map.
    Map,
    /// The cursor is behind the opening bracket of a list.
    List,
    /// The cursor is behind this value, which contains no others.
    Scalar(&'a str),
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            rest: Cell::new(text),
            #[cfg(test)]
            searched: Cell::default(),
        }
    }

    /// Moves to the next value of the list or map that the cursor is in, keys included. Returns
    /// false if there is none. The cursor is then behind the closing bracket.
    pub(super) fn next(&self) -> bool {
        let rest = self.rest.get().trim_start_matches(SEPARATORS);
        let behind = rest.strip_prefix([']', '}']);
        self.rest.set(behind.unwrap_or(rest));
        behind.is_none() && !rest.is_empty()
    }

    /// Enters the value at the cursor.
    pub(super) fn enter(&self) -> Start<'a> {
        let rest = self.rest.get();
        let (start, behind) = if let Some(behind) = rest.strip_prefix('{') {
            (Start::Map, behind)
        } else if let Some(behind) = rest.strip_prefix('[') {
            (Start::List, behind)
        } else {
            return Start::Scalar(self.value());
        };
        self.rest.set(behind);
        start
    }

    /// Calls `show`, and moves behind the value at the cursor if `show` has not entered it.
    pub(super) fn pass<T>(&self, show: impl FnOnce() -> T) -> T {
        let before = self.rest.get().len();
        let shown = show();
        if self.rest.get().len() == before {
            self.value();
        }
        shown
    }

    /// Moves behind the value at the cursor and returns it.
    fn value(&self) -> &'a str {
        let rest = self.rest.get();
        let end = end_of_value(rest.as_bytes());
        #[cfg(test)]
        self.searched.update(|searched| searched + end);
        let (value, behind) = rest.split_at(end);
        self.rest.set(behind);
        value
    }
}

/// The characters between two values: commas, colons and JSON's whitespace.
const SEPARATORS: [char; 6] = [',', ':', ' ', '\t', '\n', '\r'];

/// Returns the end of the value at the start of the text: never inside a character.
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

#[cfg(test)]
mod tests {
    use super::{Cursor, Start};

    #[test]
    fn a_value_that_is_not_entered_is_passed() {
        let cursor = Cursor::new(r#"{ "a\"]" : [1, {"b": "}"}] ,"c":-1e5,"d" :null}rest"#);
        assert!(matches!(cursor.enter(), Start::Map));
        let mut values = Vec::new();
        while cursor.next() {
            let before = cursor.rest.get();
            cursor.pass(|| ());
            values.push(&before[..before.len() - cursor.rest.get().len()]);
        }
        assert_eq!(values, [r#""a\"]""#, r#"[1, {"b": "}"}]"#, r#""c""#, "-1e5", r#""d""#, "null"]);
        assert_eq!(cursor.rest.get(), "rest");
    }

    #[test]
    fn text_that_is_no_json_comes_to_an_end() {
        for text in ["\"", "\"\\", "[[[", "é", "x]", "{\"é\\", "\"a\"\"b\""] {
            let cursor = Cursor::new(text);
            for _ in 0..text.len() {
                if cursor.next() {
                    cursor.pass(|| ());
                }
            }
            assert!(!cursor.next(), "{text}");
            assert_eq!(cursor.rest.get(), "", "{text}");
        }
    }
}
