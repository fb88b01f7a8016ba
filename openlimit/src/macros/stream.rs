//! Moves the permit into the stream that the function returns: the option `stream`.
//!
//! An expansion says by names what to do, and rustc decides by type:
//!
//! ```text
//! returned(&reply).streamed(
//!     permit,
//!     reply,
//!     |permit, stream| opaque(permit, stream, |tap, item| {
//!         item(item).show(tap, |tap, event| event(event).read(tap), unobserved)
//!     }),
//!     kept,
//! )
//! ```
//!
//! `returned` and `item` tell a `Result` from any other value, as `reply` does for `usage`. `event`
//! tells bytes from parsed events, and rejects text. A stream behind `impl Stream` becomes a
//! `WrappedStream`. A boxed stream keeps its type: it is boxed again.

use std::io::Read;
use std::marker::PhantomData;
use std::ops::Deref;
use std::pin::Pin;

use futures_core::Stream;

use super::judge::NoError;
use crate::Permit;
use crate::feedback::Verdict;
use crate::limiter::{Tap, WrappedRead, WrappedStream};

/// Reads the type of the return value. `.streamed(..)` then passes on the `Ok` value of a `Result`,
/// or any other value whole.
pub fn returned<R>(_: &R) -> Returned<R> {
    Returned(WholeReturned(PhantomData))
}

/// See [`returned`].
#[derive(Debug)]
pub struct Returned<R>(WholeReturned<R>);

/// See [`returned`].
#[derive(Debug)]
pub struct WholeReturned<R>(PhantomData<R>);

impl<T, E> Returned<Result<T, E>> {
    /// Moves the permit into the stream if the call succeeded. Otherwise finds out whether it was
    /// refused.
    pub fn streamed<W>(
        self,
        permit: Permit,
        reply: Result<T, E>,
        stream: impl FnOnce(Permit, T) -> W,
        refused: impl FnOnce(Permit, &E) -> Verdict,
    ) -> (Result<W, E>, Verdict) {
        match reply {
            Ok(reply) => (Ok(stream(permit, reply)), Verdict::NotLimited),
            Err(error) => {
                let verdict = refused(permit, &error);
                (Err(error), verdict)
            }
        }
    }
}

impl<R> WholeReturned<R> {
    /// Moves the permit into the stream.
    pub fn streamed<W>(
        &self,
        permit: Permit,
        reply: R,
        stream: impl FnOnce(Permit, R) -> W,
        _: impl FnOnce(Permit, &NoError) -> Verdict,
    ) -> (W, Verdict) {
        (stream(permit, reply), Verdict::NotLimited)
    }
}

impl<R> Deref for Returned<R> {
    type Target = WholeReturned<R>;

    fn deref(&self) -> &WholeReturned<R> {
        &self.0
    }
}

/// Keeps the charge of a call that failed: what `stream` alone does with an error.
pub fn kept<E: ?Sized>(_: Permit, _: &E) -> Verdict {
    Verdict::NotLimited
}

/// Moves the permit into a stream whose type the function hides.
pub fn opaque<Form, S: Opaque<Form>>(permit: Permit, stream: S, show: fn(&mut Tap, &S::Item)) -> S::Wrapped {
    stream.wrap(permit, show)
}

/// Moves the permit into a boxed stream.
pub fn boxed<S: Boxed>(permit: Permit, stream: S, show: fn(&mut Tap, &S::Item)) -> S {
    stream.wrap(permit, show)
}

/// A stream, or a reader. `Form` tells the two apart, and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`stream` cannot move the permit into `{Self}`",
    label = "this function returns no stream",
    note = "return a stream, a reader, or a `Result` of either; for anything else, move the permit in the body: \
            `permit = permit`"
)]
pub trait Opaque<Form> {
    /// The items of a stream.
    type Item;
    /// The stream with the permit.
    type Wrapped;

    /// Moves the permit into the stream.
    fn wrap(self, permit: Permit, show: fn(&mut Tap, &Self::Item)) -> Self::Wrapped;
}

/// The form of streams.
#[derive(Debug)]
pub enum StreamForm {}

/// The form of readers.
#[derive(Debug)]
pub enum ReadForm {}

#[diagnostic::do_not_recommend]
impl<S: Stream> Opaque<StreamForm> for S {
    type Item = S::Item;
    type Wrapped = WrappedStream<S>;

    fn wrap(self, permit: Permit, show: fn(&mut Tap, &S::Item)) -> WrappedStream<S> {
        permit.wrap_with(self, show)
    }
}

#[diagnostic::do_not_recommend]
impl<R: Read> Opaque<ReadForm> for R {
    // A reader is read as it is.
    type Item = Vec<u8>;
    type Wrapped = WrappedRead<R>;

    fn wrap(self, permit: Permit, _: fn(&mut Tap, &Vec<u8>)) -> WrappedRead<R> {
        permit.wrap_read(self)
    }
}

/// A boxed stream, or a boxed reader.
#[diagnostic::on_unimplemented(
    message = "`stream` cannot move the permit into `{Self}`",
    label = "this function returns neither `impl Stream` nor a boxed stream",
    note = "return `impl Stream<Item = ..>`, `BoxStream`, `impl Read`, `Box<dyn Read>`, or a `Result` of one; for \
            anything else, move the permit in the body: `permit = permit`"
)]
pub trait Boxed {
    /// The items of a stream.
    type Item;

    /// Moves the permit into the stream.
    #[must_use]
    fn wrap(self, permit: Permit, show: fn(&mut Tap, &Self::Item)) -> Self;
}

macro_rules! boxed_streams {
    ($($stream:ty: $new:path),+ $(,)?) => {$(
        impl<'a, I: 'a> Boxed for $stream {
            type Item = I;

            fn wrap(self, permit: Permit, show: fn(&mut Tap, &I)) -> Self {
                $new(permit.wrap_with(self, show))
            }
        }
    )+};
}

boxed_streams! {
    Pin<Box<dyn Stream<Item = I> + 'a>>: Box::pin,
    Pin<Box<dyn Stream<Item = I> + Send + 'a>>: Box::pin,
    Pin<Box<dyn Stream<Item = I> + Send + Sync + 'a>>: Box::pin,
    Box<dyn Stream<Item = I> + Unpin + 'a>: Box::new,
    Box<dyn Stream<Item = I> + Send + Unpin + 'a>: Box::new,
    Box<dyn Stream<Item = I> + Send + Sync + Unpin + 'a>: Box::new,
}

macro_rules! boxed_readers {
    ($($reader:ty),+ $(,)?) => {$(
        impl<'a> Boxed for $reader {
            type Item = Vec<u8>;

            fn wrap(self, permit: Permit, _: fn(&mut Tap, &Vec<u8>)) -> Self {
                Box::new(permit.wrap_read(self))
            }
        }
    )+};
}

boxed_readers! {
    Box<dyn Read + 'a>,
    Box<dyn Read + Send + 'a>,
    Box<dyn Read + Send + Sync + 'a>,
}
