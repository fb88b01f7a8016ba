//! `Value`: what a config says, before the type of the key is known.
//!
//! Formats differ in what they call a value: YAML reads `5 %` as text and `5` as an integer, and an
//! environment is text throughout. So a value is read as it is, and then as the type of its key.
//! That also gives errors of one form, whatever the format.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of any format.
#[derive(Debug)]
pub(super) enum Value {
    Nothing,
    Bool(bool),
    Integer(i128),
    Float(f64),
    Text(String),
    List(Vec<Self>),
    Table(Vec<(String, Self)>),
}

/// The most characters of a text that an error shows.
const MOST_SHOWN: usize = 60;

impl Value {
    /// Returns the error of a value of another type: "expected .., found ..".
    pub(super) fn mismatch(&self, expected: &str) -> String {
        format!("expected {expected}, found {self}")
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Integer(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(text) => match text.char_indices().nth(MOST_SHOWN) {
                Some((end, _)) => write!(f, "{:?}..", &text[..end]),
                None => write!(f, "{text:?}"),
            },
            Self::List(_) => f.write_str("a list"),
            Self::Table(_) => f.write_str("a table"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_with(deserializer, Ok)
    }
}

/// Reads a value and passes it to `read`.
///
/// `read` is called by the visitor, because formats then say where the value is if it fails.
pub(super) fn read_with<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(Value) -> Result<T, String>,
) -> Result<T, D::Error> {
    deserializer.deserialize_any(Reader(read))
}

struct Reader<F>(F);

impl<T, F: FnOnce(Value) -> Result<T, String>> Reader<F> {
    fn read<E: Error>(self, value: Value) -> Result<T, E> {
        (self.0)(value).map_err(E::custom)
    }
}

impl<'de, T, F: FnOnce(Value) -> Result<T, String>> Visitor<'de> for Reader<F> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the value of a limiter's key")
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        self.read(Value::Nothing)
    }

    fn visit_none<E: Error>(self) -> Result<T, E> {
        self.read(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        self.read(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.read(Value::Integer(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<T, E> {
        self.read(Value::Integer(value.into()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<T, E> {
        self.read(Value::Integer(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        self.read(Value::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<T, E> {
        self.read(Value::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<T, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        self.read(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<T, A::Error> {
        let mut table = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            table.push(entry);
        }
        self.read(Value::Table(table))
    }
}
