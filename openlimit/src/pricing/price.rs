//! `Price`: what `acquire` accepts, and how a cost is read from it.
//!
//! A cost that exists already is passed by reference, because making a `Cost` and copying it at
//! once would take as long as reading the clock.

use std::borrow::Borrow;
use std::fmt;

use super::options::PriceOptions;
use crate::{Cost, ParamsError};

/// A value that [`acquire`](crate::Limiter::acquire) accepts.
///
/// It is one of
///
/// - a [`Cost`], or a reference to one,
/// - an integer (`u64`, `u32`, `usize`, `i64` or `i32`): one request with that many tokens,
/// - on a limiter that prices params, a reference to anything that is serializable.
///
/// A negative integer is an [`AcquireError::Params`](crate::AcquireError::Params).
///
/// ```
/// use openlimit::{Cost, Rate, RateLimiter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder().tokens(Rate::per_minute(40_000)).build()?;
/// let text = "Why is the sky blue?";
/// assert_eq!(limiter.cost(text.len())?, Cost::new().tokens(20));
/// assert_eq!(
///     limiter.cost(-1).unwrap_err().to_string(),
///     "limiter `unnamed` cannot price the call: cannot read `tokens` of the params: \
///      expected a non-negative integer, found -1",
/// );
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request that openlimit can price",
    label = "neither a `Cost`, nor an integer, nor a reference to something `Serialize`",
    note = "params are anything `serde::Serialize`, passed by reference, on a limiter that prices them",
    note = "or give the price outright: `Cost::new().tokens(900)`, or a count of tokens as a `u64`, `u32`, \
            `usize`, `i64` or `i32`"
)]
pub trait Price<K> {
    /// Returns the cost, by reference if there is one to refer to.
    #[doc(hidden)]
    fn cost(&self, options: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError>;
}

impl<K> Price<K> for Cost {
    #[inline(always)]
    fn cost(&self, _: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(self)
    }
}

impl<K> Price<K> for &Cost {
    #[inline(always)]
    fn cost(&self, _: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(*self)
    }
}

/// The types that clients and `len()` count in. A literal without a suffix is an `i32`.
macro_rules! integers {
    ($($integer:ty),+) => {$(
        /// One request with this many tokens.
        impl<K> Price<K> for $integer {
            #[inline(always)]
            fn cost(&self, _: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
                match u64::try_from(*self) {
                    Ok(tokens) => Ok(Cost::from(tokens)),
                    Err(_) => Err(negative(self)),
                }
            }
        }
    )+};
}

integers!(u64, u32, usize, i64, i32);

#[cold]
#[inline(never)]
fn negative(found: &dyn fmt::Display) -> ParamsError {
    ParamsError::new("tokens", format!("expected a non-negative integer, found {found}"))
}
