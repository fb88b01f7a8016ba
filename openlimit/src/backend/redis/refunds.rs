//! `Refunds`: what may be given back of the charges in one shared bucket, and what is about to be.
//!
//! Between the moment at which something is given back here and the one at which the script hears of it, others may have been granted
//! calls, and have given back themselves. So what is about to be given back is held against those, too, as soon as they are known.

use super::scale::MOST;
use crate::bucket::LowWater;

/// In nanoseconds of the bucket's rate.
#[derive(Clone, Debug)]
pub(super) struct Refunds {
    /// How empty the bucket can have been since each charge, less what is given back.
    low: LowWater<u64>,
    /// What is to be given back by the next batch.
    pending: u64,
    /// The earliest charge of which.
    first: u64,
    /// What the batch under way gives back.
    sent: u64,
}

impl Default for Refunds {
    fn default() -> Self {
        Self { low: LowWater::default(), pending: 0, first: u64::MAX, sent: 0 }
    }
}

impl Refunds {
    /// Gives back `weight` of what a charge put in, as far as it is still there: so much.
    pub(super) fn give(&mut self, charge: u64, weight: u64) -> u64 {
        let weight = weight.min(self.low.since(charge)).min(MOST - self.pending);
        if weight > 0 {
            self.low.refund(charge, weight);
            self.pending += weight;
            self.first = self.first.min(charge);
        }
        weight
    }

    /// What is on its way.
    pub(super) fn given(&self) -> u64 {
        self.pending + self.sent
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// What is given back now; and what others may have given back meanwhile, of earlier charges, before that is too much.
    pub(super) fn send(&mut self) -> (u64, u64) {
        let room = self.room();
        self.sent = self.pending;
        (self.pending, self.first) = (0, u64::MAX);
        (self.sent, room)
    }

    /// So much of it is sent for the other account of the same bucket.
    pub(super) fn sent_already(&mut self, weight: u64) {
        self.pending = self.pending.saturating_sub(weight);
    }

    /// Nothing is on its way any more.
    pub(super) fn arrived(&mut self) {
        self.sent = 0;
    }

    /// Others gave back so much.
    pub(super) fn others_gave(&mut self, weight: u64) {
        self.pending = self.pending.saturating_sub(weight.saturating_sub(self.room()));
        self.low.refund(0, weight);
    }

    /// There was a further charge, just before which the bucket can have been as empty as `level`. What is about to be given back
    /// is of charges before it.
    pub(super) fn charged(&mut self, charge: u64, level: u64) {
        self.pending = self.pending.min(level);
        self.low.record(charge, level - self.pending);
    }

    fn room(&self) -> u64 {
        if self.is_empty() { u64::MAX } else { self.low.since(self.first) }
    }
}
