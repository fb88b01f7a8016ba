//! `PriceOptions` without the feature `tokenizers`: no requests are priced, so there are none.

use crate::error::BuildProblem;
use crate::limits::{Dollars, Usage};

/// The options of a limiter for pricing: none.
#[doc(hidden)]
#[derive(Clone, Debug, Default)]
pub struct PriceOptions {}

impl PriceOptions {
    /// Returns true if a cost in tokens is the sum of prompt and output.
    #[allow(clippy::unused_self, reason = "it is an option where requests are priced")]
    pub(crate) fn sums(&self) -> bool {
        true
    }

    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn has_price(&self) -> bool {
        false
    }

    pub(crate) fn learning(self, _: bool) -> Self {
        self
    }

    /// Returns nothing: no request was priced.
    #[expect(clippy::unused_self, reason = "as with the feature")]
    pub(crate) fn spend(&self, _: &str, _: &Usage) -> Option<Dollars> {
        None
    }

    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as with the feature")]
    pub(crate) fn check(&self) -> Result<(), BuildProblem> {
        Ok(())
    }
}
