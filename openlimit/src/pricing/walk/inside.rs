//! `Inside`: a list or a map during a walk, from its start to its end.
//!
//! serde passes a map piece by piece, often a key apart from its value. So an `Inside` remembers
//! the place of the next value, and nothing else of what it has seen.

use std::io::Write;

use serde::ser::{self, Serialize};

use super::number::Number;
use super::raw::Raw;
use super::reader::{Failed, ValueReader};
use super::walker::{DEPTH, Walker};

/// A list or a map that has started.
pub(super) struct Inside<'a, R: ValueReader> {
    reader: &'a mut R,
    /// `None` if all of it is skipped.
    at: Option<R::Place>,
    depth: u8,
    /// The place of the value under the last key.
    next: Option<R::Place>,
    form: Form,
}

impl<'a, R: ValueReader> Walker<'a, R> {
    pub(super) fn inside(self, form: Form) -> Inside<'a, R> {
        Inside { reader: self.reader, at: Some(self.at), depth: self.depth, next: None, form }
    }

    pub(super) fn list(self) -> Inside<'a, R> {
        self.reader.list(self.at);
        self.inside(Form::Plain)
    }

    pub(super) fn map(self) -> Inside<'a, R> {
        self.reader.map(self.at);
        self.inside(Form::Plain)
    }

    /// Starts the map of one entry that a variant is in JSON.
    pub(super) fn variant(self, name: &str) -> Inside<'a, R> {
        let mut map = self.map();
        map.key(name);
        map
    }
}

impl<'a, R: ValueReader> Inside<'a, R> {
    /// Starts the value under the last key, if it is a list or a map that comes piece by piece.
    pub(super) fn nested(self, begin: fn(Walker<'a, R>) -> Self) -> Self {
        match self.next {
            Some(at) if self.depth < DEPTH => {
                begin(Walker { reader: self.reader, at, depth: self.depth + 1 })
            }
            _ => Inside { at: None, ..self },
        }
    }

    fn key(&mut self, key: &str) {
        self.next = self.at.as_mut().and_then(|at| self.reader.field(at, key));
    }

    pub(super) fn value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        match self.next.take() {
            Some(at) => Walker { reader: &mut *self.reader, at, depth: self.depth }.enter(value),
            None => Ok(()),
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.next = self.at.as_mut().and_then(|at| self.reader.item(at));
        self.value(value)
    }

    fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<(), Failed> {
        let form = self.form;
        let (Some(at), Form::JsonNumber | Form::JsonRaw) = (self.at, form) else {
            self.key(key);
            return self.value(value);
        };
        let depth = self.depth;
        let mut outcome = Ok(());
        let mut text = AsText(&mut |text| {
            if matches!(form, Form::JsonRaw) {
                outcome = Walker { reader: &mut *self.reader, at, depth }.enter(&Raw(text));
            } else if let Some(number) = Number::parse(text) {
                self.reader.number(at, number);
            } else {
                // Not what `serde_json` writes.
                self.reader.text(at, text);
            }
        });
        Walker { reader: &mut text, at: (), depth }.enter(value)?;
        outcome
    }
}

/// The meaning of a struct's fields. `serde_json` passes values that serde has no method for as the
/// only field of a struct with a name of its own.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Plain,
    /// A number's digits, as `arbitrary_precision` keeps them.
    JsonNumber,
    /// The text of a `RawValue`.
    JsonRaw,
}

impl Form {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "$serde_json::private::Number" => Self::JsonNumber,
            "$serde_json::private::RawValue" => Self::JsonRaw,
            _ => Self::Plain,
        }
    }
}

/// Reads a value as one text: the key of a map, or the field of one of `serde_json`'s structs.
///
/// It is not generic over the closure. Otherwise the walker of a key of a key of a key would be yet
/// another type, without end.
struct AsText<'a>(&'a mut dyn FnMut(&str));

impl ValueReader for AsText<'_> {
    type Place = ();

    fn field(&mut self, (): &mut (), _: &str) -> Option<()> {
        None
    }

    fn item(&mut self, (): &mut ()) -> Option<()> {
        None
    }

    fn map(&mut self, (): ()) {}

    fn list(&mut self, (): ()) {}

    fn null(&mut self, (): ()) {}

    fn boolean(&mut self, (): ()) {
        (self.0)("true");
    }

    fn number(&mut self, (): (), number: Number) {
        // A sign and 39 digits fit. A fraction is cut, but no field is named by a fraction.
        const LONGEST: usize = 40;
        let mut digits = [0; LONGEST];
        let mut left = &mut digits[..];
        let _ = write!(left, "{number}");
        let written = LONGEST - left.len();
        (self.0)(str::from_utf8(&digits[..written]).unwrap_or_default());
    }

    fn text(&mut self, (): (), text: &str) {
        (self.0)(text);
    }
}

macro_rules! lists {
    ($($form:ident: $item:ident),+ $(,)?) => {$(
        impl<R: ValueReader> ser::$form for Inside<'_, R> {
            type Ok = ();
            type Error = Failed;

            fn $item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
                self.item(value)
            }

            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )+};
}

lists! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

macro_rules! structs {
    ($($form:ident),+ $(,)?) => {$(
        impl<R: ValueReader> ser::$form for Inside<'_, R> {
            type Ok = ();
            type Error = Failed;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Failed> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Failed> {
                Ok(())
            }
        }
    )+};
}

structs!(SerializeStruct, SerializeStructVariant);

impl<R: ValueReader> ser::SerializeMap for Inside<'_, R> {
    type Ok = ();
    type Error = Failed;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Failed> {
        self.next = None;
        let depth = self.depth;
        Walker { reader: &mut AsText(&mut |text| self.key(text)), at: (), depth }.enter(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Failed> {
        self.value(value)
    }

    fn end(self) -> Result<(), Failed> {
        Ok(())
    }
}
