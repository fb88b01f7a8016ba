//! `PriceOptions` without the feature `tokenizers`: no requests are priced, so there are none.

use crate::error::BuildProblem;

/// The options of a limiter for pricing: none.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PriceOptions {}

impl PriceOptions {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) fn check(&self) -> Result<(), BuildProblem> {
        Ok(())
    }
}
