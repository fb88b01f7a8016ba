//! `Inside`: a list or a map on a walk, from its beginning to its end.
//!
//! serde hands over a map piece by piece, often a key apart from its value, and a struct variant without the
//! value that its fields belong to. So what is inside remembers only where the next value is to be read.

use std::io::Write;

use serde::ser::{self, Serialize};

use super::number::Number;
use super::raw::Raw;
use super::reader::{Failed, ValueReader};
use super::walker::{DEPTH, Walker};

/// A list or a map that has begun.
pub(super) struct Inside<'a, R: ValueReader> {
    reader: &'a mut R,
    /// `None`: all of it is left out.
    at: Option<R::Place>,
    depth: u8,
    /// Where the value that belongs to the last key is read.
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

    /// The map of one entry that a variant is in JSON.
    pub(super) fn variant(self, name: &str) -> Inside<'a, R> {
        let mut map = self.map();
        map.key(name);
        map
    }
}

impl<'a, R: ValueReader> Inside<'a, R> {
    /// The value that belongs to the last key, where it is a list or a map that comes piece by piece.
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
                // A number that no float can hold.
                self.reader.text(at, text);
            }
        });
        Walker { reader: &mut text, at: (), depth }.enter(value)?;
        outcome
    }
}

/// How the fields of a struct are to be taken: `serde_json` passes what serde has no notion of as the only field
/// of a struct with a name that nobody else has.
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

/// Reads a value as one text: the key of a map, or what `serde_json` hides in a struct.
///
/// Not generic over what it calls, lest the walkers of keys of keys of keys be types without end.
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
        // A sign and 39 digits fit; of a fraction the first digits do, and no field is named by one.
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
