//! Finds out if the state of a client says nothing any more, so that a new client would do as well.
//!
//! A limiter for each key forgets the keys of which that is true. What other clients do is in
//! Redis, where a new client learns of it with its first reply. So only three things count: what
//! this client holds, what it has to send, and what it would restore if the server lost its data.

use super::state::Slots;
use crate::backend::Buckets as _;
use crate::backend::redis::scale::ONE;

impl Slots {
    /// Returns true if a new client would decide about all later calls in the same way.
    pub(super) fn says_nothing(&self, now: u64) -> bool {
        self.holds_nothing() && self.sends_nothing() && self.restores_nothing(now)
    }

    /// Returns true if it has no slots and no leases, and none are on their way.
    fn holds_nothing(&self) -> bool {
        self.has_no_slots() && self.in_flight.is_none()
    }

    /// Returns true if nothing waits for a batch.
    fn sends_nothing(&self) -> bool {
        !self.ledger.is_pending() && !self.is_update_pending && !self.wants_news && self.lease_for.is_none()
    }

    /// Returns true if all buckets have drained since the last reply, at the declared rates, or
    /// were reset, and nothing is on hold. That the rate climbs, or that Redis is away, is worth
    /// remembering.
    fn restores_nothing(&self, now: u64) -> bool {
        // Levels stand during a hold.
        let drains_at =
            |bucket| self.seen_at.max(self.opens_at(bucket)).saturating_add(self.ledger.level(bucket));
        let is_empty = |bucket| match self.windows_of(bucket) {
            Some(windows) => self.taken(windows, now) == 0,
            None => drains_at(bucket) <= now,
        };
        self.outage.is_none()
            && !self.is_shut(now)
            && self.scales.iter().all(|scale| scale.rate() == ONE)
            && (0..self.scales.len()).all(|bucket| is_empty(bucket) && !self.bucket_climbs(bucket, now))
    }
}
