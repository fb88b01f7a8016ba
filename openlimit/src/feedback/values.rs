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
enum Position {
    /// A whole reply, or one event of a stream.
    Top,
    /// Under this key in an object or a list of this role.
    In(Role, Word),
    /// An error, if it is a text or an object.
    Error,
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
        let _ = walk(&mut values, Position::Top, value);
        if values.is_error {
            values.error.get_or_insert_default();
            // Some of it may have come before what says that it is an error.
            let _ = walk(&mut values, Position::Top, value);
        }
        let Values { error, .. } = values;
        if let Some(body) = error {
            self.note_error(|| Some(Observation::of_error(body)));
        }
        self.end_event();
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
    type Place = Position;

    fn field(&mut self, at: &mut Position, key: &str) -> Option<Position> {
        let role = match at {
            Position::Top => Role::Top,
            Position::In(around, key) => around.of(key.as_bytes(), false),
            Position::Error | Position::InError(_) => {
                self.error.get_or_insert_default();
                return Some(Position::InError(Word::of(key)));
            }
        };
        match role {
            Role::Other => None,
            Role::Top if self.is_error => Some(Position::InError(Word::of(key))),
            _ if role.is_error(key.as_bytes()) => Some(Position::Error),
            _ => Some(Position::In(role, Word::of(key))),
        }
    }

    fn item(&mut self, at: &mut Position) -> Option<Position> {
        match at {
            Position::In(around, key) => match around.of(key.as_bytes(), true) {
                Role::Other => None,
                role => Some(Position::In(role, Word::EMPTY)),
            },
            Position::Error => None,
            Position::Top | Position::InError(_) => Some(*at),
        }
    }

    fn map(&mut self, at: Position) {
        if let Position::In(around, key) = at {
            self.reader.object(around.of(key.as_bytes(), false), key.as_bytes());
        }
    }

    fn list(&mut self, _: Position) {}

    fn null(&mut self, _: Position) {}

    fn boolean(&mut self, _: Position) {}

    fn number(&mut self, at: Position, number: Number) {
        let Number::Whole(number) = number else { return };
        match at {
            Position::In(role, key) => {
                if let Ok(count) = u64::try_from(number) {
                    self.reader.number(role, key.as_bytes(), count);
                }
            }
            Position::InError(key) => self.error(key, Scalar::Number(number.to_string().as_bytes())),
            Position::Top | Position::Error => {}
        }
    }

    fn text(&mut self, at: Position, text: &str) {
        match at {
            Position::In(role, key) => {
                let word = Word::of(text);
                self.reader.text(role, key.as_bytes(), word.as_bytes());
                self.is_error |= role.is_error_event(key.as_bytes(), word.as_bytes());
            }
            Position::Error if !text.is_empty() => {
                self.error(Word::of("error"), Scalar::Text(text.as_bytes()))
            }
            Position::InError(key) => self.error(key, Scalar::Text(text.as_bytes())),
            Position::Error | Position::Top => {}
        }
    }
}
