//! Lets calls take slots, and gives back the slots that no call takes.

use std::mem;

use super::batch::PORTION;
use super::state::{Slot, Slots};
use crate::backend::Due;

/// The time for which a refund waits for a batch with calls before it is sent alone, in
/// nanoseconds: 10 ms. Short beside a look-ahead, and long enough to gather the refunds of calls
/// that end together.
const FLUSH_AFTER: u64 = 10_000_000;

/// The least number of round trips that slots are requested ahead. A new batch is sent when an
/// eighth of the look-ahead is free, and its reply must arrive within the other seven eighths. So
/// two round trips would be enough. The other two are for delays.
const TRIPS_AHEAD: u64 = 4;

/// The least time after which a client that is kept back asks again, in nanoseconds: 10 ms. Also
/// the least time for which a reply is fresh. Nothing bounds the look-ahead of the settings from
/// below.
const SHORTEST_PAUSE: u64 = 10_000_000;

/// The longest such pause, in nanoseconds: 1 s. Others may give something back, and nobody tells.
const LONGEST_PAUSE: u64 = 1_000_000_000;

/// The part of the time since others gave something back after which a client asks again: one in so
/// many.
const PATIENCE: u64 = 16;

/// For how long a client counts as one whose buckets change, after they did, in nanoseconds: 1 s.
const CHANGING: u64 = 1_000_000_000;

impl Slots {
    /// Returns how far ahead slots are requested: as far as the settings say, at most half of what
    /// calls may fill of a burst, and at least [`TRIPS_AHEAD`] round trips, so that the next slots
    /// arrive before the last one is used.
    ///
    /// A slot that serves no call after all can be given back only as far as the lowest level since
    /// it was granted. With half of the burst ahead, that level leaves room for the slot. The rest
    /// would be lost: its time passes, and no call departs for it.
    ///
    /// While calls give back what they did not use, it is an eighth of the settings. What is in the
    /// buckets ahead of its time is of no use to anyone, and leaves less that can be given back. So
    /// it is while responses say that less is left: what was granted before departs all the same.
    pub(super) fn look_ahead(&self, now: u64) -> u64 {
        let most = self.terms.look_ahead;
        let least = most / PORTION;
        let look_ahead = if self.changes(now) { least } else { self.half_burst.clamp(least, most) };
        look_ahead.max(self.trips())
    }

    /// Returns the time of the round trips that slots are requested ahead at least.
    pub(super) fn trips(&self) -> u64 {
        if self.usual_trip == u64::MAX { 0 } else { self.usual_trip.saturating_mul(TRIPS_AHEAD) }
    }

    /// Returns how much of the look-ahead has to be free before more slots are requested.
    pub(super) fn portion(&self, now: u64) -> u64 {
        let look_ahead = self.look_ahead(now);
        (look_ahead / PORTION).max(self.terms.look_ahead / PORTION / 2).min(look_ahead)
    }

    /// Returns for how long a client waits before it asks again for calls that were not granted:
    /// those beyond its own last slot, or those that their share or the line keeps back.
    ///
    /// The next such call may be granted in `ask_in`, or sooner if others give something back. If
    /// they did so lately, they are likely to do so again soon. So the client then asks often, and
    /// less often the longer it was ago, and the further behind its `place` in line is. For its own
    /// refunds it sends a batch anyway.
    pub(super) fn pause(&self, ask_in: u64, place: u64, is_below: bool, now: u64) -> u64 {
        if self.lane(is_below).back().is_some_and(|slot| self.is_far(slot, now)) {
            self.terms.look_ahead / PORTION
        } else {
            let shortest = self.shortest_pause();
            let patience = self.given_at.map_or(LONGEST_PAUSE, |at| now.saturating_sub(at) / PATIENCE);
            let patience = patience.max(shortest).saturating_mul(place.max(1));
            ask_in.max(shortest).min(patience).min(LONGEST_PAUSE)
        }
    }

    /// Returns the least time for which a client waits before it asks for the same again.
    pub(super) fn shortest_pause(&self) -> u64 {
        (self.terms.look_ahead / PORTION).max(SHORTEST_PAUSE)
    }

    /// Returns true if a call has given something back lately, also one of another client, or a
    /// response took something away.
    fn changes(&self, now: u64) -> bool {
        self.changed_at.max(self.given_at).is_some_and(|at| now.saturating_sub(at) < CHANGING)
    }

    /// Returns true if a slot lies beyond the look-ahead. Only a large call is granted such a slot.
    pub(super) fn is_far(&self, slot: &Slot, now: u64) -> bool {
        slot.due > now.saturating_add(self.look_ahead(now))
    }

    /// Returns when the call at the head may depart, or `None` while no slot serves it.
    ///
    /// Gives back slots that have expired, and slots that the call does not fit. Also gives back a
    /// slot beyond the look-ahead that was requested for another waiter: that large call has left,
    /// and this one may be granted an earlier slot.
    pub(super) fn slot_due(&mut self, amounts: &[u64], waiter: Option<u64>, now: u64) -> Option<Due> {
        let is_below = self.takes_share(amounts);
        // Beyond any look-ahead, also one that is not shortened.
        let look_ahead = self.terms.look_ahead.max(self.trips());
        let far = now.saturating_add(look_ahead);
        if !is_below && waiter.is_some() {
            // Within two look-aheads, calls above wait no longer than for those of another client.
            self.drop_below_after(far.saturating_add(look_ahead), now);
        }
        while let Some(slot) = self.lane(is_below).front() {
            let is_others = !slot.is_lease() && slot.waiter != waiter;
            if now <= slot.expires && slot.fits(amounts) && !(slot.due > far && is_others) {
                return Some(Due { at: slot.due, limit: slot.limit });
            }
            let asks_again = slot.late_by > 0 && slot.waiter == waiter;
            let flush_at = self.flush_at;
            self.drop_first(is_below, now);
            if asks_again {
                // Its call takes along what it gives back. A batch of its own would be in the way.
                self.flush_at = flush_at.min(now.saturating_add(self.trips().max(FLUSH_AFTER)));
            }
        }
        None
    }

    /// Takes a call, which fits, out of the first slot. Returns the number of the charge.
    pub(super) fn take_slot(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        self.wants_news |= self.needs_news(now);
        let is_below = self.takes_share(amounts);
        let slot = self.lane(is_below).front()?;
        if slot.due > self.seen_at && self.is_large(slot) {
            // Nothing behind it was asked for while its call waited.
            self.ask_at = self.ask_at.max(now);
        }
        let lane = if is_below { &mut self.below } else { &mut self.slots };
        let slot = lane.front_mut()?;
        let charge = slot.charge;
        let late = slot.late_by.saturating_sub(slot.expires.saturating_sub(now));
        let lateness = (slot.late_by > 0).then(|| (slot.amounts.clone(), mem::take(&mut slot.late_by)));
        for ((rest, held), amount) in slot.amounts.as_mut_slice().iter_mut().zip(&mut self.held).zip(amounts)
        {
            *rest = rest.saturating_sub(*amount);
            *held = held.saturating_sub(u128::from(*amount));
        }
        if charge == self.probe_slot {
            self.probe_slot = 0;
        }
        if !slot.is_lease() || slot.amounts.is_zero() {
            self.drop_first(is_below, now);
        }
        if let Some((of, late_by)) = lateness {
            let unused = |dimension: usize| if amounts[dimension] > 0 { late_by - late } else { late_by };
            self.give_back_lateness(of.as_slice(), unused, charge, now);
        }
        Some(charge)
    }

    /// Gives back all slots, but leases only once they have expired. For an empty queue.
    pub(super) fn drop_idle(&mut self, now: u64) {
        self.drop_while(|slot| !slot.is_lease() || slot.expires < now, now);
    }

    /// Gives back the leases that have expired.
    pub(super) fn drop_lapsed(&mut self, now: u64) {
        self.drop_while(|slot| slot.is_lease() && slot.expires < now, now);
    }

    /// Gives back all slots, leases included.
    pub(super) fn drop_all(&mut self, now: u64) {
        self.drop_while(|_| true, now);
    }

    /// Gives back the slots at the front of each lane of which `is_of_no_use` returns true.
    fn drop_while(&mut self, is_of_no_use: impl Fn(&Slot) -> bool, now: u64) {
        for is_below in [false, true] {
            while self.lane(is_below).front().is_some_and(&is_of_no_use) {
                self.drop_first(is_below, now);
            }
        }
    }

    /// Gives back amounts of a charge: of an admitted call, or else of a slot.
    pub(super) fn give_back(&mut self, amounts: &[u64], charge: u64, is_admitted: bool, now: u64) {
        for bucket in 0..self.scales.len() {
            let weight = self.weight_of(bucket, amounts[self.dimensions[bucket]], charge);
            self.ledger.refund(bucket, weight, charge, is_admitted);
        }
        if self.takes_share(amounts) {
            // The share may have room for calls below.
            self.below_at = self.below_at.min(now.saturating_add(FLUSH_AFTER));
        }
        self.flush_soon(now);
    }

    /// Adds a debt of `amount` in one bucket.
    pub(super) fn add_debt(&mut self, bucket: usize, amount: u64, now: u64) {
        self.ledger.owe(bucket, self.scales[bucket].weight(amount));
        self.flush_soon(now);
    }

    /// Gives back the first slot of calls above, or of those below.
    pub(super) fn drop_first(&mut self, is_below: bool, now: u64) {
        if let Some(slot) = self.lane_mut(is_below).pop_front() {
            self.drop_slot(&slot, now);
        }
    }

    /// Gives back a slot that was removed.
    pub(super) fn drop_slot(&mut self, slot: &Slot, now: u64) {
        self.subtract_held(slot);
        if slot.charge == self.probe_slot && self.is_exhausted {
            self.pass_probe_on(now);
        }
        let amounts = slot.amounts.as_slice();
        if !slot.amounts.is_zero() {
            self.give_back(amounts, slot.charge, false, now);
        }
        self.give_back_lateness(amounts, |_| slot.late_by, slot.charge, now);
    }

    /// Gives back what a slot of these amounts was charged to last longer, or what is left of that
    /// by dimension.
    fn give_back_lateness(&mut self, amounts: &[u64], unused: impl Fn(usize) -> u64, charge: u64, now: u64) {
        for (bucket, dimension) in self.dimensions.iter().enumerate() {
            let weight = self.scales[bucket].for_lateness(amounts[*dimension], unused(*dimension));
            self.ledger.refund(bucket, weight, charge, false);
        }
        self.flush_soon(now);
    }

    /// Subtracts a slot that was removed from the sum of what the slots hold.
    pub(super) fn subtract_held(&mut self, slot: &Slot) {
        for (held, amount) in self.held.iter_mut().zip(slot.amounts.as_slice()) {
            *held = held.saturating_sub(u128::from(*amount));
        }
    }

    /// Sends what is pending soon, in a batch of its own if no batch with calls goes before.
    pub(super) fn flush_soon(&mut self, now: u64) {
        if self.ledger.is_pending() {
            self.flush_at = self.flush_at.min(now.saturating_add(FLUSH_AFTER));
        }
    }
}

impl Slot {
    /// Returns true if it was requested for no call in particular.
    pub(super) fn is_lease(&self) -> bool {
        self.waiter.is_none()
    }

    /// Returns the moment from which it can be used, on the limiter's clock and on the server's.
    pub(super) fn begins(&self) -> (u64, u64) {
        (self.due, self.at)
    }

    /// Returns true if a call of these amounts fits into it.
    pub(super) fn fits(&self, amounts: &[u64]) -> bool {
        self.amounts.as_slice().iter().zip(amounts).all(|(slot, asked)| slot >= asked)
    }
}
