//! `LearnedSite`: what is known of a call site, as programs see it.

use std::fmt;

use super::estimate::Estimate;
use super::sites::{Site, SiteId};

/// What a limiter has learned of one call site. Part of a [`Status`](crate::Status).
///
/// The limiter does not keep the names of sites. [`is`](Self::is) finds one by its name.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LearnedSite {
    id: SiteId,
    /// The number of calls that it was learned from, at most 500.
    pub calls: u64,
    /// The mean output of a call, in tokens, for each answer that it asks for. `None` if it is not
    /// [learned](crate::Builder::output).
    pub output: Option<f64>,
    /// The provider's count of a prompt, divided by ours. `None` if no usage stated it.
    pub prompt_ratio: Option<f64>,
}

impl LearnedSite {
    pub(super) fn of(id: SiteId, site: &Site) -> Self {
        let mean = |of: &Estimate| (of.known() > 0).then(|| of.mean());
        let calls = site.output.known().max(site.prompt.known());
        Self { id, calls, output: mean(&site.output), prompt_ratio: mean(&site.prompt) }
    }

    /// Returns true if this is the site of this name: that of
    /// [`Acquire::site`](crate::Acquire::site).
    #[must_use]
    pub fn is(&self, site: &str) -> bool {
        self.id == SiteId::of(site)
    }
}

impl fmt::Display for LearnedSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(output) = self.output {
            write!(f, "{output:.0} tokens of output, ")?;
        }
        if let Some(ratio) = self.prompt_ratio {
            write!(f, "{ratio:.2} times our count of the prompt, ")?;
        }
        write!(f, "from {} calls", self.calls)
    }
}
