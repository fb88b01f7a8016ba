//! Creates the statics that `limiter!` declares.

use std::cell::Cell;

use crate::limiter::Fill;
use crate::{Builder, Limiter, Rate, Unit};

/// Returns the rate of `amount / unit`. The expansion evaluates it in a constant, so a wrong amount
/// does not compile.
#[must_use]
pub const fn literal_rate(amount: u64, unit: Unit) -> Rate {
    assert!(amount > 0, "a rate of zero would never admit a call");
    assert!(amount <= i64::MAX as u64, "a rate must be less than 2^63");
    Rate::per(amount, unit)
}

/// A type that `limiter!` can declare.
#[diagnostic::on_unimplemented(
    message = "`limiter!` cannot declare a `{Self}`",
    label = "not a limiter",
    note = "declare a limiter of openlimit, such as a `ChatRateLimiter`"
)]
pub trait Declare {
    /// The type itself.
    type Limiter;
}

impl<K> Declare for Limiter<K> {
    type Limiter = Self;
}

/// Records which key is next, so that the error of its value can name it.
pub fn at<K>(builder: Builder<K>, at: &Cell<&'static str>, key: &'static str) -> Builder<K> {
    at.set(key);
    builder
}

/// Creates a limiter that fills its builder at first use.
///
/// It returns the associated type and not `L`, so that a wrong `L` is one error and not two.
#[must_use]
pub const fn declare<L, K>(name: &'static str, keys: Fill<K>) -> <L as Declare>::Limiter
where
    L: Declare<Limiter = Limiter<K>>,
{
    Limiter::declared(name, keys)
}
