//! Reads the items of a stream for the option `stream`: results or not, and bytes or parsed events.

use std::ops::Deref;

use super::judge::NoError;
use crate::feedback::Observation;
use crate::limiter::Tap;

/// Wraps an item, so that `.show(..)` passes on the `Ok` value of a `Result`, or any other item
/// whole.
pub fn item<I>(item: &I) -> Item<'_, I> {
    Item(WholeItem(item))
}

/// See [`item`].
#[derive(Debug)]
pub struct Item<'a, I>(WholeItem<'a, I>);

/// See [`item`].
#[derive(Debug)]
pub struct WholeItem<'a, I>(&'a I);

impl<T, E> Item<'_, Result<T, E>> {
    /// Reads the event, or notes the error.
    pub fn show(
        self,
        tap: &mut Tap,
        read: impl FnOnce(&mut Tap, &T),
        observe: impl FnOnce(&E) -> Option<Observation>,
    ) {
        match self.0.0 {
            Ok(event) => read(tap, event),
            Err(error) => tap.fail(observe(error).as_ref()),
        }
    }
}

impl<I> WholeItem<'_, I> {
    /// Reads the event.
    pub fn show(
        &self,
        tap: &mut Tap,
        read: impl FnOnce(&mut Tap, &I),
        _: impl FnOnce(&NoError) -> Option<Observation>,
    ) {
        read(tap, self.0);
    }
}

impl<'a, I> Deref for Item<'a, I> {
    type Target = WholeItem<'a, I>;

    fn deref(&self) -> &WholeItem<'a, I> {
        &self.0
    }
}

/// Wraps an event, so that `.read(..)` reads it for what it is.
///
/// rustc decides by type. Text finds the method of [`Event`], which does not compile. Bytes find
/// the method of [`Bytes`], and everything else the method of [`Parsed`].
pub fn event<T: ?Sized>(event: &T) -> Event<'_, T> {
    Event(Bytes(Parsed(event)))
}

/// See [`event`].
#[derive(Debug)]
pub struct Event<'a, T: ?Sized>(Bytes<'a, T>);

/// See [`event`].
#[derive(Debug)]
pub struct Bytes<'a, T: ?Sized>(Parsed<'a, T>);

/// See [`event`].
#[derive(Debug)]
pub struct Parsed<'a, T: ?Sized>(&'a T);

impl<T: AsRef<str> + ?Sized> Event<'_, T> {
    /// Does not compile. The text of a model can look like usage.
    pub fn read(self, _: &mut Tap)
    where
        T: StatesUsage,
    {
    }
}

impl<T: AsRef<[u8]> + ?Sized> Bytes<'_, T> {
    /// Reads bytes, which may be split anywhere.
    pub fn read(&self, tap: &mut Tap) {
        tap.bytes(self.0.0.as_ref());
    }
}

impl<T: ?Sized> Parsed<'_, T> {
    /// Reads an event that the client has parsed.
    pub fn read(&self, tap: &mut Tap)
    where
        T: ReadableEvent,
    {
        self.0.show(tap);
    }
}

impl<'a, T: ?Sized> Deref for Event<'a, T> {
    type Target = Bytes<'a, T>;

    fn deref(&self) -> &Bytes<'a, T> {
        &self.0
    }
}

impl<'a, T: ?Sized> Deref for Bytes<'a, T> {
    type Target = Parsed<'a, T>;

    fn deref(&self) -> &Parsed<'a, T> {
        &self.0
    }
}

/// Satisfied by no type.
#[diagnostic::on_unimplemented(
    message = "`stream` cannot find the usage in a stream of text",
    label = "the items of this stream are text",
    note = "a stream of the provider's bytes or events states its usage: take the permit by `permit = permit`, move \
            it into that stream (`permit.wrap(..)` or `permit.wrap_items(..)`), and take the text from the result"
)]
pub trait StatesUsage {}

/// An event in which `stream` can find the usage.
#[cfg_attr(
    feature = "tokenizers",
    diagnostic::on_unimplemented(
        message = "`stream` cannot find the usage in a stream of `{Self}`, which is not `Serialize`",
        label = "the items of this stream cannot be read",
        note = "return bytes, events that are `Serialize`, or results of either; or take the permit by `permit = \
                permit`, and move it into the stream that these items come from"
    )
)]
#[cfg_attr(
    not(feature = "tokenizers"),
    diagnostic::on_unimplemented(
        message = "to find the usage in parsed events, enable the feature `tokenizers` of openlimit",
        label = "`cargo add openlimit --features tokenizers`, or return a stream of bytes"
    )
)]
pub trait ReadableEvent {
    /// Shows the event to the tap.
    fn show(&self, tap: &mut Tap);
}

#[cfg(feature = "tokenizers")]
#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + ?Sized> ReadableEvent for T {
    fn show(&self, tap: &mut Tap) {
        tap.item(self);
    }
}

/// Reads nothing from an error in the stream: what `stream` does without `feedback`.
pub fn unobserved<E: ?Sized>(_: &E) -> Option<Observation> {
    None
}
