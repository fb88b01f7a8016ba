//! `Fields`: the fields of one kind of request and their meaning, as tables.
//!
//! A field that a provider adds is a line in one of them. Until it is, it counts as its text.

use super::plain::Plain;
use crate::ParamsError;
use crate::pricing::walk::Failed;

/// The fields of one kind of request. `P` is a place of the grammar that counts them.
#[derive(Debug)]
pub(crate) struct Fields<P: 'static> {
    /// The field that every request of this kind has: its messages or its prompt.
    pub(crate) body: &'static str,
    /// The type of the body, for errors.
    pub(crate) expected: &'static str,
    /// True if the body may be a string. It may always be a list.
    pub(crate) text: bool,
    /// Fields of which one may be there instead of the body.
    pub(crate) in_place_of_body: &'static [&'static str],
    /// The values that are needed before anything is counted, by their paths in the request.
    pub(crate) first: &'static [(&'static [&'static str], First)],
    /// True if the names are camelCase, and the provider takes them in snake_case, too.
    pub(crate) snake_case_too: bool,
    /// The fields that are counted, and their places.
    pub(crate) counted: &'static [(&'static str, P)],
    /// The other fields of the API. Only the API reads them, so they are not counted.
    pub(crate) settings: &'static [&'static str],
}

/// The meaning of a value that is needed before anything is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum First {
    /// The largest output of one choice. Of several, the largest counts.
    Output,
    /// The number of choices. Of several, the last in the order of the table counts.
    Choices,
    /// The largest number of tokens that the model may think. A negative one means no maximum.
    Thinking,
    /// One of these words, in any case. Any other is ignored.
    Word(&'static [&'static str]),
}

/// The bodies of all kinds of request, and the limiters that price each, for errors.
const BODIES: [(&str, &str); 5] = [
    ("messages", "a `ChatRateLimiter` or a `MessagesRateLimiter`"),
    ("contents", "a `GenerateContentRateLimiter`"),
    ("prompt", "a `CompletionRateLimiter`"),
    ("instruction", "a `CompletionRateLimiter`"),
    ("input", "a `ResponsesRateLimiter` or an `EmbeddingRateLimiter`"),
];

/// Returns the index in `BODIES` of this field, which is the body of some kind of request.
pub(super) fn body(field: &str) -> Option<usize> {
    BODIES.iter().position(|(body, _)| *body == field)
}

impl<P: Copy + From<Plain>> Fields<P> {
    /// Returns the place of a field of the request, or `None` if only the API reads it.
    pub(crate) fn field(&self, key: &str) -> Option<P> {
        let mut buffer = [0; CAMEL];
        let name = self.name(key, &mut buffer);
        if let Some((_, place)) = self.counted.iter().find(|(counted, _)| *counted == name) {
            return Some(*place);
        }
        let is_setting = name == "model"
            || self.first.iter().any(|(path, _)| path[0] == name)
            || self.settings.contains(&name);
        (!is_setting).then(|| Plain::unknown(key).into())
    }
}

impl<P> Fields<P> {
    /// Returns the name in the tables of a key of the request.
    pub(super) fn name<'a>(&self, key: &'a str, buffer: &'a mut [u8; CAMEL]) -> &'a str {
        if self.snake_case_too { camel_case(key, buffer) } else { key }
    }

    /// Returns the error for a request without a body. `stray` is the index in `BODIES` of a field
    /// that is the body of another kind of request.
    pub(super) fn missing(&self, stray: Option<usize>) -> ParamsError {
        let mut problem = "the field is missing".to_owned();
        if !self.in_place_of_body.is_empty() {
            let names = self.in_place_of_body.join("`, `");
            problem += &format!(", and so is every field that may replace it (`{names}`)");
        }
        if let Some((field, limiters)) = stray.and_then(|stray| BODIES.get(stray)) {
            problem += &format!("; for params with `{field}`, use {limiters}");
        }
        ParamsError::new(self.body, problem)
    }

    pub(crate) fn failed(&self, failed: &Failed) -> ParamsError {
        ParamsError::new(self.body, format!("the params cannot be serialized: {failed}"))
    }
}

/// The length of the longest name that is converted.
pub(crate) const CAMEL: usize = 40;

/// Returns a name in camelCase. A name that is too long for the buffer is returned as it is.
pub(crate) fn camel_case<'a>(name: &'a str, buffer: &'a mut [u8; CAMEL]) -> &'a str {
    if !name.contains('_') || name.len() > CAMEL {
        return name;
    }
    let mut length = 0;
    let mut is_start = false;
    for byte in name.bytes() {
        if byte == b'_' {
            is_start = true;
            continue;
        }
        buffer[length] = if is_start { byte.to_ascii_uppercase() } else { byte };
        length += 1;
        is_start = false;
    }
    str::from_utf8(&buffer[..length]).unwrap_or(name)
}
