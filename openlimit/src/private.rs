//! What the expansions of the macros name. Not for anybody else: it may change in any release.

use std::sync::{Arc, LazyLock};

use crate::kind::{Explicit, Price};
use crate::{Acquire, AcquireError, Cost, FromAcquireError, Limiter, Permit, Rate, Unit};

/// A rate written out in `limiter!`, checked where it is evaluated: at compile time.
#[must_use]
pub const fn literal_rate(amount: u64, unit: Unit) -> Rate {
    assert!(amount > 0, "a rate of zero would never admit a call");
    assert!(amount <= i64::MAX as u64, "a rate of 2^63 or more is out of range");
    Rate::per(amount, unit)
}

/// A type that `limiter!` can declare.
#[diagnostic::on_unimplemented(
    message = "`limiter!` cannot declare a `{Self}`",
    label = "not a limiter",
    note = "declare a `RateLimiter`, a `ChatRateLimiter` or one of its siblings"
)]
pub trait Declare {}

impl<K> Declare for Limiter<K> {}

/// Says so if `L` is no limiter.
pub const fn declarable<L: Declare>() {}

/// What `#[rate_limited(limiter = ..)]` takes: a limiter, or a pointer to one.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an openlimit limiter",
    label = "not a limiter",
    note = "`limiter = ..` takes a `RateLimiter`, a `ChatRateLimiter` or one of its siblings, or a pointer to one"
)]
pub trait AsLimiter {
    /// How the limiter reads params.
    type Kind;

    /// The limiter itself.
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

through_pointer!(&L, &mut L, Box<L>, Arc<L>);

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

/// A call that has a limiter and as yet no price.
#[derive(Debug)]
pub struct Ticket<'a, K>(&'a Limiter<K>);

/// The first step of every expansion. Mentions the projection so that a wrong type is one error, not three.
pub fn limiter<L: AsLimiter + ?Sized>(limiter: &L) -> Ticket<'_, <L as AsLimiter>::Kind> {
    Ticket(limiter.as_limiter())
}

impl<K> Ticket<'_, K> {
    /// What to price: the value that is also sent to the API.
    pub fn params<P: Price<K>>(self, params: P) -> Acquire {
        self.0.acquire(params)
    }

    /// The price outright: a [`Cost`], or an integer for one request with that many tokens.
    pub fn cost(self, cost: impl Into<Cost>) -> Acquire {
        self.0.acquire(cost.into())
    }

    /// One request, where neither `params` nor `cost` is given.
    pub fn request(self) -> Acquire
    where
        K: Unpriced,
    {
        self.0.acquire(Cost::new())
    }
}

/// A kind of limiter that needs no price for a call.
#[diagnostic::on_unimplemented(
    message = "this limiter prices its calls, and the call has no price",
    label = "needs `params = ..` or `cost = ..`",
    note = "`params = request` prices the request; `cost = 900` is one request with 900 tokens"
)]
pub trait Unpriced {}

impl Unpriced for Explicit {}

/// The return value for a refused call.
pub fn refuse<R: FromAcquireError>(error: AcquireError) -> R {
    R::from_acquire_error(error)
}

/// The return value for a refused call, by `on_error`.
pub fn on_error<R, F: FnOnce(AcquireError) -> R>(error: AcquireError, on_error: F) -> R {
    on_error(error)
}

/// Waits for the admission without a runtime.
///
/// # Errors
/// As [`Acquire::blocking`].
pub fn blocking(acquire: Acquire) -> Result<Permit, AcquireError> {
    acquire.blocking()
}
