//! What is known here of the buckets in Redis between two replies: their levels, and how long a call
//! would wait.
//!
//! Nothing here decides. An estimate is a lower bound, by which a call is refused early when its
//! timeout is shorter, or a status that people read.

use super::Slots;
use crate::backend::Look;
use crate::limits::Amounts;
use crate::queue::{Queue, Waiter};

/// The time of a round trip that is assumed before there was one, in nanoseconds.
const FIRST_TRIP: u64 = 1_000_000;

impl Slots {
    /// Returns how long a call that joins now has to wait at least, and the limit that decides it.
    pub(super) fn estimate(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        let wait_for = |slot: &super::Slot| (slot.due.saturating_sub(now), slot.limit);
        let amounts = call.amounts.as_slice();
        if !queue.goes_last(call) {
            // It may take a slot that was requested for one of those behind it.
            let next = self.estimate_next(amounts, now);
            return self.slots.front().map(wait_for).map_or(next, |first| first.min(next));
        }
        let last = self.slots.back().map_or((0, 0), wait_for);
        let without_slot =
            |dimension: usize| queue.ahead_of(call, dimension).saturating_sub(self.held[dimension]);
        last.max(self.wait_behind(amounts, without_slot, now))
    }

    /// Returns the same for a call that is next.
    pub(super) fn estimate_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_behind(amounts, |_| 0, now)
    }

    /// Returns the same behind what others ask for, of each dimension.
    fn wait_behind(&self, amounts: &[u64], ahead: impl Fn(usize) -> u128, now: u64) -> (u64, usize) {
        let mut longest = (0, 0);
        // Others may have given back since what was in the buckets longer ago: then the server is
        // asked.
        let is_fresh = now.saturating_sub(self.seen) <= self.look_ahead();
        for (bucket, (scale, dimension)) in self.scales.iter().zip(&self.dimensions).enumerate() {
            let ahead = scale.weight(u64::try_from(ahead(*dimension)).unwrap_or(u64::MAX));
            let weight = scale.weight(amounts[*dimension]);
            let level = if is_fresh { self.level(bucket, now) } else { 0 } + ahead;
            let wait = if weight <= scale.fit { (level + weight).saturating_sub(scale.fit) } else { level };
            if weight > 0 && wait > longest.0 {
                longest = (wait, self.places[bucket]);
            }
        }
        longest
    }

    /// Records the amounts of a call that does not wait, so that the next batch requests a lease.
    /// Returns how long a reply takes.
    pub(super) fn request_lease(&mut self, amounts: &Amounts) -> u64 {
        self.wish = self.terms.lease.map(|_| amounts.clone());
        if self.usual == u64::MAX { FIRST_TRIP } else { self.usual }
    }

    /// Returns a share, in percent, of the level of a bucket, as an amount.
    pub(super) fn part_of_level(&self, bucket: usize, share: u8, now: u64) -> u64 {
        let level = u128::from(self.scales[bucket].amount(self.level(bucket, now)));
        u64::try_from(level * u128::from(share) / 100).unwrap_or(u64::MAX)
    }

    /// Returns the level of a bucket as it was seen last, with what has leaked since.
    fn level(&self, bucket: usize, now: u64) -> u64 {
        self.ledger.level(bucket).saturating_sub(now.saturating_sub(self.seen))
    }

    /// Returns the state of a bucket, as far as it is known here.
    pub(super) fn look_at(&self, bucket: usize, now: u64) -> Look {
        let (scale, level) = (&self.scales[bucket], self.level(bucket, now));
        let fits = scale.whole(scale.fit.saturating_sub(level));
        Look {
            available: if level == 0 { scale.most } else { fits.min(scale.most) },
            debt: scale.amount(level.saturating_sub(scale.burst)),
            full_in: level,
        }
    }
}
