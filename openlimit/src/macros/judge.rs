//! Judges the value that the function returns: the options `feedback`, `refused` and `retry`.

use std::error::Error;
use std::ops::Deref;

use super::settle::{Reply, Used, Whole};
use crate::feedback::{Observation, Refusal, Verdict};
use crate::{Permit, Usage};

impl<T, E> Reply<'_, Result<T, E>> {
    /// Settles the permit if the call succeeded. Otherwise finds out whether it was refused.
    pub fn judged<U: Used>(
        self,
        permit: Permit,
        usage: impl FnOnce(&T) -> U,
        refused: impl FnOnce(Permit, &E) -> Verdict,
    ) -> Verdict {
        match self.value() {
            Ok(reply) => {
                Whole(reply).usage(permit, usage);
                Verdict::NotLimited
            }
            Err(error) => refused(permit, error),
        }
    }
}

/// The error of a function that returns no `Result`.
#[derive(Debug, thiserror::Error)]
pub enum NoError {}

impl<R> Whole<'_, R> {
    /// Settles the permit. The value says nothing of a refusal.
    pub fn judged<U: Used>(
        &self,
        permit: Permit,
        usage: impl FnOnce(&R) -> U,
        _: impl FnOnce(Permit, &NoError) -> Verdict,
    ) -> Verdict {
        self.usage(permit, usage);
        Verdict::NotLimited
    }
}

/// Finds the usage in a reply: what `feedback` does if `usage` is not given.
pub fn found<T: Readable + ?Sized>(reply: &T) -> Option<Usage> {
    reply.usage()
}

/// Leaves the reservation as it is: what `refused` alone does with a reply.
pub fn unknown<T: ?Sized>(_: &T) -> Option<Usage> {
    None
}

/// A reply in which `feedback` can find the usage.
#[cfg_attr(
    feature = "tokenizers",
    diagnostic::on_unimplemented(
        message = "`feedback` cannot find the usage in `{Self}`, which is not `Serialize`",
        label = "this function's reply cannot be read",
        note = "say where the usage is, if anywhere: `usage = |reply| reply.total_tokens`, or `usage = |_| None::<u64>`; \
                for a stream, add `stream`"
    )
)]
#[cfg_attr(
    not(feature = "tokenizers"),
    diagnostic::on_unimplemented(
        message = "to find the usage in replies, enable the feature `tokenizers` of openlimit",
        label = "`cargo add openlimit --features tokenizers`, or say where it is: `usage = |reply| ..`"
    )
)]
pub trait Readable {
    /// Returns what the reply says was used.
    fn usage(&self) -> Option<Usage>;
}

#[cfg(feature = "tokenizers")]
#[diagnostic::do_not_recommend]
impl<T: serde::Serialize + ?Sized> Readable for T {
    fn usage(&self) -> Option<Usage> {
        Usage::of(self)
    }
}

/// Passes the error to the closure of `refused`, and what that returns to the limiter.
pub fn refused<'a, E: ?Sized, Form, R: Refusal<Form>>(
    permit: Permit,
    error: &'a E,
    refused: impl FnOnce(&'a E) -> R,
) -> Verdict {
    permit.refused(refused(error))
}

/// Wraps an error, so that `.judged(..)` and `.observed()` read it.
///
/// rustc decides by type. An error finds the method of [`Failed`]. A pointer to one, such as
/// `anyhow::Error` and a boxed `dyn Error`, finds the method of [`Behind`], through `Deref`.
/// Anything else cannot be judged, and finds the `observed` of [`Unread`].
pub fn failed<E>(error: &E) -> Failed<'_, E> {
    Failed(Behind(Unread(error)))
}

/// See [`failed`].
#[derive(Debug)]
pub struct Failed<'a, E>(Behind<'a, E>);

impl<E: Error + 'static> Failed<'_, E> {
    /// Holds the limiter if the error is a refusal.
    pub fn judged(self, permit: Permit) -> Verdict {
        permit.refused(Observation::from_error(self.0.0.0))
    }

    /// Reads the error.
    #[must_use]
    pub fn observed(self) -> Option<Observation> {
        Some(Observation::from_error(self.0.0.0))
    }
}

impl<'a, E> Deref for Failed<'a, E> {
    type Target = Behind<'a, E>;

    fn deref(&self) -> &Behind<'a, E> {
        &self.0
    }
}

/// See [`failed`].
#[derive(Debug)]
pub struct Behind<'a, E>(Unread<'a, E>);

impl<E> Behind<'_, E> {
    /// Holds the limiter if the error is a refusal.
    pub fn judged(&self, permit: Permit) -> Verdict
    where
        E: PointsToError,
    {
        permit.refused(Observation::from_error(self.0.0.pointee()))
    }
}

impl<E: PointsToError> Behind<'_, E> {
    /// Reads the error.
    #[must_use]
    pub fn observed(&self) -> Option<Observation> {
        Some(Observation::from_error(self.0.0.pointee()))
    }
}

impl<'a, E> Deref for Behind<'a, E> {
    type Target = Unread<'a, E>;

    fn deref(&self) -> &Unread<'a, E> {
        &self.0
    }
}

/// See [`failed`].
#[derive(Debug)]
pub struct Unread<'a, E>(&'a E);

impl<E> Unread<'_, E> {
    /// Reads nothing. Errors in streams are often only messages.
    #[must_use]
    pub fn observed(&self) -> Option<Observation> {
        None
    }
}

/// A pointer to an error of any type.
#[diagnostic::on_unimplemented(
    message = "`feedback` cannot read a refusal from `{Self}`, which is no error",
    label = "this function's error cannot be read",
    note = "implement `std::error::Error` for it, or read it by `refused = |error| ..`, which returns an \
            `Observation` or the response as `(status, headers, body)`"
)]
pub trait PointsToError {
    /// Returns the error.
    fn pointee(&self) -> &(dyn Error + 'static);
}

#[diagnostic::do_not_recommend]
impl<P: Deref<Target: AnyError>> PointsToError for P {
    fn pointee(&self) -> &(dyn Error + 'static) {
        self.deref().as_error()
    }
}

/// An error of any type.
pub trait AnyError {
    /// Returns it.
    fn as_error(&self) -> &(dyn Error + 'static);
}

macro_rules! any_error {
    ($($error:ty),+) => {$(
        impl AnyError for $error {
            fn as_error(&self) -> &(dyn Error + 'static) {
                self
            }
        }
    )+};
}

any_error!(dyn Error, dyn Error + Send, dyn Error + Send + Sync);

#[diagnostic::do_not_recommend]
impl<E: Error + 'static> AnyError for E {
    fn as_error(&self) -> &(dyn Error + 'static) {
        self
    }
}
