//! `PriceOptions` without the feature `tokenizers`: no requests are priced, so there are none.

/// The options of a limiter for pricing: none.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PriceOptions {}
