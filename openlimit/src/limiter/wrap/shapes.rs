//! What the items of a stream may be: bytes or values, alone or in results.
//!
//! The parameter of each trait only keeps its implementations apart, and is always inferred.

#[cfg(feature = "tokenizers")]
use serde::Serialize;

/// An item of a stream of bytes, for [`Permit::wrap`](crate::Permit::wrap).
///
/// It is anything that is `AsRef<[u8]>`, such as `Bytes`, `Vec<u8>` and `String`, or a `Result` of
/// it.
#[diagnostic::on_unimplemented(
    message = "a stream of `{Self}` is no stream of bytes",
    label = "expected items that are bytes, or results of bytes",
    note = "`wrap_items` takes events that the client has parsed: anything that is `Serialize`"
)]
pub trait StreamBytes<Form> {
    /// Returns the bytes; `None` for an error.
    #[doc(hidden)]
    fn stream_bytes(&self) -> Option<&[u8]>;
}

/// An event of a stream, for [`Permit::wrap_items`](crate::Permit::wrap_items).
///
/// It is anything that is `Serialize`, or a `Result` of it.
#[cfg(feature = "tokenizers")]
#[diagnostic::on_unimplemented(
    message = "a stream of `{Self}` cannot be read for its usage",
    label = "expected items that are `Serialize`, or results of them",
    note = "wrap the stream of bytes that the client parses, with `wrap`"
)]
pub trait StreamItem<Form> {
    /// The event.
    #[doc(hidden)]
    type Event: Serialize + ?Sized;

    /// Returns the event; `None` for an error.
    #[doc(hidden)]
    fn stream_event(&self) -> Option<&Self::Event>;
}

/// The form of items that cannot fail.
#[derive(Debug)]
pub enum ItemForm {}

/// The form of results.
#[derive(Debug)]
pub enum ResultForm {}

impl<T: AsRef<[u8]>> StreamBytes<ItemForm> for T {
    fn stream_bytes(&self) -> Option<&[u8]> {
        Some(self.as_ref())
    }
}

impl<T: AsRef<[u8]>, E> StreamBytes<ResultForm> for Result<T, E> {
    fn stream_bytes(&self) -> Option<&[u8]> {
        self.as_ref().ok().map(AsRef::as_ref)
    }
}

#[cfg(feature = "tokenizers")]
impl<T: Serialize> StreamItem<ItemForm> for T {
    type Event = T;

    fn stream_event(&self) -> Option<&T> {
        Some(self)
    }
}

#[cfg(feature = "tokenizers")]
impl<T: Serialize, E> StreamItem<ResultForm> for Result<T, E> {
    type Event = T;

    fn stream_event(&self) -> Option<&T> {
        self.as_ref().ok()
    }
}
