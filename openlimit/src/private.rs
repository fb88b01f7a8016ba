//! What the expansions of the macros name. Not for anybody else: it may change in any release.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, LazyLock};

use crate::kind::{Explicit, Price};
use crate::{Acquire, AcquireError, Builder, Cost, FromAcquireError, Limiter, Permit, Rate, Unit, Usage};

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
pub trait Declare {
    /// The type itself.
    type Limiter;
}

impl<K> Declare for Limiter<K> {
    type Limiter = Self;
}

pub use crate::limiter::Keys;

/// Notes, before the value of a key is computed, which key it is.
pub fn at<K>(builder: Builder<K>, at: &Cell<&'static str>, key: &'static str) -> Builder<K> {
    at.set(key);
    builder
}

/// A static limiter of type `L`. Returns the projection so that a wrong type is not also a wrong value.
#[must_use]
pub const fn declare<L, K>(name: &'static str, keys: Keys<K>) -> <L as Declare>::Limiter
where
    L: Declare<Limiter = Limiter<K>>,
{
    Limiter::__lazy(name, keys)
}

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
    label = "neither an integer nor a `Cost`",
    note = "`cost = 900` and `cost = text.len()` are one request with that many tokens: a `u64`, `u32`, `usize`, \
            `i64` or `i32`",
    note = "`cost = Cost::new().input_tokens(900)` says more; `params = request` prices the request"
)]
pub trait Outright<K>: Price<K> {}

impl<K> Outright<K> for Cost {}
impl<K> Outright<K> for &Cost {}
impl<K> Outright<K> for u64 {}
impl<K> Outright<K> for u32 {}
impl<K> Outright<K> for usize {}
impl<K> Outright<K> for i64 {}
impl<K> Outright<K> for i32 {}

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
pub fn on_error<R>(error: AcquireError, on_error: impl FnOnce(AcquireError) -> R) -> R {
    on_error(error)
}

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

impl Used for Usage {
    fn used(self) -> Option<Usage> {
        Some(self)
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

/// The names of the attribute's options, for editors to complete.
pub mod options {
    /// The limiter that the call waits for: a static, a field, a method call, an argument.
    pub mod limiter {}
    /// What to price: the value that is also sent to the API.
    pub mod params {}
    /// The price outright: a `Cost`, or an integer for one request with that many tokens.
    pub mod cost {}
    /// The longest wait, a `Duration`.
    pub mod timeout {}
    /// What to return for a refused call: a closure that is given the `AcquireError`.
    pub mod on_error {}
    /// How many tokens the call used: a closure that is given the successful reply.
    pub mod usage {}
    /// A name for the permit in the body.
    pub mod permit {}
}
