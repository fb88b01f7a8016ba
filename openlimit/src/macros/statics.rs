//! Creates the statics that `limiter!` declares.

use std::cell::Cell;

use crate::kind::Explicit;
use crate::limiter::Fill;
use crate::{Builder, Keyed, Limiter, PerKey, Rate, Unit};

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
    note = "declare a limiter of openlimit, such as a `ChatRateLimiter` or a `Keyed<String, ChatRateLimiter>`"
)]
pub trait Declare {
    /// The type itself. Functions that return it are not suggested by rustc.
    type Itself;
}

impl<P> Declare for Limiter<P> {
    type Itself = Self;
}

impl<K, P> Declare for Keyed<K, Limiter<P>> {
    type Itself = Self;
}

impl<P> Limiter<P> {
    /// Creates a limiter that fills its builder at first use.
    // Inherent, because a method of a trait cannot be called in a static.
    #[doc(hidden)]
    #[must_use]
    pub const fn __declare(name: &'static str, keys: Fill<Builder<P>>) -> <Self as Declare>::Itself {
        Self::declared(name, keys)
    }
}

impl<K, P> Keyed<K, Limiter<P>> {
    /// Creates limiters that fill their builder at first use.
    #[doc(hidden)]
    #[must_use]
    pub const fn __declare(
        name: &'static str,
        keys: Fill<Builder<P, PerKey<K>>>,
    ) -> <Self as Declare>::Itself {
        Self::declared(name, keys)
    }
}

/// Any other type, for which rustc finds this method. It does not compile.
pub trait NotDeclared: Sized {
    /// Has a bound with a message.
    fn __declare(_: &'static str, _: Fill<Builder<Explicit>>) -> Self
    where
        Self: Declare,
    {
        unreachable!("limiters have methods of their own")
    }
}

impl<T> NotDeclared for T {}

/// Records which key is next, so that the error of its value can name it.
pub fn at<B>(builder: B, at: &Cell<&'static str>, key: &'static str) -> B {
    at.set(key);
    builder
}
