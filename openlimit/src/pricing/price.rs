//! `Price`: what `acquire` accepts.

use std::borrow::Borrow;

use super::options::PriceOptions;
use crate::{Cost, ParamsError};

/// What [`acquire`](crate::Limiter::acquire) accepts: a [`Cost`], an integer (one request with that many
/// tokens), or, on a limiter that prices params, a reference to anything serializable.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a request that openlimit can price",
    label = "neither a `Cost` nor a reference to something `Serialize`",
    note = "params are anything `serde::Serialize`, passed by reference, on a limiter that prices them",
    note = "or give the price outright: `Cost::new().tokens(900)`, or a `u64`, such as `count as u64`"
)]
pub trait Price<K> {
    /// The cost, by reference where it is there already: a fresh value that is copied at once costs as much as
    /// reading the clock.
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

impl<K> Price<K> for u64 {
    #[inline(always)]
    fn cost(&self, _: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(Cost::from(*self))
    }
}
