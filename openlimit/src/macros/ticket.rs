//! Starts an acquisition for `#[rate_limited]`: the limiter, then the cost of the call.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use crate::pricing::kind::{Explicit, Price};
use crate::{Acquire, Cost, Limiter};

/// A value that the option `limiter` takes: a limiter, or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an openlimit limiter",
    label = "not a limiter",
    note = "`limiter = ..` takes a limiter of openlimit, such as a `ChatRateLimiter`, or a pointer to one"
)]
pub trait AsLimiter {
    /// The kind of the limiter, which decides how it prices requests.
    type Kind;

    /// Returns the limiter.
    fn as_limiter(&self) -> &Limiter<Self::Kind>;
}

impl<K> AsLimiter for Limiter<K> {
    type Kind = K;

    fn as_limiter(&self) -> &Limiter<K> {
        self
    }
}

macro_rules! through_pointer {
    ($($pointer:ty),+) => {$(
        impl<L: AsLimiter + ?Sized> AsLimiter for $pointer {
            type Kind = L::Kind;

            fn as_limiter(&self) -> &Limiter<L::Kind> {
                (**self).as_limiter()
            }
        }
    )+};
}

through_pointer!(&L, &mut L, Box<L>, Rc<L>, Arc<L>);

impl<L: AsLimiter> AsLimiter for LazyLock<L> {
    type Kind = L::Kind;

    fn as_limiter(&self) -> &Limiter<L::Kind> {
        (**self).as_limiter()
    }
}

impl<L: AsLimiter> AsLimiter for once_cell::sync::Lazy<L> {
    type Kind = L::Kind;

    fn as_limiter(&self) -> &Limiter<L::Kind> {
        (**self).as_limiter()
    }
}

/// A call that has a limiter, but no cost yet.
#[derive(Debug)]
pub struct Ticket<'a, K>(&'a Limiter<K>);

/// Begins the expansion of the attribute. `K` is inferred, so that a wrong type is one error and
/// not three.
pub fn limiter<L: AsLimiter<Kind = K> + ?Sized, K>(limiter: &L) -> Ticket<'_, K> {
    Ticket(limiter.as_limiter())
}

impl<K> Ticket<'_, K> {
    /// Prices the request.
    pub fn params<P: Price<K>>(self, params: P) -> Acquire {
        self.0.acquire(params)
    }

    /// Takes the cost as it is: a [`Cost`], or an integer for one request with that many tokens.
    pub fn cost<C: Outright<K>>(self, cost: C) -> Acquire {
        self.0.acquire(cost)
    }

    /// Takes one request. Called if neither `params` nor `cost` is given.
    pub fn request(self) -> Acquire
    where
        K: Unpriced,
    {
        self.0.acquire(Cost::new())
    }
}

/// A value that the option `cost` takes.
#[diagnostic::on_unimplemented(
    message = "`cost` must be a number of tokens or a `Cost`, not `{Self}`",
    label = "expected an integer or a `Cost`",
    note = "`cost = 900` and `cost = text.len()` are one request with that many tokens",
    note = "`cost = Cost::new().input_tokens(900)` names what it counts",
    note = "`params = request` prices the request"
)]
pub trait Outright<K>: Price<K> {}

impl<K> Outright<K> for u64 {}
impl<K> Outright<K> for u32 {}
impl<K> Outright<K> for usize {}
impl<K> Outright<K> for i64 {}
impl<K> Outright<K> for i32 {}
impl<K> Outright<K> for Cost {}
impl<K> Outright<K> for &Cost {}

/// A kind of limiter whose calls need no cost.
#[diagnostic::on_unimplemented(
    message = "this limiter needs the cost of the call",
    label = "needs `params = ..` or `cost = ..`",
    note = "`params = request` prices the request; `cost = 900` is one request with 900 tokens"
)]
pub trait Unpriced {}

impl Unpriced for Explicit {}
