//! Estimates the buckets in Redis between two replies: their levels, and how long a call would
//! wait.
//!
//! Nothing here admits a call. The estimated wait is a lower bound, unless others gave something
//! back since the last reply: a call whose timeout is shorter is refused at once. The estimated
//! levels are for [`Status`](crate::Status), and the expected wait for a program that asks for it.

use super::reply::SHORTEST_TRIP;
use super::state::{Slot, Slots};
use crate::backend::Look;
use crate::bucket::Ahead;
use crate::limits::Amounts;
use crate::queue::{Queue, Waiter};

impl Slots {
    /// Returns a lower bound on the wait of a call that joins now, and the limit that decides it.
    pub(super) fn estimate(&self, call: &Waiter, queue: &Queue, now: u64) -> (u64, usize) {
        let wait_for = |slot: &Slot| (slot.due.saturating_sub(now), slot.limit);
        let amounts = call.amounts.as_slice();
        if !queue.goes_last(call) {
            // The call may take a slot that was requested for a call behind it. It does not wait
            // for the pause of that one.
            let next = self.wait_for_room(amounts, |_| Ahead::default(), self.is_recent(now), now);
            let first = self.lane(self.takes_share(amounts)).front();
            return first.map(wait_for).map_or(next, |first| first.min(next));
        }
        self.behind_slots(amounts, |dimension| queue.ahead_of(call, dimension), now)
    }

    /// Returns the wait of a call that joins now, if nobody else has taken or given back anything
    /// since the last reply.
    pub(super) fn expected(&self, call: &Waiter, queue: &Queue, now: u64) -> u64 {
        let without_slot = |dimension: usize| queue.ahead_of(call, dimension).without(self.held[dimension]);
        self.wait_for_room(call.amounts.as_slice(), without_slot, true, now).0
    }

    /// Returns a lower bound on the wait of a waiter behind calls that ask for `ahead` of each
    /// dimension, and the limit that decides it.
    pub(super) fn estimate_behind(&self, amounts: &[u64], ahead: &[Ahead], now: u64) -> (u64, usize) {
        let mut all = ahead.iter().zip(amounts).zip(&self.held);
        if all.all(|((ahead, amount), held)| ahead.amount + u128::from(*amount) <= *held) {
            // A slot may be there for it.
            return (0, 0);
        }
        self.behind_slots(amounts, |dimension| ahead[dimension], now)
    }

    /// Does the same for a call for which there is no slot.
    fn behind_slots(&self, amounts: &[u64], ahead: impl Fn(usize) -> Ahead, now: u64) -> (u64, usize) {
        let last = self.lane(self.takes_share(amounts)).back();
        let last = last.map_or((0, 0), |slot| (slot.due.saturating_sub(now), slot.limit));
        let without_slot = |dimension: usize| ahead(dimension).without(self.held[dimension]);
        last.max(self.wait_for_room(amounts, without_slot, self.is_fresh(now), now))
    }

    /// Returns a lower bound on the wait of a call if it were the next one, and the limit that
    /// decides it.
    pub(super) fn estimate_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_for_room(amounts, |_| Ahead::default(), self.is_fresh(now), now)
    }

    /// Returns whether the levels are known. More than a look-ahead after the last reply, others
    /// may have given back anything.
    fn is_recent(&self, now: u64) -> bool {
        now.saturating_sub(self.seen_at) <= self.look_ahead(now)
    }

    /// Returns the same for a call that goes behind others. While this client is in line, such a
    /// call departs only after the client has asked again. So until then the levels count as known.
    fn is_fresh(&self, now: u64) -> bool {
        now < self.ask_at || self.is_recent(now)
    }

    /// Returns a lower bound on the wait of a call behind calls that ask for `ahead` of each
    /// dimension, and the limit that decides it.
    ///
    /// If the levels are not `is_fresh`, they count as zero, so that no call is refused here, and
    /// the server decides.
    pub(super) fn wait_for_room(
        &self,
        amounts: &[u64],
        ahead: impl Fn(usize) -> Ahead,
        is_fresh: bool,
        now: u64,
    ) -> (u64, usize) {
        self.wait_for_limits(amounts, ahead, is_fresh, now).max(self.kept_back_for(amounts, now))
    }

    /// Does the same for a call that is not kept back.
    pub(super) fn wait_for_limits(
        &self,
        amounts: &[u64],
        ahead: impl Fn(usize) -> Ahead,
        is_fresh: bool,
        now: u64,
    ) -> (u64, usize) {
        let mut longest = (0, 0);
        for (bucket, scale) in self.scales.iter().enumerate().filter(|(_, scale)| !scale.resets()) {
            let (amount, ahead) = (amounts[self.dimensions[bucket]], ahead(self.dimensions[bucket]));
            if amount == 0 {
                continue;
            }
            let level = if is_fresh { self.level(bucket, now) } else { 0 };
            let mut wait = scale.wait_behind(level, amount, ahead);
            if scale.is_slow() {
                // A call weighs by the pace at which it is requested, and the rate climbs until
                // then.
                let at = now.max(self.opens_at(bucket)).saturating_add(wait);
                wait = self.scale_at(bucket, at).wait_behind(level, amount, ahead);
            }
            if wait > longest.0 {
                longest = (wait, self.limit_of(bucket));
            }
        }
        for (bucket, windows) in self.windows.iter().map(|windows| (windows.bucket, windows)) {
            let (scale, dimension) = (&self.scales[bucket], self.dimensions[bucket]);
            let weight = scale.weight(amounts[dimension]);
            if weight > 0 {
                let asked = (weight, scale.weight_of_all(ahead(dimension).amount));
                let wait = self.wait_for_reset(windows, asked, longest.0, is_fresh, now);
                longest = longest.max((wait, self.limit_of(bucket)));
            }
        }
        longest
    }

    /// Records the amounts of a failed `try_acquire`, so that the next batch requests a lease.
    /// Returns the usual round trip.
    pub(super) fn request_lease(&mut self, amounts: &Amounts) -> u64 {
        self.lease_for = self.terms.lease.map(|_| amounts.clone());
        self.known_trip()
    }

    /// Returns the usual round trip, or the shortest one before the first reply.
    pub(super) fn known_trip(&self) -> u64 {
        if self.usual_trip == u64::MAX { SHORTEST_TRIP } else { self.usual_trip }
    }

    /// Returns a share, in percent, of the estimated level of a bucket, as an amount.
    pub(super) fn part_of_level(&self, bucket: usize, share: u8, now: u64) -> u64 {
        let level = u128::from(self.scales[bucket].amount(self.level(bucket, now)));
        u64::try_from(level * u128::from(share) / 100).unwrap_or(u64::MAX)
    }

    /// Raises the level of a bucket, so that at most `left` can be taken from it now.
    ///
    /// The script raises it, since others may have charged a part of what is missing meanwhile.
    pub(super) fn cap_bucket(&mut self, bucket: usize, left: i64, now: u64) {
        self.turn(now);
        let scale = self.scales[bucket];
        let weight = scale.weight(left.unsigned_abs());
        let (level, leaks_from) = match left {
            // What the provider counts does not lead into debt, which the next window would have.
            _ if scale.resets() => (scale.fit - if left < 0 { 0 } else { weight.min(scale.fit) }, u64::MAX),
            _ if left < 0 => (scale.fit + weight, now),
            _ => (scale.fit.saturating_sub(weight), now),
        };
        if level > self.level(bucket, now) {
            self.ledger.raise(bucket, level, leaks_from);
            self.changed_at = Some(now);
            self.flush_soon(now);
        }
    }

    /// Returns the level of a bucket in the last reply, less what has leaked since; or the one that
    /// responses ask for, if that is higher.
    pub(super) fn level(&self, bucket: usize, now: u64) -> u64 {
        if let Some(windows) = self.windows_of(bucket) {
            return self.taken(windows, now);
        }
        let known = self.ledger.level(bucket).saturating_sub(now.saturating_sub(self.seen_at));
        known.max(self.ledger.raised(bucket, now))
    }

    /// Returns the estimated state of a bucket.
    pub(super) fn look_at(&self, bucket: usize, now: u64) -> Look {
        if let Some(windows) = self.windows_of(bucket) {
            return self.look_at_window(windows, now);
        }
        let (scale, level) = (&self.scales[bucket], self.level(bucket, now));
        let fits = scale.whole(scale.fit.saturating_sub(level));
        Look {
            available: if level == 0 { scale.most } else { fits.min(scale.most) },
            at_once: scale.whole(scale.fit),
            debt: scale.amount(level.saturating_sub(scale.burst)),
            full_in: level,
            part: self.pace(bucket, now),
            resets_in: None,
        }
    }
}
