//! The shares of calls below a priority for which a part of every limit is reserved.
//!
//! A share is a bucket behind those of the limits, from which calls above take nothing
//! (`queue::Reserve`). The server charges it as any other. Only three things are special, so that
//! calls below do not hold up those above:
//!
//! * **A call below that has to wait for its share is granted a look-ahead ahead at most.** Beyond
//!   that it is kept back, and so are all calls below behind it, until the server says to ask again
//!   (`share_at`). Calls above are requested meanwhile.
//! * **A call above takes the slot of one below as soon as the limits allow it** (`due_above`), which
//!   `sooner` computes. The share is given back then, and the call below asks anew.
//! * **A call below leaves the slots of calls above to them.** Where it is the head of the queue, they
//!   pass it (`admission::reserve`).
//!
//! So the calls below of this process do not delay those above at all, as long as the limits have
//! room. Those of another process may, by a look-ahead of that one: the limits are charged as of the
//! moment for which each call is granted.

use super::state::{Slot, Slots};
use crate::backend::Due;

impl Slots {
    /// Returns the buckets of the limit at a place of the limiter: its own, and that of its share.
    pub(super) fn buckets_of(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        self.bucket_of(place).into_iter().flat_map({
            let (limits, all) = (self.limits, self.scales.len());
            move |bucket| (bucket..all).step_by(limits)
        })
    }

    /// Returns the part of an amount of a limit that a bucket is for, rounded down.
    pub(super) fn part_for(&self, bucket: usize, amount: i64) -> i64 {
        let share = if bucket < self.limits { 100 } else { self.share };
        let part = (i128::from(amount) * i128::from(share)).div_euclid(100);
        i64::try_from(part).unwrap_or(i64::MAX)
    }

    /// Returns true if these are the amounts of a call below, which takes from a share.
    pub(super) fn takes_share(&self, amounts: &[u64]) -> bool {
        self.dimensions[self.limits..].iter().any(|dimension| amounts[*dimension] > 0)
    }

    /// Returns true if a call of these amounts is not requested yet, because it waits for its share.
    pub(super) fn is_kept_back(&self, amounts: &[u64], now: u64) -> bool {
        now < self.share_at && self.takes_share(amounts)
    }

    /// Returns true if calls below leave a slot to those above: it was requested for one of them.
    pub(super) fn is_for_above(&self, slot: &Slot) -> bool {
        self.limits < self.scales.len() && !slot.is_lease() && !self.takes_share(slot.amounts.as_slice())
    }

    /// Returns from when on a call may depart for a slot that it fits.
    pub(super) fn due_for(&self, amounts: &[u64], slot: &Slot) -> Due {
        let at = if self.takes_share(amounts) { slot.due } else { slot.due_above };
        Due { at, limit: slot.limit }
    }

    /// Returns true if the head of the queue, a call below, waits for its share alone, as far as is
    /// known.
    pub(super) fn head_waits_for_share(&self, amounts: &[u64], now: u64) -> bool {
        match self.slots.front() {
            Some(slot) if slot.fits(amounts) => slot.due_above < slot.due,
            Some(slot) if self.is_for_above(slot) => true,
            _ => self.is_kept_back(amounts, now),
        }
    }

    /// Lets calls below ask again soon, because something of a share is given back.
    pub(super) fn share_returns(&mut self, amounts: &[u64], at: u64) {
        if self.takes_share(amounts) {
            self.share_at = self.share_at.min(at);
        }
    }
}
