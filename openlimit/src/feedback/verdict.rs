//! `Verdict`: what a refusal means for the caller.
//!
//! Every kind of denial asks for one of five reactions. Callers and the limiter decide by this one
//! type, whatever the provider.

use std::time::Duration;

use super::denial::DenialKind;
use super::observation::Observation;

/// The meaning of a response for the caller.
///
/// All times are counted from the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The same call may be sent again.
    Retry {
        /// The wait that the provider states; `None` if it states none.
        after: Option<Duration>,
    },
    /// The same call may be sent again, but the traffic has to grow more slowly.
    SlowDown {
        /// The wait that the provider states; `None` if it states none.
        after: Option<Duration>,
    },
    /// A quota, a budget or a credit is used up. To send any call again is pointless for long.
    Exhausted {
        /// The time until it is renewed; `None` if the provider does not state it, as for a budget
        /// that nobody raises.
        until: Option<Duration>,
    },
    /// The call will never fit. Make it smaller.
    TooLarge,
    /// The response is no refusal, or has nothing to do with limits.
    NotLimited,
}

impl Verdict {
    /// Returns the wait before the same call may be sent again; `None` if the provider states none,
    /// or if the call should not be sent again.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Retry { after } | Self::SlowDown { after } => *after,
            Self::Exhausted { .. } | Self::TooLarge | Self::NotLimited => None,
        }
    }
}

impl Observation {
    /// Returns what the response means for the caller.
    ///
    /// An overloaded provider is a [`Verdict::Retry`], too: the call was refused before it was
    /// served, and may be sent again. Errors that have nothing to do with limits are
    /// [`Verdict::NotLimited`].
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let after = self.retry_after();
        match self.denial().map(|denial| denial.kind()) {
            Some(DenialKind::RateLimited | DenialKind::Overloaded) => Verdict::Retry { after },
            Some(DenialKind::SlowDown) => Verdict::SlowDown { after },
            Some(DenialKind::Exhausted) => Verdict::Exhausted { until: after },
            Some(DenialKind::TooLarge) => Verdict::TooLarge,
            Some(DenialKind::Other) | None => Verdict::NotLimited,
        }
    }
}
