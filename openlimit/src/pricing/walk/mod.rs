//! A walk through any `Serialize` value.

mod inside;
mod number;
mod raw;
mod reader;
mod walker;

pub(crate) use self::number::Number;
pub(crate) use self::reader::{Failed, ValueReader};
pub(crate) use self::walker::walk;
