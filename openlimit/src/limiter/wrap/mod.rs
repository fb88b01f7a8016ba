//! Wrappers around the body of a reply: they read it as it passes, and settle the call.
//!
//! In a stream, usage comes last, long after the function that made the call has returned. So the
//! permit has to move into the stream. Each wrapper here hands on all that it is given unchanged,
//! and shows it to a [`Tap`], which owns the permit. Clients hand out replies in different shapes,
//! so there is one wrapper for each: `http_body::Body`, `std::io::Read` and `futures_core::Stream`.

#[cfg(feature = "http")]
mod body;
mod read;
#[cfg(feature = "stream")]
mod shapes;
#[cfg(feature = "stream")]
mod stream;
mod tap;

#[cfg(feature = "http")]
pub use self::body::WrappedBody;
pub use self::read::WrappedRead;
#[cfg(feature = "stream")]
pub use self::shapes::StreamBytes;
#[cfg(all(feature = "stream", feature = "tokenizers"))]
pub use self::shapes::StreamItem;
#[cfg(feature = "stream")]
pub use self::stream::WrappedStream;
pub(crate) use self::tap::Tap;
