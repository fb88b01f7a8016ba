//! The kinds of limiter: how each reads the cost of a call from what is passed to `acquire`.
//!
//! All limiters are one type, `Limiter<K>`; `K` is a marker that decides what may be priced. So the queue,
//! the permits and the options are written once, and a wrong combination is a compile error with a reason.

use std::borrow::Borrow;

#[cfg(feature = "tokenizers")]
use crate::tokens;
use crate::{Cost, ParamsError};

/// A limiter without a way to read params: it takes explicit costs.
#[derive(Clone, Copy, Debug)]
pub enum Explicit {}

/// Reads params as OpenAI's chat completions do: `model`, `messages`, `max_completion_tokens`, `n`.
#[cfg(feature = "tokenizers")]
#[derive(Clone, Copy, Debug)]
pub enum Chat {}

/// Reads params as OpenAI's legacy completions do: `model`, `prompt`, `max_tokens`, `n`, `best_of`; and
/// edits: `instruction`, `input`.
#[cfg(feature = "tokenizers")]
#[derive(Clone, Copy, Debug)]
pub enum Completion {}

/// Reads params as OpenAI's embeddings do: `model`, `input`.
#[cfg(feature = "tokenizers")]
#[derive(Clone, Copy, Debug)]
pub enum Embedding {}

/// Reads params as OpenAI's Responses do: `model`, `instructions`, `input`, `max_output_tokens`.
#[cfg(feature = "tokenizers")]
#[derive(Clone, Copy, Debug)]
pub enum Responses {}

/// What pricing needs to know of the limiter.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Pricing {
    /// Output tokens of a request that names no maximum.
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) default_output: u64,
    /// What counts in place of this library's own counter.
    #[cfg(feature = "tokenizers")]
    pub(crate) tokenizer: Option<tokens::Plugged>,
    /// What a request takes of a limit on tokens.
    #[cfg(feature = "tokenizers")]
    pub(crate) charge: tokens::Charge,
}

impl Default for Pricing {
    /// 16: what OpenAI itself appears to reserve for a request that names no maximum.
    fn default() -> Self {
        Self {
            default_output: 16,
            #[cfg(feature = "tokenizers")]
            tokenizer: None,
            #[cfg(feature = "tokenizers")]
            charge: tokens::Charge::Sum,
        }
    }
}

/// A kind of limiter that can read the cost of a call from its params.
#[cfg(feature = "tokenizers")]
#[diagnostic::on_unimplemented(
    message = "this limiter takes explicit costs and cannot price params",
    label = "a plain `RateLimiter` does not read params",
    note = "declare it as a `ChatRateLimiter` or one of its siblings, or give a `Cost`"
)]
pub trait ReadsParams {
    #[doc(hidden)]
    fn read<T: serde::Serialize + ?Sized>(params: &T, pricing: &Pricing) -> Result<Cost, ParamsError>;
}

#[cfg(feature = "tokenizers")]
mod reads {
    use super::{Chat, Completion, Cost, Embedding, ParamsError, Pricing, ReadsParams, Responses, tokens};

    macro_rules! reads {
        ($($kind:ident => $price:ident),+ $(,)?) => {$(
            impl ReadsParams for $kind {
                fn read<T: serde::Serialize + ?Sized>(
                    params: &T,
                    pricing: &Pricing,
                ) -> Result<Cost, ParamsError> {
                    tokens::$price(params, pricing)
                }
            }
        )+};
    }

    reads! {
        Chat => price_chat,
        Completion => price_completion,
        Embedding => price_embedding,
        Responses => price_responses,
    }
}

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
    fn cost(&self, pricing: &Pricing) -> Result<impl Borrow<Cost>, ParamsError>;
}

impl<K> Price<K> for Cost {
    #[inline(always)]
    fn cost(&self, _: &Pricing) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(self)
    }
}

impl<K> Price<K> for &Cost {
    #[inline(always)]
    fn cost(&self, _: &Pricing) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(*self)
    }
}

impl<K> Price<K> for u64 {
    #[inline(always)]
    fn cost(&self, _: &Pricing) -> Result<impl Borrow<Cost>, ParamsError> {
        Ok(Cost::from(*self))
    }
}

#[cfg(feature = "tokenizers")]
impl<K: ReadsParams, T: serde::Serialize + ?Sized> Price<K> for &T {
    fn cost(&self, pricing: &Pricing) -> Result<impl Borrow<Cost>, ParamsError> {
        K::read(*self, pricing)
    }
}
