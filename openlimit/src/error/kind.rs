//! The short names of errors, for events and metrics: they have few values, and say nothing secret.

use super::AcquireError;

impl AcquireError {
    /// Returns the name of the variant.
    #[allow(dead_code, reason = "for events and metrics")]
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::Timeout { .. } => "timeout",
            Self::WouldWait { .. } => "would_wait",
            Self::QueueFull { .. } => "queue_full",
            Self::Held { .. } => "held",
            Self::TooManyInFlight { .. } => "too_many_in_flight",
            Self::Exhausted { .. } => "exhausted",
            Self::UnknownDimension { .. } => "unknown_dimension",
            Self::Params { .. } => "params",
            Self::Timer { .. } => "timer",
            Self::WouldDeadlock { .. } => "would_deadlock",
            Self::TooManyKeys { .. } => "too_many_keys",
            Self::Store { .. } => "store",
            Self::Closed { .. } => "closed",
            Self::Build(_) => "build",
        }
    }
}
