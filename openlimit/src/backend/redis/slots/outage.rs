//! Outages: what happens to calls while Redis does not answer, and when it answers again.

use super::Slots;
use crate::backend::{OnOutage, Refusals};
use crate::error::StoreError;
use crate::queue::{Queue, Waiter};

#[derive(Debug)]
pub(super) struct Outage {
    since: u64,
    error: StoreError,
}

impl Slots {
    /// Returns the error of the current outage.
    pub(super) fn away(&self) -> Option<&StoreError> {
        self.outage.as_ref().map(|outage| &outage.error)
    }

    /// Returns whether the buckets of this process decide now.
    pub(super) fn is_alone(&self) -> bool {
        self.local_share().is_some()
    }

    /// Returns the share of the limits, in percent, within which calls are admitted without Redis
    /// now.
    fn local_share(&self) -> Option<u8> {
        match (&self.outage, self.terms.on_outage) {
            (Some(_), OnOutage::Local(share)) => Some(share.0),
            _ => None,
        }
    }

    /// Notes that the batch in flight was not decided. Returns the waiters to refuse, and whether
    /// anything still waits for the batch.
    pub(in crate::backend::redis) fn failed(
        &mut self,
        error: &StoreError,
        queue: &Queue,
        now: u64,
    ) -> (Refusals, bool) {
        let refuses: Box<dyn Fn(&Waiter) -> bool> = if error.is_transient() {
            let since = self.missed(error, now);
            let patience = self.terms.patience;
            // Whether a call without a timeout has waited for Redis long enough.
            Box::new(move |waiter| {
                waiter.timeout == u64::MAX && now.saturating_sub(since.max(waiter.arrived)) >= patience
            })
        } else {
            // Redis is there and has to be fixed: no call goes on without it.
            self.come_back(now);
            Box::new(|_| true)
        };
        let refused = queue.iter().filter(|(_, waiter)| refuses(waiter));
        let refusals: Refusals = refused.map(|(key, waiter)| (key, waiter.undecided(error, now))).collect();
        let waiting = queue.len() > refusals.len() || self.is_alone();
        if !waiting {
            self.doze();
        }
        (refusals, waiting)
    }

    /// Notes that Redis was not reached. Returns since when.
    fn missed(&mut self, error: &StoreError, now: u64) -> u64 {
        let since = self.outage.as_ref().map(|outage| outage.since);
        self.outage = Some(Outage { since: since.unwrap_or(now), error: error.clone() });
        if since.is_none() {
            self.outages += 1;
            self.go_alone(now);
        }
        since.unwrap_or(now)
    }

    /// Redis is away. If calls go on without it, this process's share of what is known to be in the
    /// buckets is in its own buckets from now on.
    fn go_alone(&mut self, now: u64) {
        let Some(share) = self.local_share() else { return };
        self.release_all(now);
        for bucket in 0..self.scales.len() {
            let known = self.part_of_level(bucket, share, now);
            self.local.fill(self.places[bucket], known, now);
        }
    }

    /// Redis is back. What calls took without it, and has not leaked, is owed.
    pub(super) fn come_back(&mut self, now: u64) {
        if let Some(share) = self.local_share() {
            for bucket in 0..self.scales.len() {
                // Redis knows what was in the bucket before.
                let known = self.part_of_level(bucket, share, now);
                let taken = self.local.empty(self.places[bucket], now).saturating_sub(known);
                self.add_debt(bucket, taken, now);
            }
        }
        self.outage = None;
    }
}
