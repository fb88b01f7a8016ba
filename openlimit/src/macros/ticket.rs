//! What `#[rate_limited]` prices: a limiter, then what the call takes from it.

use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use crate::kind::{Explicit, Price};
use crate::{Acquire, Cost, Limiter};

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

/// A call that has a limiter and as yet no price.
#[derive(Debug)]
pub struct Ticket<'a, K>(&'a Limiter<K>);

/// The first step of every expansion. `K` is inferred so that a wrong type is one error, not three.
pub fn limiter<L: AsLimiter<Kind = K> + ?Sized, K>(limiter: &L) -> Ticket<'_, K> {
    Ticket(limiter.as_limiter())
}

impl<K> Ticket<'_, K> {
    /// What to price: the value that is also sent to the API.
    pub fn params<P: Price<K>>(self, params: P) -> Acquire {
        self.0.acquire(params)
    }

    /// The price outright: a [`Cost`], or an integer for one request with that many tokens.
    pub fn cost<C: Outright<K>>(self, cost: C) -> Acquire {
        self.0.acquire(cost)
    }

    /// One request, where neither `params` nor `cost` is given.
    pub fn request(self) -> Acquire
    where
        K: Unpriced,
    {
        self.0.acquire(Cost::new())
    }
}

/// A price that is given and not read from params.
#[diagnostic::on_unimplemented(
    message = "`cost` must be a count of tokens or a `Cost`, not `{Self}`",
    label = "neither a `u64` nor a `Cost`",
    note = "`cost = 900` and `cost = count as u64` are one request with that many tokens",
    note = "`cost = Cost::new().input_tokens(900)` says more; `params = request` prices the request"
)]
pub trait Outright<K>: Price<K> {}

impl<K> Outright<K> for u64 {}
impl<K> Outright<K> for Cost {}
impl<K> Outright<K> for &Cost {}

/// A kind of limiter that needs no price for a call.
#[diagnostic::on_unimplemented(
    message = "this limiter prices its calls, and the call has no price",
    label = "needs `params = ..` or `cost = ..`",
    note = "`params = request` prices the request; `cost = 900` is one request with 900 tokens"
)]
pub trait Unpriced {}

impl Unpriced for Explicit {}
