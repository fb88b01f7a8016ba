//! `PriceOptions` without the feature `tokenizers`: without requests to price there is nothing to set.

/// The options of a limiter for pricing: none.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PriceOptions {}
