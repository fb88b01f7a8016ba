//! The shares of calls below a priority for which a part of every limit is reserved.
//!
//! A share is a bucket behind those of the limits, from which calls above take nothing
//! (`queue::Reserve`). The server charges it as any other. Two things are special, so that calls
//! below do not hold up those above:
//!
//! * **Two lanes.** Calls above have slots of their own, and so have those below. No call takes a
//!   slot of the other lane. So a call above does not wait for slots of calls below, and a large
//!   call below keeps its slot. A call below is granted no earlier moment than the calls above
//!   before it.
//! * **A call below that has to wait for its share is granted at most one look-ahead ahead.**
//!   Beyond that it is kept back, and so are all calls below behind it, until the server says to
//!   ask again (`below_at`), or it is not the first one any more. Calls above are requested
//!   meanwhile. If it waits for the end of a hold or for a reset, all calls below do
//!   (`below_shut_until`).
//!
//! A call below that is owed its turn and waits for the limits themselves is not passed, as in
//! memory: no calls above are requested behind it. Those that were granted slots before depart.
//! Otherwise it could wait for ever where each window begins with a debt of calls above: they fit
//! beside the debt, leave the next one, and a large call below never fits.
//!
//! Limits are charged as of the moment for which each call is granted. So if the burst has no room
//! for that, a call above waits for a look-ahead of calls below at most.
//!
//! Within the queue, calls below that wait for their share alone let those above pass
//! (`admission::reserve`).

use std::collections::VecDeque;

use super::state::{Slot, Slots};
use crate::bucket::Ahead;
use crate::queue::{Queue, Waiter};

impl Slots {
    /// Returns true if a part of every limit is reserved.
    pub(super) fn has_shares(&self) -> bool {
        self.limits < self.scales.len()
    }

    /// Returns the buckets of the limit at a place of the limiter: its own, and that of its share.
    pub(super) fn buckets_of(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let (limits, all) = (self.limits, self.scales.len());
        self.bucket_of(place).into_iter().flat_map(move |bucket| (bucket..all).step_by(limits))
    }

    /// Returns the part of an amount of a limit that a bucket is for, rounded down.
    pub(super) fn part_for(&self, bucket: usize, amount: i64) -> i64 {
        let share = if bucket < self.limits { 100 } else { self.share };
        part_of(amount, share)
    }

    /// Returns true if these are the amounts of a call below, which takes from a share.
    pub(super) fn takes_share(&self, amounts: &[u64]) -> bool {
        self.dimensions[self.limits..].iter().any(|dimension| amounts[*dimension] > 0)
    }

    /// Returns the slots of calls above, or of those below.
    pub(super) fn lane(&self, is_below: bool) -> &VecDeque<Slot> {
        if is_below { &self.below } else { &self.slots }
    }

    /// Returns both lanes: that of calls above first.
    pub(super) fn lanes(&self) -> [&VecDeque<Slot>; 2] {
        [&self.slots, &self.below]
    }

    pub(super) fn lane_mut(&mut self, is_below: bool) -> &mut VecDeque<Slot> {
        if is_below { &mut self.below } else { &mut self.slots }
    }

    /// Adds a slot to its lane, as the last one.
    pub(super) fn keep_slot(&mut self, slot: Slot) {
        self.lane_mut(self.takes_share(slot.amounts.as_slice())).push_back(slot);
    }

    /// Returns true if there is no slot.
    pub(super) fn has_no_slots(&self) -> bool {
        self.slots.is_empty() && self.below.is_empty()
    }

    /// Returns from when on calls below may be requested: not before the last call above may depart
    /// soon, nor before the one that was kept back may.
    pub(super) fn below_from(&self, now: u64) -> u64 {
        let last = self.slots.back().filter(|slot| !slot.is_lease());
        let last = last.map_or(0, |slot| slot.due.saturating_sub(self.look_ahead(now)));
        self.below_at.max(last).max(self.unless_it_opens(self.below_shut_until))
    }

    /// Gives back slots of calls below that begin later, because a call above waits, which goes
    /// first.
    pub(super) fn drop_below_after(&mut self, time: u64, now: u64) {
        let first = self.below.partition_point(|slot| slot.due <= time);
        for slot in self.below.split_off(first) {
            self.drop_slot(&slot, now);
        }
    }

    /// Lets calls of its lane be requested now if another one is at the head of the queue than the
    /// one that was kept back: that one has left, or this one has a higher priority.
    pub(super) fn note_head(&mut self, head: &Waiter, now: u64) {
        if self.takes_share(head.amounts.as_slice()) {
            let is_kept_back = self.kept_back.is_some_and(|(_, number)| number == head.number);
            if self.below_at > now && self.below.is_empty() && !is_kept_back {
                self.below_at = now;
            }
        } else if self.ask_at > now && self.slots.is_empty() && self.kept_in_line != Some(head.number) {
            (self.ask_at, self.kept_in_line) = (now, Some(head.number));
        }
    }

    /// Looks at the call below that was kept back, wherever it is in the queue. If it has left,
    /// those behind it may be requested now.
    pub(super) fn note_kept_back(&mut self, queue: &Queue, now: u64) {
        let Some((key, number)) = self.kept_back else { return };
        match queue.waiter(key).filter(|waiter| waiter.number == number) {
            Some(waiter) => self.below_shut_until = self.opens_for(waiter.amounts.as_slice(), now),
            None => {
                (self.kept_back, self.below_shut_until) = (None, 0);
                self.below_at = self.below_at.min(now);
                if self.in_line == Some(true) {
                    // Those above that it held up, too.
                    self.ask_at = self.ask_at.max(now);
                }
            }
        }
    }

    /// Returns true if calls above pass the head of the queue, a call below: it waits for its share
    /// alone, as far as is known, or they were granted slots before.
    pub(super) fn lets_pass(&self, amounts: &[u64], now: u64) -> bool {
        match self.below.front() {
            // One of nothing waits for no share.
            _ if !self.takes_share(amounts) => false,
            Some(slot) if slot.fits(amounts) => slot.waits_for_share,
            _ => self.below_at > 0 && (!self.slots.is_empty() || !self.limits_keep_back(amounts, now)),
        }
    }

    /// Returns true if the limits themselves keep a call below back, and not its share alone: it
    /// stands in line, or it waits for a hold or a reset and its share has room no later than the
    /// limits, as in memory.
    pub(super) fn limits_keep_back(&self, amounts: &[u64], now: u64) -> bool {
        let wait = |amounts: &[u64]| self.wait_for_limits(amounts, |_| Ahead::default(), true, now).0;
        let without_share = || {
            let mut limits = amounts.to_vec();
            self.dimensions[self.limits..].iter().for_each(|dimension| limits[*dimension] = 0);
            wait(&limits)
        };
        self.in_line == Some(true) || self.opens_for(amounts, now) > now && without_share() >= wait(amounts)
    }

    /// Returns for how long a call of these amounts is kept back, and the limit whose share that is
    /// for.
    pub(super) fn kept_back_for(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        let is_kept_back = self.below_at > now && self.takes_share(amounts);
        // Before a reset, others may give back what it needs.
        if !is_kept_back || self.known_reset(amounts, now).0 > 0 {
            return (0, 0);
        }
        let wait = |bucket: &usize| {
            let scale = &self.scales[*bucket];
            scale.wait(self.ledger.level(*bucket), scale.weight(amounts[self.dimensions[*bucket]]))
        };
        let slowest = (self.limits..self.scales.len()).max_by_key(wait).unwrap_or(0);
        (self.below_at - now, self.limit_of(slowest))
    }
}

/// Returns a share of an amount, in percent, rounded down. An amount below zero is a debt.
pub(super) fn part_of(amount: i64, share: u8) -> i64 {
    let part = (i128::from(amount) * i128::from(share)).div_euclid(100);
    i64::try_from(part).unwrap_or(i64::MAX)
}
