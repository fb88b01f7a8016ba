//! Outages: from the first batch that Redis did not decide for a transient reason, to the next
//! reply.
//!
//! Calls wait meanwhile, or buckets in this process decide at a share of every limit
//! ([`OnOutage::Local`]). Those buckets begin with their share of the last known levels. When Redis
//! is back, the first batch carries what was taken from them, and the script charges it before any
//! call. So processes that come back do not each take a burst.

use std::process;

use super::state::{Outage, Slots};
use crate::backend::redis::changes::Leaking;
use crate::backend::redis::scale::Scale;
use crate::backend::{Buckets as _, OnOutage};
use crate::error::StoreError;
use crate::limits::Amounts;
use crate::queue::{Queue, Refusals, Waiter};

impl Slots {
    /// Returns the last error of the current outage, if there is one.
    pub(super) fn away(&self) -> Option<&StoreError> {
        self.outage.as_ref().map(|outage| &outage.error)
    }

    /// Returns true if the buckets of this process decide now.
    pub(super) fn is_local(&self) -> bool {
        self.local_share().is_some()
    }

    /// Returns true if this process noticed the outage. A child that was forked since has no driver
    /// that would end it.
    pub(super) fn is_away_here(&self) -> bool {
        self.outage.as_ref().is_some_and(|outage| outage.process == process::id())
    }

    /// Returns the share of the limits, in percent, within which this process decides now; `None`
    /// if Redis decides.
    pub(super) fn local_share(&self) -> Option<u8> {
        match (&self.outage, self.terms.on_outage) {
            (Some(_), OnOutage::Local(share)) => Some(share.0),
            _ => None,
        }
    }

    /// Notes that there was no reply to the batch in flight. Returns the waiters to refuse, and
    /// true if anything still waits for the batch.
    pub(in crate::backend::redis) fn failed(
        &mut self,
        error: &StoreError,
        queue: &Queue,
        now: u64,
    ) -> (Refusals, bool) {
        let refuses: Box<dyn Fn(&Waiter) -> bool> = if error.is_transient() {
            let since = self.begin_outage(error, now);
            // Refuse calls without a timeout that have waited for Redis long enough. Other calls
            // end with their timeout. Where this process decides, calls do not wait for Redis.
            let patience = if self.is_local() { u64::MAX } else { self.terms.patience };
            Box::new(move |waiter| {
                waiter.timeout() == u64::MAX && now.saturating_sub(since.max(waiter.arrived)) >= patience
            })
        } else {
            // Redis can be reached and has to be fixed. That is no outage, so every call fails.
            self.end_outage(now);
            Box::new(|_| true)
        };
        let refused = queue.iter().filter(|(_, waiter)| refuses(waiter));
        let refusals: Refusals = refused.map(|(key, waiter)| (key, waiter.undecided(error, now))).collect();
        let waiting = queue.len() > refusals.len() || self.is_local();
        if !waiting {
            self.sleep_until_called();
        }
        (refusals, waiting)
    }

    /// Begins an outage, unless there is one. Returns when it began.
    fn begin_outage(&mut self, error: &StoreError, now: u64) -> u64 {
        let since = self.outage.as_ref().map(|outage| outage.since);
        let (error, process) = (error.clone(), process::id());
        self.outage = Some(Outage { since: since.unwrap_or(now), error, process });
        if since.is_none() {
            self.outages += 1;
            self.below_at = 0;
            self.go_local(now);
        }
        since.unwrap_or(now)
    }

    /// Lets the buckets of this process decide, if the settings say so. They begin with this
    /// process's share of the known levels.
    fn go_local(&mut self, now: u64) {
        let Some(share) = self.local_share() else { return };
        self.drop_all(now);
        let known: Vec<_> = (0..self.scales.len())
            .map(|bucket| (self.places[bucket], self.part_of_level(bucket, share, now)))
            .collect();
        self.climb_alone(now);
        self.alone.begin(known.into_iter(), now);
    }

    /// Charges a call alone, as of `at`, and returns the number of the charge.
    pub(super) fn charge_alone(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        let charge = self.alone.share.charge(amounts, at, now);
        self.note_taken(amounts.as_slice(), charge, at, now);
        charge
    }

    /// Notes what a call took alone, as of `at`. It weighs as of now: the rate may have climbed
    /// since the last batch began.
    pub(super) fn note_taken(&mut self, amounts: &[u64], charge: u64, at: u64, now: u64) {
        self.turn(now);
        self.set_paces(now);
        for (bucket, took) in self.alone.took.iter_mut().enumerate() {
            let scale = &self.scales[bucket];
            // What counts in a window does not leak.
            let at = if scale.resets() { u64::MAX } else { at };
            took.add(scale.weight(amounts[self.dimensions[bucket]]), charge, at);
        }
    }

    /// Refunds amounts of a charge that was made alone.
    pub(super) fn refund_alone(
        &mut self,
        amounts: &Amounts,
        charge: u64,
        now: u64,
        late: impl FnMut(usize, u64),
    ) {
        self.turn(now);
        let scales = self.scales.iter().zip(&self.dimensions);
        let weights = scales.map(|(scale, dimension)| scale.refund(amounts.as_slice()[*dimension], charge));
        self.alone.refund(amounts, charge, weights, now, late);
    }

    /// Ends the outage, if there is one. What this process took alone will be sent with the next
    /// batch. Returns true if it decided alone.
    pub(super) fn end_outage(&mut self, now: u64) -> bool {
        let was_local = self.is_local();
        self.turn(now);
        if was_local && let Some(outage) = &self.outage {
            let taken = self.alone.end().into_iter().zip(&self.scales);
            // What was taken of a window that is over is not owed any more.
            let owed = |((all, least), scale): ((u64, Leaking), &Scale)| {
                (if scale.resets() { least.level } else { all }, least)
            };
            let taken: Vec<_> = taken.map(owed).collect();
            self.ledger.took(&taken, self.seen_at, outage.since);
            self.tell_climbs(now);
        }
        self.outage = None;
        if was_local {
            self.flush_soon(now);
        }
        was_local
    }
}
