//! Finds out if the state of a limiter says nothing any more.
//!
//! A limiter for each key forgets the keys of which that is true. Nobody can notice.

use super::Admission;
use crate::backend::Buckets as _;
use crate::learning::Learning;

impl Admission {
    /// Returns true if it decides about all later calls as a new limiter with the same limits
    /// would.
    pub(crate) fn is_as_new(&self, now: u64) -> bool {
        self.queue.is_empty()
            && self.backend.is_as_new(now)
            && self.seldom.get().probes.is_none()
            && (self.policy.widens == 0 || self.remaining.is_none())
            && !self.seldom.get().learning.as_ref().is_some_and(Learning::matters)
            && self.seldom.get().in_flight.as_ref().is_none_or(|flights| flights.is_as_new())
    }
}
