//! A walk through any `Serialize` value, without building a tree of it.
//!
//! Params can be of any type that the user sends to the API. The only thing known of it is that it
//! is `Serialize`, so the walk is a serializer. It shows a value to a [`ValueReader`], piece by
//! piece, and the reader is the grammar of one provider: for each field and item it returns the
//! place where the value is read, or `None` to skip it. A skipped value is never serialized, so a
//! megabyte of image costs nothing to step over.
//!
//! # Values that are the same in JSON are the same to the reader
//!
//! | in Rust | shown as |
//! | --- | --- |
//! | a struct, a map | a map |
//! | a variant with content | a map of one entry |
//! | bytes, a tuple, a list | a list |
//! | `100_u8`, `100_i64`, `100.0` | the same [`Number`] |
//! | `serde_json`'s numbers of arbitrary precision | a number |
//! | `serde_json`'s raw values | the value that the JSON is |
//!
//! # An example
//!
//! `{ "model": "gpt-4o", "seed": [1] }`, whether a struct or a `serde_json::Value`, calls
//!
//! ```text
//! map(P)
//! field(P, "model") -> Some(Q)
//! text(Q, "gpt-4o")
//! field(P, "seed")  -> None       the list is skipped
//! ```
//!
//! where `P` is the place that the walk starts at, and `Q` the place that the reader returned.
//!
//! # Depth
//!
//! A nested value is entered by serializing it, so the walk is recursive. It stops at a fixed
//! depth, and no value can exhaust the stack.

mod cursor;
mod inside;
mod number;
mod raw;
mod reader;
mod walker;

pub(crate) use self::number::Number;
pub(crate) use self::raw::Body;
pub(crate) use self::reader::{Failed, ValueReader};
pub(crate) use self::walker::walk;
