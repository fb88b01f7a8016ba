//! Settles the permit with the value that the function returns: the option `usage`.

use crate::{Permit, Usage};

/// Calls `body`.
///
/// rustc infers `FnOnce` for a closure that is passed to this function. Called in place, it would
/// be `FnMut`, and could not return a borrow of `&mut self`.
pub fn run<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// A value that the closure of `usage` may return.
#[diagnostic::on_unimplemented(
    message = "`usage` must return a number of tokens, not `{Self}`",
    label = "not a number of tokens",
    note = "return an integer such as `u64`, an `openlimit::Usage`, or an `Option` of either"
)]
pub trait Used {
    /// Returns the usage, if it is known.
    fn used(self) -> Option<Usage>;
}

// Makes rustc print the message above for a wrong type, and not one about `Into<Usage>`.
#[diagnostic::do_not_recommend]
impl<U: Into<Usage>> Used for U {
    fn used(self) -> Option<Usage> {
        Some(self.into())
    }
}

impl<U: Used> Used for Option<U> {
    fn used(self) -> Option<Usage> {
        self.and_then(Used::used)
    }
}

/// Wraps the return value, so that `.usage(..)` passes on the `Ok` value of a `Result`, or any
/// other value whole.
///
/// rustc decides by type, so that aliases of `Result` work. A `Result` finds the method of
/// [`Reply`]. Any other type finds the method of [`Whole`], through `Deref`.
pub fn reply<R>(reply: &R) -> Reply<'_, R> {
    Reply(Whole(reply))
}

/// See [`reply`].
#[derive(Debug)]
pub struct Reply<'a, R>(Whole<'a, R>);

impl<'a, R> Reply<'a, R> {
    pub(super) fn value(self) -> &'a R {
        self.0.0
    }
}

impl<T, E> Reply<'_, Result<T, E>> {
    /// Settles the permit if the call succeeded. Otherwise it keeps what it reserved.
    pub fn usage<U: Used>(self, permit: Permit, usage: impl FnOnce(&T) -> U) {
        if let Ok(reply) = self.value() {
            Whole(reply).usage(permit, usage);
        }
    }
}

impl<'a, R> std::ops::Deref for Reply<'a, R> {
    type Target = Whole<'a, R>;

    fn deref(&self) -> &Whole<'a, R> {
        &self.0
    }
}

/// See [`reply`].
#[derive(Debug)]
pub struct Whole<'a, R>(pub(super) &'a R);

impl<R> Whole<'_, R> {
    /// Settles the permit, if the usage is known.
    pub fn usage<U: Used>(&self, permit: Permit, usage: impl FnOnce(&R) -> U) {
        if let Some(usage) = usage(self.0).used() {
            permit.settle(usage);
        }
    }
}
