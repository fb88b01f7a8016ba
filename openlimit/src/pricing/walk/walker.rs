//! `Walker`: the serializer that shows a value to a reader.
//!
//! It and `inside` import each other, since serde makes a serializer name the types of its lists
//! and maps, and those serialize the values in them by it.
//!
//! Text is built in two cases only, where it exists nowhere as such: a `Display` value, and a
//! string with escapes in raw JSON.

use serde::ser::{self, Serialize};

use super::inside::{Form, Inside};
use super::number::Number;
use super::reader::{Failed, ValueReader};

/// The depth at which the walk stops. A request has about ten levels, and `serde_json` reads no
/// more than 128.
pub(super) const DEPTH: u8 = 128;

/// Shows `value` to `reader`, which begins at `at`.
///
/// # Errors
/// If the value's own `Serialize` fails.
pub(crate) fn walk<R: ValueReader, T: Serialize + ?Sized>(
    reader: &mut R,
    at: R::Place,
    value: &T,
) -> Result<(), Failed> {
    value.serialize(Walker { reader, at, depth: 0 })
}

/// Shows the value that is serialized into it to a reader.
pub(super) struct Walker<'a, R: ValueReader> {
    pub(super) reader: &'a mut R,
    pub(super) at: R::Place,
    pub(super) depth: u8,
}

impl<R: ValueReader> Walker<'_, R> {
    /// Shows a value one level deeper, or skips it at the deepest level.
    pub(super) fn enter<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        if self.depth == DEPTH {
            return Ok(());
        }
        value.serialize(Walker { depth: self.depth + 1, ..self })
    }

    fn float(self, value: f64) {
        match Number::float(value) {
            Some(number) => self.reader.number(self.at, number),
            None => self.reader.null(self.at),
        }
    }
}

macro_rules! numbers {
    ($($name:ident: $type:ty => $number:expr;)+) => {$(
        fn $name(self, value: $type) -> Result<(), Failed> {
            self.reader.number(self.at, $number(value.into()));
            Ok(())
        }
    )+};
}

impl<'a, R: ValueReader> ser::Serializer for Walker<'a, R> {
    type Ok = ();
    type Error = Failed;
    type SerializeSeq = Inside<'a, R>;
    type SerializeTuple = Inside<'a, R>;
    type SerializeTupleStruct = Inside<'a, R>;
    type SerializeTupleVariant = Inside<'a, R>;
    type SerializeMap = Inside<'a, R>;
    type SerializeStruct = Inside<'a, R>;
    type SerializeStructVariant = Inside<'a, R>;

    numbers! {
        serialize_i8: i8 => Number::signed;
        serialize_i16: i16 => Number::signed;
        serialize_i32: i32 => Number::signed;
        serialize_i64: i64 => Number::signed;
        serialize_i128: i128 => Number::signed;
        serialize_u8: u8 => Number::Whole;
        serialize_u16: u16 => Number::Whole;
        serialize_u32: u32 => Number::Whole;
        serialize_u64: u64 => Number::Whole;
        serialize_u128: u128 => Number::Whole;
    }

    fn serialize_f32(self, value: f32) -> Result<(), Failed> {
        self.float(value.into());
        Ok(())
    }

    fn serialize_f64(self, value: f64) -> Result<(), Failed> {
        self.float(value);
        Ok(())
    }

    fn serialize_bool(self, _: bool) -> Result<(), Failed> {
        self.reader.boolean(self.at);
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<(), Failed> {
        self.reader.text(self.at, value.encode_utf8(&mut [0; 4]));
        Ok(())
    }

    fn serialize_str(self, value: &str) -> Result<(), Failed> {
        self.reader.text(self.at, value);
        Ok(())
    }

    fn serialize_bytes(mut self, bytes: &[u8]) -> Result<(), Failed> {
        self.reader.list(self.at);
        for &byte in bytes {
            if let Some(at) = self.reader.item(&mut self.at) {
                self.reader.number(at, Number::Whole(byte.into()));
            }
        }
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Failed> {
        self.enter(value)
    }

    fn serialize_unit(self) -> Result<(), Failed> {
        self.reader.null(self.at);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Failed> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<(), Failed> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.enter(value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Failed> {
        self.variant(variant).value(value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Inside<'a, R>, Failed> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Inside<'a, R>, Failed> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Inside<'a, R>, Failed> {
        Ok(self.list())
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Inside<'a, R>, Failed> {
        Ok(self.map())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Inside<'a, R>, Failed> {
        Ok(match Form::of(name) {
            Form::Plain => self.map(),
            form => self.inside(form),
        })
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a, R>, Failed> {
        Ok(self.variant(variant).nested(Walker::list))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Inside<'a, R>, Failed> {
        Ok(self.variant(variant).nested(Walker::map))
    }
}
