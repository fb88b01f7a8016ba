//! What a declaration by `limiter!` becomes: a static that holds its keys, and builds itself at first use.

use std::cell::Cell;

use crate::limiter::Fill;
use crate::{Builder, Limiter, Rate, Unit};

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

/// Notes, before the value of a key is computed, which key it is.
pub fn at<K>(builder: Builder<K>, at: &Cell<&'static str>, key: &'static str) -> Builder<K> {
    at.set(key);
    builder
}

/// A static limiter of type `L`. Returns the projection so that a wrong type is not also a wrong value.
#[must_use]
pub const fn declare<L, K>(name: &'static str, keys: Fill<K>) -> <L as Declare>::Limiter
where
    L: Declare<Limiter = Limiter<K>>,
{
    Limiter::declared(name, keys)
}
