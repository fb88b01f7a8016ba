//! What a permit says about its call: what it costs, which limiter admitted it, and how long it
//! waited.

use std::fmt;
use std::time::Duration;

use super::Permit;
use crate::limits::{Cost, Limit, Name};
use crate::queue::Wait;

impl Permit {
    /// Returns the cost that the call reserved, or, of dimensions that were
    /// [settled so far](Self::settle_so_far), what it is charged now.
    ///
    /// It names an amount for each dimension that the limiter meters, and no other. Like every
    /// cost, it counts one request if the limiter does not meter requests. For a
    /// [`Stack`](crate::Stack), it is the largest amount of all limiters in each dimension.
    #[must_use]
    pub fn cost(&self) -> Cost {
        let costs = self.levels().iter().map(|permit| permit.core().plan.cost(&permit.amounts()));
        costs.reduce(Cost::or_more).unwrap_or_default()
    }

    /// Returns the name of the limiter that admitted the call. For a [`Stack`](crate::Stack), it is
    /// the outermost one.
    #[must_use]
    pub fn limiter(&self) -> &Name {
        self.core().plan.name()
    }

    /// Returns how long the call waited: from its first poll until it was admitted, on the
    /// limiter's clock. Zero if it was admitted at once.
    ///
    /// The time between the admission and the next poll of the task does not count.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.wait().map_or(Duration::ZERO, |wait| Duration::from_nanos(wait.nanos))
    }

    /// Returns the limit that made the call wait last; `None` if it was admitted at once, or waited
    /// for the end of a [hold](crate::Limiter::hold), or of another call of a limiter that bounds
    /// its [concurrency](crate::Builder::concurrency). After an [update](crate::Limiter::update),
    /// it is the limit as it is now.
    #[must_use]
    pub fn waited_for(&self) -> Option<Limit> {
        // A hold is no limit, and neither is a concurrency.
        let waited = self.levels().iter().find(|permit| permit.wait().is_some())?;
        waited.core().plan.now().limits().get(waited.wait()?.limit).cloned()
    }

    /// Returns the number of calls that were to go before it when it arrived.
    #[allow(dead_code, reason = "for events")]
    pub(in crate::limiter) fn position(&self) -> u64 {
        self.wait().map_or(0, |wait| wait.position.into())
    }

    /// Returns the wait of the call; `None` if it was admitted at once.
    fn wait(&self) -> Option<&Wait> {
        self.levels().iter().find_map(|permit| permit.grant()?.wait.as_ref())
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("limiter", self.limiter())
            .field("waited", &self.waited())
            .finish_non_exhaustive()
    }
}
