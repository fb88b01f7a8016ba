//! Which calls a batch asks for: those at the front of the queue that no slot serves, and a lease.

use std::iter;

use super::state::{AskedCall, Slot, Slots};
use crate::limits::Amounts;
use crate::queue::{Key, Queue};

/// The most calls in a batch. The server serves no other client while it decides one. It takes
/// about half a microsecond for each call, so about 0.15 ms for this many.
const MOST_CALLS: usize = 256;

/// How many calls have slots behind a head that waits for other limiters. When it departs, the next
/// one then joins their queues at once, instead of a round trip later. More are of no use: slots
/// expire before their turn.
const READY: usize = 3;

impl Slots {
    /// Returns how many waiters at the front of the queue the slots will serve.
    ///
    /// Matches them as they will be admitted: each waiter takes the first slot that it fits, and
    /// gives back the slots before that one.
    fn served(&self, queue: &Queue) -> usize {
        let mut slots = self.slots.iter();
        let mut waiters = queue.iter();
        iter::from_fn(|| {
            let (_, waiter) = waiters.next()?;
            slots.find(|slot| slot.fits(waiter.amounts.as_slice()))
        })
        .count()
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
            && self.served(queue) == self.slots.len()
            && queue
                .iter()
                .nth(self.slots.len() - 1)
                .is_some_and(|(_, waiter)| slot.waiter == Some(waiter.number))
    }

    /// Returns true if no slot is requested behind this one. Behind a lease, calls are requested
    /// when it is used up.
    fn ends_requests(&self, slot: &Slot, now: u64) -> bool {
        slot.is_lease() || self.is_far(slot, now)
    }

    /// Returns how many waiters at the front of the queue are to have slots.
    ///
    /// While the head waits for other limiters, slots of the calls behind it may expire unused. So
    /// only the next [`READY`] are to have slots, and none once the slot of the head has expired.
    pub(super) fn wanting(&self, queue: &Queue, now: u64) -> usize {
        match self.slots.front() {
            _ if !queue.waits_elsewhere() => queue.len(),
            Some(slot) if now <= slot.expires => queue.len().min(1 + READY),
            _ => 0,
        }
    }

    /// Returns the calls to request, and how long each may wait.
    pub(super) fn calls(&self, queue: &Queue, now: u64) -> Vec<(AskedCall, u64)> {
        if self.room == 0 || self.slots.back().is_some_and(|slot| self.ends_requests(slot, now)) {
            return Vec::new();
        }
        let front = queue.iter().take(self.wanting(queue, now));
        let without = front.take(self.room).skip(self.served(queue)).take(MOST_CALLS);
        let mut calls: Vec<_> = without
            .map(|(key, waiter)| {
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
    fn lease(&self, queue: &Queue, now: u64) -> Option<Amounts> {
        let next = queue.head().map(|(_, head)| &head.amounts).or(self.lease_for.as_ref());
        let (slice, next) = (self.terms.lease?, next?);
        let mut amounts = next.clone();
        for (dimension, amount) in amounts.as_mut_slice().iter_mut().enumerate() {
            let limits = self.scales.iter().zip(&self.dimensions).filter(|(_, of)| **of == dimension);
            // A lease that takes nothing from a limit on hold serves calls that do not, either.
            let is_shut = self.shut_of(dimension) > now;
            *amount = if is_shut {
                0
            } else {
                limits.map(|(scale, _)| scale.slice(slice, *amount)).min().unwrap_or(0)
            };
        }
        let fits = amounts.as_slice().iter().zip(next.as_slice()).all(|(lease, asked)| lease >= asked);
        fits.then_some(amounts)
    }
}
