//! `Denial`: the reason why a provider refused a call.
//!
//! It holds numbers and known words only. The text of an error may repeat what a user has sent, so
//! none of it is kept.

use std::time::Duration;

use crate::limits::Dimension;

/// The reason why a provider refused a call, as its response states it.
///
/// [`Observation::verdict`](super::Observation::verdict) says what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub(super) kind: DenialKind,
    pub(super) violations: Vec<Violation>,
}

impl Denial {
    /// Returns the kind of the reason.
    #[must_use]
    pub fn kind(&self) -> DenialKind {
        self.kind
    }

    /// Returns the limits that the call violated, as far as the response names them. Gemini names
    /// several at once.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }
}

/// The kind of a [`Denial`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DenialKind {
    /// A limit had no room for the call at this moment.
    RateLimited,
    /// The traffic grows faster than the provider allows, although it is below the limits.
    SlowDown,
    /// A quota, a budget or a credit is used up. It comes back late, or not at all.
    Exhausted,
    /// The call is larger than the whole limit or than the model's context, so it will never fit.
    TooLarge,
    /// The provider has too little capacity at this moment, whoever calls.
    Overloaded,
    /// Nothing about limits.
    Other,
}

/// A limit that a call violated.
///
/// Every part is optional, because each provider states others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Violation {
    pub(super) dimension: Option<Dimension>,
    pub(super) window: Option<Duration>,
    pub(super) limit: Option<u64>,
    pub(super) used: Option<u64>,
    pub(super) requested: Option<u64>,
}

impl Violation {
    /// Returns what the limit counts.
    #[must_use]
    pub fn dimension(&self) -> Option<&Dimension> {
        self.dimension.as_ref()
    }

    /// Returns the time over which the limit counts.
    #[must_use]
    pub fn window(&self) -> Option<Duration> {
        self.window
    }

    /// Returns the amount that is allowed per window.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// Returns the amount that was used when the call arrived. It may be above the limit.
    #[must_use]
    pub fn used(&self) -> Option<u64> {
        self.used
    }

    /// Returns the price of the refused call, as the provider counts it.
    #[must_use]
    pub fn requested(&self) -> Option<u64> {
        self.requested
    }
}
