//! `ReadsParams`: kinds of limiter that read a cost from params.
//!
//! A reference to anything serializable is a `Price` on such a limiter.

use std::borrow::Borrow;

use serde::Serialize;

use super::options::PriceOptions;
use super::price::Price;
use crate::{Cost, ParamsError};

/// A kind of limiter that reads the cost of a call from its params.
#[diagnostic::on_unimplemented(
    message = "this limiter takes explicit costs and cannot price params",
    label = "a plain `RateLimiter` does not read params",
    note = "declare it as a `ChatRateLimiter` or one of its siblings, or give a `Cost`"
)]
pub trait ReadsParams {
    #[doc(hidden)]
    fn read<T: Serialize + ?Sized>(params: &T, options: &PriceOptions) -> Result<Cost, ParamsError>;

    /// Returns the paths of the fields that are counted as their text because they are unknown.
    #[doc(hidden)]
    fn unknown_fields<T: Serialize + ?Sized>(params: &T) -> Result<Vec<String>, ParamsError>;
}

impl<K: ReadsParams, T: Serialize + ?Sized> Price<K> for &T {
    fn cost(&self, options: &PriceOptions) -> Result<impl Borrow<Cost>, ParamsError> {
        K::read(*self, options)
    }
}

/// Lets a kind of limiter read requests by a grammar.
macro_rules! reads_params {
    ($kind:ident, $grammar:expr) => {
        impl $crate::pricing::params::ReadsParams for $kind {
            fn read<T: serde::Serialize + ?Sized>(
                params: &T,
                options: &$crate::pricing::options::PriceOptions,
            ) -> Result<$crate::Cost, $crate::ParamsError> {
                $crate::pricing::common::price(&$grammar, params, options)
            }

            fn unknown_fields<T: serde::Serialize + ?Sized>(
                params: &T,
            ) -> Result<Vec<String>, $crate::ParamsError> {
                $crate::pricing::common::unknown_fields(&$grammar, params)
            }
        }
    };
}

pub(super) use reads_params;
