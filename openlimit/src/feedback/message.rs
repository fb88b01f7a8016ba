//! The message of an error, where a client has thrown the response away.
//!
//! Most clients write the status, the code and the provider's sentence into the message of their
//! error, and some the whole body. So the words by which providers refuse are still there, and with
//! them often the wait.
//!
//! Text that is not the provider's must not hold a limiter. So a status that the message states
//! decides what the words can mean. And a body is read by the keys of errors only: the reply of a
//! model may be in it, if that reply could not be parsed.

use super::body::ErrorBody;
use super::observation::Observation;

/// The start of a message that is read.
const MOST_MESSAGE: usize = 64 * 1024;

impl Observation {
    /// Reads the message of an error, for clients that return nothing else of a refusal.
    ///
    /// It finds the status if the message says that it is one (`429 Too Many Requests`, `status:
    /// 429`), and the codes, limits and waits that providers write. A message that says nothing of
    /// limits has the verdict [`NotLimited`](super::Verdict::NotLimited).
    ///
    /// ```
    /// use openlimit::feedback::{Observation, Verdict};
    /// use std::time::Duration;
    ///
    /// let message = "429 Too Many Requests: Rate limit reached. Please try again in 1.2s.";
    /// let after = Some(Duration::from_millis(1_200));
    /// assert_eq!(Observation::from_message(message).verdict(), Verdict::Retry { after });
    /// assert_eq!(Observation::from_message("connection reset").verdict(), Verdict::NotLimited);
    /// ```
    #[must_use]
    pub fn from_message(message: impl AsRef<[u8]>) -> Self {
        let message = message.as_ref();
        let message = message.get(..MOST_MESSAGE).unwrap_or(message);
        let (text, json) = message.split_at(start_of_json(message));
        let mut observation = Self::new(status(text).unwrap_or(0));
        observation.set_error_body(ErrorBody::of_message(text, json));
        observation
    }

    /// Reads the parts of an error that a client has taken out of the body.
    #[cfg_attr(not(feature = "async-openai"), allow(dead_code, reason = "for clients that parse errors"))]
    pub(crate) fn from_error_parts(status: u16, codes: [Option<&str>; 2], message: &str) -> Self {
        let mut observation = Self::new(status);
        let mut body = ErrorBody::of_message(message.as_bytes(), b"");
        codes.into_iter().flatten().for_each(|code| body.read_code(code.as_bytes()));
        observation.set_error_body(body);
        observation
    }
}

/// Returns the start of the first object with a key; the end of the text if there is none.
fn start_of_json(text: &[u8]) -> usize {
    let mut objects = text.iter().enumerate().filter(|(_, byte)| **byte == b'{').map(|(at, _)| at);
    // Linear: no brace is among the spaces that are passed.
    let is_key = |at: &usize| {
        let rest = &text[at + 1..];
        rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'"')
    };
    objects.find(|at| is_key(at)).unwrap_or(text.len())
}

/// Words before a status.
const BEFORE: [&[u8]; 8] =
    [b"status", b"status code", b"statuscode", b"http", b"http/1.1", b"http/2", b"error", b"code"];

/// The names of the statuses that are told apart from other errors, and of the most frequent
/// others.
const REASONS: [(u16, &[u8]); 15] = [
    (400, b"bad request"),
    (401, b"unauthorized"),
    (402, b"payment required"),
    (403, b"forbidden"),
    (404, b"not found"),
    (408, b"request timeout"),
    (413, b"payload too large"),
    (413, b"content too large"),
    (413, b"request entity too large"),
    (422, b"unprocessable"),
    (429, b"too many requests"),
    (500, b"internal server error"),
    (502, b"bad gateway"),
    (503, b"service unavailable"),
    (504, b"gateway timeout"),
];

/// Returns the status of an error that a message states: a number behind a word for it, before its
/// own name, or at the start and before a colon.
fn status(text: &[u8]) -> Option<u16> {
    let mut at = 0;
    while at < text.len() {
        if !text[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let length = text[at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (before, number) = text.split_at(at);
        let (number, behind) = number.split_at(length);
        if let [b'4' | b'5', _, _] = number {
            let status = number.iter().fold(0, |value, digit| value * 10 + u16::from(digit - b'0'));
            if is_behind_a_word(before) || has_its_name(status, behind) || starts(before, behind) {
                return Some(status);
            }
        }
        at += length;
    }
    None
}

fn is_behind_a_word(before: &[u8]) -> bool {
    const FILLER: &[u8] = b" :=#('\"";
    let filler = before.iter().rev().take(4).take_while(|byte| FILLER.contains(byte)).count();
    let before = &before[..before.len() - filler];
    filler > 0 && BEFORE.iter().any(|word| ends_with(before, word))
}

/// Returns whether a text ends with this word, in any case.
fn ends_with(text: &[u8], word: &[u8]) -> bool {
    let Some(start) = text.len().checked_sub(word.len()) else { return false };
    let is_whole = start == 0 || !text[start - 1].is_ascii_alphanumeric();
    is_whole && text[start..].eq_ignore_ascii_case(word)
}

fn has_its_name(status: u16, behind: &[u8]) -> bool {
    let is_its = |(of, reason): &(u16, &[u8])| {
        let start = behind.get(1..=reason.len());
        *of == status && start.is_some_and(|start| start.eq_ignore_ascii_case(reason))
    };
    REASONS.iter().any(is_its)
}

fn starts(before: &[u8], behind: &[u8]) -> bool {
    before.trim_ascii().is_empty() && matches!(behind.first(), None | Some(b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_found_where_the_message_says_that_it_is_one() {
        for (message, expected) in [
            ("429 Too Many Requests", Some(429)),
            ("http status: 429", Some(429)),
            ("HTTP status client error (429 Too Many Requests) for url", Some(429)),
            ("Error code: 529 - overloaded", Some(529)),
            ("HTTP/1.1 503", Some(503)),
            ("status=\"500\"", Some(500)),
            ("429: slow down", Some(429)),
            ("429", Some(429)),
            ("used 429 tokens", None),
            ("500 tokens are too many", None),
            ("status 42900", None),
            ("status 200 of 429 Not Found", None),
            ("barcode 429", None),
            ("", None),
        ] {
            assert_eq!(status(message.as_bytes()), expected, "{message}");
        }
    }

    #[test]
    fn json_starts_at_the_first_object_with_a_key() {
        for (text, json) in [
            ("content:{\"error\": 1}", "{\"error\": 1}"),
            ("a {b} {  \"c\": {\"d\": 1}}", "{  \"c\": {\"d\": 1}}"),
            ("{{{", ""),
            ("{", ""),
            ("none", ""),
        ] {
            assert_eq!(&text[start_of_json(text.as_bytes())..], json, "{text}");
        }
    }
}
