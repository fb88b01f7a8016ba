//! Which calls a batch asks for: those at the front of the queue that no slot serves, and a lease.

use super::state::{AskedCall, Slot, Slots};
use crate::limits::Amounts;
use crate::queue::{Key, Queue, Waiter};

/// The most calls in a batch. The server serves no other client while it decides one. It takes
/// about half a microsecond for each call, so about 0.15 ms for this many.
const MOST_CALLS: usize = 256;

/// How many calls have slots behind a head that waits for other limiters. When it departs, the next
/// one then joins their queues at once, instead of a round trip later. More are of no use: slots
/// expire before their turn.
const READY: usize = 3;

impl Slots {
    /// Iterates over the waiters that are to have slots, and returns true with those that the slots
    /// will serve. Leaves out calls that are kept back.
    ///
    /// Matches them as they will be admitted: each waiter takes the first slot that it fits, and
    /// gives back the slots before that one. A call below a reserved priority leaves those of calls
    /// above to them.
    fn matched<'a>(
        &'a self,
        queue: &'a Queue,
        now: u64,
    ) -> impl Iterator<Item = (bool, (Key, &'a Waiter))> {
        let mut free: Vec<_> = self.slots.iter().map(Some).collect();
        // The first slots that calls above and below may take.
        let (mut first, mut first_below) = (0, 0);
        queue.iter().filter_map(move |(key, waiter)| {
            let amounts = waiter.amounts.as_slice();
            let is_below = self.takes_share(amounts);
            let from = if is_below { first.max(first_below) } else { first };
            let mut is_served = false;
            let mut next = from;
            for slot in &mut free[from..] {
                next += 1;
                if let Some(taken) = slot.take_if(|slot| !(is_below && self.is_for_above(slot))) {
                    is_served = taken.fits(amounts);
                    if is_served {
                        break;
                    }
                }
            }
            if is_below { first_below = next } else { first = next }
            let is_left_out = !is_served && self.is_kept_back(amounts, now);
            (!is_left_out).then_some((is_served, (key, waiter)))
        })
    }

    /// Returns true if the batch should move the last slot: it lies beyond the look-ahead, a refund
    /// may allow an earlier one, and its call will be the first of the batch.
    pub(super) fn can_move(&self, queue: &Queue, now: u64) -> bool {
        let mut slots = self.slots.iter().rev();
        let Some(slot) = slots.next() else { return false };
        self.is_far(slot, now)
            // The server grants no second probe.
            && slot.charge != self.probe_slot
            && self.ledger.can_move(slot.charge)
            && slots.next().is_none_or(|before| !self.ends_requests(before, now))
            && !self.is_kept_back(slot.amounts.as_slice(), now)
            && self
                .matched(queue, now)
                .take(self.slots.len())
                .filter(|(is_served, _)| *is_served)
                .enumerate()
                .any(|(at, (_, (_, waiter)))| {
                    at + 1 == self.slots.len() && slot.waiter == Some(waiter.number)
                })
    }

    /// Returns true if no slot is requested behind this one. Behind a lease, calls are requested
    /// when it is used up.
    fn ends_requests(&self, slot: &Slot, now: u64) -> bool {
        slot.is_lease() || self.is_far(slot, now)
    }

    /// Returns how many waiters at the front of the queue are to have slots, if those that are kept
    /// back leave it.
    ///
    /// While the head waits for other limiters, slots of the calls behind it may expire unused. So
    /// only the next [`READY`] are to have slots, and none once the slot of the head has expired.
    pub(super) fn wanting(&self, queue: &Queue, now: u64) -> usize {
        self.wanting_of(if now < self.share_at { queue.above() } else { queue.len() }, queue, now)
    }

    /// Does the same if so many wait.
    pub(super) fn wanting_of(&self, waiting: usize, queue: &Queue, now: u64) -> usize {
        match self.slots.front() {
            _ if !queue.waits_elsewhere() => waiting,
            Some(slot) if now <= slot.expires => waiting.min(1 + READY),
            _ => 0,
        }
    }

    /// Returns the calls to request, and how long each may wait.
    pub(super) fn calls(&self, queue: &Queue, now: u64) -> Vec<(AskedCall, u64)> {
        if self.room == 0 || self.slots.back().is_some_and(|slot| self.ends_requests(slot, now)) {
            return Vec::new();
        }
        let front = self.matched(queue, now).take(self.wanting(queue, now).min(self.room));
        let without = front.filter(|(is_served, _)| !is_served).take(MOST_CALLS);
        let mut calls: Vec<_> = without
            .map(|(_, (key, waiter))| {
                let (amounts, deadline) = (waiter.amounts.clone(), waiter.deadline());
                let longest = if deadline == u64::MAX { deadline } else { deadline.saturating_sub(now) };
                (self.ask_for(Some((key, waiter.number)), amounts), longest)
            })
            .collect();
        // The lease comes last, so that no call waits for it.
        calls.extend(
            self.lease(queue, now).map(|amounts| (self.ask_for(None, amounts), self.look_ahead(now))),
        );
        calls
    }

    /// Creates a call of a batch.
    fn ask_for(&self, waiter: Option<(Key, u64)>, amounts: Amounts) -> AskedCall {
        let dimensions = self.scales.iter().zip(&self.dimensions);
        let weights =
            dimensions.map(|(scale, dimension)| scale.weight(amounts.as_slice()[*dimension])).collect();
        AskedCall { waiter, amounts, weights }
    }

    /// Returns the amounts of a lease: what every limit allows in a slice. `None` if leases are off
    /// or the next call would not fit.
    ///
    /// It takes from the shares only if the next call does. Otherwise calls above would wait for a
    /// share.
    fn lease(&self, queue: &Queue, now: u64) -> Option<Amounts> {
        let asks = |(_, waiter): &(Key, &Waiter)| !self.is_kept_back(waiter.amounts.as_slice(), now);
        let next = queue.head().filter(asks).or_else(|| queue.head_above()).map(|(_, next)| &next.amounts);
        let (slice, next) = (self.terms.lease?, next.or(self.lease_for.as_ref())?);
        let takes_share = self.takes_share(next.as_slice());
        let mut amounts = next.clone();
        for (dimension, amount) in amounts.as_mut_slice().iter_mut().enumerate() {
            let buckets = if takes_share { self.scales.len() } else { self.limits };
            let limits = self.scales[..buckets].iter().zip(&self.dimensions);
            let limits = limits.filter(|(_, of)| **of == dimension);
            // A lease that takes nothing from a limit on hold serves calls that do not, either.
            let is_shut = self.shut_of(dimension) > now;
            *amount = if is_shut {
                0
            } else {
                limits.map(|(scale, _)| scale.whole(slice.min(scale.fit))).min().unwrap_or(0)
            };
        }
        let fits = amounts.as_slice().iter().zip(next.as_slice()).all(|(lease, asked)| lease >= asked);
        fits.then_some(amounts)
    }
}
