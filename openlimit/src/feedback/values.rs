//! Usage in values that a client has parsed, by the same rules as in bytes (feature `tokenizers`).
//!
//! Clients hand out replies and events as types of their own. All of them are `Serialize`, so
//! nothing has to be known of them. What does not count is skipped, not serialized.

use serde::Serialize;

use super::body::ErrorBody;
use super::grammar::Role;
use super::json::Scalar;
use super::lexeme::Word;
use super::observation::Observation;
use super::usage::UsageReader;
use crate::limits::Usage;
use crate::pricing::walk::{Number, ValueReader, walk};

/// The position of a value.
#[derive(Clone, Copy)]
enum Spot {
    /// A whole reply, or one event of a stream.
    Top,
    /// Under this key in an object or a list of this role.
    In(Role, Word),
    /// Under this key in an error.
    InError(Word),
}

/// Shows a value to a [`UsageReader`].
struct Values<'a> {
    reader: &'a mut UsageReader,
    error: Option<ErrorBody>,
    /// True if all of the event is an error.
    is_error: bool,
}

impl UsageReader {
    /// Reads a value that a client has parsed: a whole reply, or the next event of a stream.
    ///
    /// It finds in it what it would find in the bytes that it was parsed from.
    ///
    /// ```
    /// use openlimit::{Usage, feedback::UsageReader};
    /// use serde_json::json;
    ///
    /// let mut reader = UsageReader::new();
    /// reader.value(&json!({"choices": [{"delta": {"content": "Hi"}}], "usage": null}));
    /// reader.value(&json!({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}));
    /// assert_eq!(reader.usage(), Some(Usage::new(9, 2)));
    /// ```
    pub fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        let mut values = Values { reader: self, error: None, is_error: false };
        // A value that cannot be serialized is read as far as it could be.
        let _ = walk(&mut values, Spot::Top, value);
        let Values { error, .. } = values;
        self.end_event();
        if let Some(body) = error {
            self.note_error(|| Some(Observation::of_error(body)));
        }
    }
}

impl Usage {
    /// Reads what a reply says about its usage, from the value that a client has parsed; `None` if
    /// there is nothing.
    ///
    /// It finds the same as [`from_json`](Self::from_json) in the bytes of the reply.
    ///
    /// ```
    /// use openlimit::Usage;
    ///
    /// #[derive(serde::Serialize)]
    /// struct Reply { usage: Tokens }
    ///
    /// #[derive(serde::Serialize)]
    /// struct Tokens { prompt_tokens: u32, completion_tokens: u32 }
    ///
    /// let reply = Reply { usage: Tokens { prompt_tokens: 120, completion_tokens: 380 } };
    /// assert_eq!(Usage::of(&reply), Some(Usage::new(120, 380)));
    /// ```
    #[must_use]
    pub fn of<T: Serialize + ?Sized>(reply: &T) -> Option<Self> {
        let mut reader = UsageReader::new();
        reader.value(reply);
        reader.usage()
    }
}

impl Values<'_> {
    fn error(&mut self, key: Word, value: Scalar<'_>) {
        self.error.get_or_insert_default().value(key.as_bytes(), value);
    }
}

impl ValueReader for Values<'_> {
    type Place = Spot;

    fn field(&mut self, at: &mut Spot, key: &str) -> Option<Spot> {
        let role = match at {
            Spot::Top => Role::Top,
            Spot::In(around, key) => around.of(key.as_bytes(), false),
            Spot::InError(_) => return Some(Spot::InError(Word::of(key))),
        };
        let is_error = role.is_error(key.as_bytes()) || (self.is_error && role == Role::Top);
        match role {
            Role::Other => None,
            _ if is_error => Some(Spot::InError(Word::of(key))),
            _ => Some(Spot::In(role, Word::of(key))),
        }
    }

    fn item(&mut self, at: &mut Spot) -> Option<Spot> {
        match at {
            Spot::In(around, key) => match around.of(key.as_bytes(), true) {
                Role::Other => None,
                role => Some(Spot::In(role, Word::EMPTY)),
            },
            Spot::Top | Spot::InError(_) => Some(*at),
        }
    }

    fn map(&mut self, _: Spot) {}

    fn list(&mut self, _: Spot) {}

    fn null(&mut self, _: Spot) {}

    fn boolean(&mut self, _: Spot) {}

    fn number(&mut self, at: Spot, number: Number) {
        let Number::Whole(number) = number else { return };
        match at {
            Spot::In(role, key) => {
                if let Ok(count) = u64::try_from(number) {
                    self.reader.number(role, key.as_bytes(), count);
                }
            }
            Spot::InError(key) => self.error(key, Scalar::Number(number.to_string().as_bytes())),
            Spot::Top => {}
        }
    }

    fn text(&mut self, at: Spot, text: &str) {
        match at {
            Spot::In(role, key) => {
                self.reader.text(role, key.as_bytes(), text.as_bytes());
                self.is_error |= role.is_error_event(key.as_bytes(), text.as_bytes());
            }
            Spot::InError(key) if !text.is_empty() => self.error(key, Scalar::Text(text.as_bytes())),
            Spot::InError(_) | Spot::Top => {}
        }
    }
}
