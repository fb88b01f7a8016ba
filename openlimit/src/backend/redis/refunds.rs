//! `Refunds`: the pending refunds of one shared bucket, and the levels that bound them.
//!
//! `ledger.rs` derives the bound: a refund of a charge may not exceed the lowest level just before
//! any later charge. [`LowWater`] keeps those levels, and lowers them by each refund.
//!
//! Between a refund here and the batch that carries it, other clients may be granted calls, and may
//! give back weights themselves. Both make the bound tighter, so pending refunds are reduced as
//! soon as a reply shows it:
//!
//! * A later charge, before which the level was `L`, leaves at most `L` to give back.
//! * A refund of others lowers the levels after the charge that it is of. It may be the same levels
//!   that bound the pending refunds. Let `room` be the lowest level after the earliest charge that
//!   is being refunded here, less the pending refunds. Others may give back as much as the room.
//!   What they give back beyond it is subtracted from the pending refunds. The script applies the
//!   same rule to the refunds in a batch, since others may have given back after the client's last
//!   reply.
//!
//! Example: after charge 5 the level was never below 80. 30 of charge 5 are pending, which leaves a
//! room of 50. Others give back 60: 10 more than the room, so 20 stay pending. Check: without what
//! others gave back, the lowest level was 80 - 60 = 20, and that is the bound.

use super::scale::MOST;
use crate::bucket::LowWater;

/// The refunds of one bucket. Weights and levels are in nanoseconds of its rate.
#[derive(Clone, Debug)]
pub(super) struct Refunds {
    /// Lower bounds on the level since each charge, less the refunds.
    low: LowWater<u64>,
    /// The sum of the refunds that wait for the next batch.
    pending: u64,
    /// The earliest charge that they are of; the largest value if there are none.
    first: u64,
    /// The sum of the refunds in the batch in flight.
    sent: u64,
}

impl Default for Refunds {
    fn default() -> Self {
        Self { low: LowWater::default(), pending: 0, first: u64::MAX, sent: 0 }
    }
}

impl Refunds {
    /// Adds a refund of `weight` of a charge, as far as the bounds allow. Returns the part that was
    /// added.
    pub(super) fn give(&mut self, charge: u64, weight: u64) -> u64 {
        let weight = weight.min(self.low.since(charge)).min(MOST - self.pending);
        if weight > 0 {
            self.low.refund(charge, weight);
            self.pending += weight;
            self.first = self.first.min(charge);
        }
        weight
    }

    /// Returns the sum of all refunds that no reply has confirmed.
    pub(super) fn unconfirmed(&self) -> u64 {
        self.pending + self.sent
    }

    /// Returns true if no refund waits for a batch.
    pub(super) fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// Returns the refund to put into a batch, and its room.
    pub(super) fn send(&mut self) -> (u64, u64) {
        let room = self.room();
        self.sent = self.pending;
        (self.pending, self.first) = (0, u64::MAX);
        (self.sent, room)
    }

    /// Subtracts a refund that the other account of the same bucket has put into a batch.
    pub(super) fn sent_elsewhere(&mut self, weight: u64) {
        self.pending = self.pending.saturating_sub(weight);
    }

    /// Notes that the batch in flight was decided, or given up.
    pub(super) fn confirmed(&mut self) {
        self.sent = 0;
    }

    /// Notes that others gave back `weight`.
    pub(super) fn others_gave(&mut self, weight: u64) {
        self.pending = self.pending.saturating_sub(weight.saturating_sub(self.room()));
        self.low.refund(0, weight);
    }

    /// Notes a later charge, just before which the level was at least `level`. All pending refunds
    /// are of charges before it.
    pub(super) fn charged(&mut self, charge: u64, level: u64) {
        self.pending = self.pending.min(level);
        self.low.record(charge, level - self.pending);
    }

    /// Returns how much others may have given back before the pending refunds are too large.
    fn room(&self) -> u64 {
        if self.is_empty() { u64::MAX } else { self.low.since(self.first) }
    }
}
