//! Translates refusals into the errors that callers get.
//!
//! A refusal has numbers and the place of a limit. An error also names the limiter and the limit,
//! which only the plan knows. They are written once a call is refused, since they are large.

use std::time::Duration;

use super::plan::Plan;
use crate::error::{AcquireError, ParamsError};
use crate::queue::Refusal;

impl Plan {
    /// Returns the refusal of a call that could never be admitted.
    pub(crate) fn too_large(&self, amounts: &[u64]) -> Option<AcquireError> {
        let mut metered = self.dimensions.iter().zip(amounts);
        let (metered, cost) = metered.find(|(metered, cost)| **cost > metered.most)?;
        Some(AcquireError::TooLarge {
            dimension: metered.dimension.clone(),
            cost: *cost,
            most: metered.most,
            limit: self.limits[metered.tightest].clone(),
            limiter: self.name.clone(),
        })
    }

    /// Refuses a call that would have to wait for so many nanoseconds and may not, or that could
    /// never be admitted.
    ///
    /// It returns the caller's own result, so that the error is written where the caller reads it.
    #[cold]
    #[inline(never)]
    pub(crate) fn would_wait<T>(
        &self,
        amounts: &[u64],
        (wait, limit): (u64, usize),
    ) -> Result<T, AcquireError> {
        if let Some(error) = self.too_large(amounts) {
            return Err(error);
        }
        Err(self.missing(wait, limit))
    }

    /// Returns the error that a refused caller gets.
    #[cold]
    pub(crate) fn error(&self, refusal: Refusal) -> AcquireError {
        match refusal {
            Refusal::TimedOut { timeout, waited, wait, limit } => AcquireError::Timeout {
                timeout: Duration::from_nanos(timeout),
                waited: Duration::from_nanos(waited),
                wait: Duration::from_nanos(wait),
                limit: self.limits[limit].clone(),
                limiter: self.name.clone(),
            },
            Refusal::WouldWait { wait, limit } => self.missing(wait, limit),
            Refusal::InFlight { calls, most, waited } => AcquireError::TooManyInFlight {
                calls,
                most,
                waited: Duration::from_nanos(waited),
                limiter: self.name.clone(),
            },
            Refusal::QueueFull { waiting, waited, wait } => AcquireError::QueueFull {
                waiting,
                waited: Duration::from_nanos(waited),
                wait: Duration::from_nanos(wait),
                limiter: self.name.clone(),
            },
            // Only the limiter knows the reason.
            Refusal::Exhausted { until } => AcquireError::Exhausted {
                until: Duration::from_nanos(until),
                reason: "a quota is used up".into(),
                limiter: self.name.clone(),
            },
            Refusal::Undecided { waited, error } => AcquireError::Store {
                limiter: self.name.clone(),
                waited: Duration::from_nanos(waited),
                error,
            },
            Refusal::Closed => AcquireError::Closed { limiter: self.name.clone() },
            Refusal::TooLarge(error) => *error,
        }
    }

    /// Returns the error of a call that may not wait and lacks so many nanoseconds of a limit.
    #[inline(always)]
    fn missing(&self, wait: u64, limit: usize) -> AcquireError {
        AcquireError::WouldWait {
            wait: Duration::from_nanos(wait),
            limit: self.limits[limit].clone(),
            limiter: self.name.clone(),
        }
    }

    /// Returns the error of params that cannot be priced.
    #[cold]
    #[inline(never)]
    pub(crate) fn unpriced(&self, error: ParamsError) -> AcquireError {
        AcquireError::Params { limiter: self.name.clone(), error }
    }
}
