//! The option `usage`: settles the permit by what the function returned.

use crate::{Permit, Usage};

/// Calls `body`. A closure that is handed over at once may be `FnOnce`, and so give away what it borrows.
pub fn run<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// What `usage` gives: a count of tokens or a [`Usage`], if the reply has one.
#[diagnostic::on_unimplemented(
    message = "`usage` must give a count of tokens, not `{Self}`",
    label = "not a count of tokens",
    note = "give a `u64`, an `openlimit::Usage`, or an `Option` of either"
)]
pub trait Used {
    /// What the call used, if that is known.
    fn used(self) -> Option<Usage>;
}

// Not recommended, so that rustc reports a wrong type as above, and not as a missing `From`.
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

/// What the function is about to return: `.usage(..)` sees the `Ok` value of a `Result`, any other value whole.
///
/// By type and not by name, so that aliases work: a `Result` finds the method of [`Reply`], and every other
/// type the one behind it, of [`Whole`].
pub fn reply<R>(reply: &R) -> Reply<'_, R> {
    Reply(Whole(reply))
}

/// See [`reply`].
#[derive(Debug)]
pub struct Reply<'a, R>(Whole<'a, R>);

impl<T, E> Reply<'_, Result<T, E>> {
    /// Settles the permit by what a successful call says. For a failed one the reservation stands.
    pub fn usage<U: Used>(self, permit: Permit, usage: impl FnOnce(&T) -> U) {
        if let Ok(reply) = self.0.0 {
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
pub struct Whole<'a, R>(&'a R);

impl<R> Whole<'_, R> {
    /// Settles the permit by what the reply says.
    pub fn usage<U: Used>(&self, permit: Permit, usage: impl FnOnce(&R) -> U) {
        if let Some(usage) = usage(self.0).used() {
            permit.settle(usage);
        }
    }
}
