//! A client of the tests' world: its queue, its slots, and what it holds.

use super::super::Slots;
use super::world::World;
use crate::backend::{Buckets as _, Due};
use crate::limits::{Amounts, Priority};
use crate::queue::{Key, Queue, Urgency, Waiter};

/// A client, and the calls that it was granted.
pub(super) struct Tenant {
    pub(super) slots: Slots,
    pub(super) queue: Queue,
    pub(super) keys: [String; 2],
    /// The last batch, and its reply.
    pub(super) sent: Vec<u8>,
    pub(super) reply: Vec<u8>,
    pub(super) wait_at_most: u64,
    /// The number of grants to all clients at its last reply.
    pub(super) seen: usize,
    /// Its admitted calls, by charge.
    pub(super) taken: Vec<(u64, Amounts)>,
}

impl Tenant {
    /// Sets how far ahead slots are requested, however short the burst is.
    pub(super) fn looks_ahead(&mut self, time: u64) {
        self.slots.terms.look_ahead = time;
        self.slots.half_burst = time;
    }

    pub(super) fn join(&mut self, amounts: [u64; 2]) -> Key {
        self.join_as(Priority::default(), amounts)
    }

    pub(super) fn join_as(&mut self, priority: Priority, [requests, tokens]: [u64; 2]) -> Key {
        let urgency = Urgency::default().within(self.wait_at_most).of(priority);
        self.queue.join(Waiter::new(Amounts::Few([requests, tokens, 0]), 0, urgency))
    }

    /// Admits all calls that have a slot. Cancels one now and then.
    pub(super) fn leave_or_go(&mut self, world: &mut World) {
        while let Some((key, waiter)) = self.queue.head() {
            let (amounts, number) = (waiter.amounts.clone(), waiter.number);
            let leaves = world.random(4) == 0;
            let waits = self.slots.slots.front().is_some_and(|slot| self.slots.is_far(slot, world.clock));
            if !leaves && waits && world.random(4) > 0 {
                return;
            }
            if !leaves && !self.take(&amounts, number) {
                return;
            }
            self.queue.leave(key);
        }
        self.slots.drop_idle(0);
    }

    pub(super) fn all_go(&mut self) {
        while self.one_goes() {}
    }

    /// Admits the head, if it has a slot.
    pub(super) fn one_goes(&mut self) -> bool {
        let Some((key, waiter)) = self.queue.head() else { return false };
        let (amounts, number) = (waiter.amounts.clone(), waiter.number);
        let goes = self.take(&amounts, number);
        if goes {
            self.queue.leave(key);
        }
        goes
    }

    /// Admits the head, if it has a slot that has begun.
    pub(super) fn goes_in_time(&mut self, now: u64) -> bool {
        let Some((key, waiter)) = self.queue.head() else { return false };
        let (amounts, number) = (waiter.amounts.clone(), waiter.number);
        let goes = self.slot_due(&amounts, number, now).is_some_and(|due| due.at <= now);
        if goes {
            let charge = self.slots.take_slot(amounts.as_slice(), now);
            self.taken.extend(charge.map(|charge| (charge, amounts)));
            self.queue.leave(key);
        }
        goes
    }

    /// Looks at the head, as a limiter does when its queue changes.
    pub(super) fn looks_at_head(&mut self, now: u64) {
        if let Some((_, head)) = self.queue.head() {
            self.slots.due(head, now);
        }
    }

    /// Cancels the head.
    pub(super) fn one_leaves(&mut self) {
        if let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
    }

    /// Asserts that `held` is the sum of all slots.
    pub(super) fn check_held(&self) {
        for (dimension, held) in self.slots.held.iter().enumerate() {
            let sum: u64 = self.slots.slots.iter().map(|slot| slot.amounts.as_slice()[dimension]).sum();
            assert_eq!(*held, u128::from(sum), "of dimension {dimension}");
        }
    }

    pub(super) fn all_leave(&mut self) {
        while let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
        self.slots.drop_idle(0);
    }

    pub(super) fn take(&mut self, amounts: &Amounts, number: u64) -> bool {
        if self.slot_due(amounts, number, 0).is_none() {
            return false;
        }
        let charge = self.slots.slots[0].charge;
        assert_eq!(self.slots.take_slot(amounts.as_slice(), 0), Some(charge));
        self.taken.push((charge, amounts.clone()));
        true
    }

    /// Returns when the head may depart. Gives back the slots that it does not fit.
    pub(super) fn slot_due(&mut self, amounts: &Amounts, number: u64, now: u64) -> Option<Due> {
        self.slots.slot_due(amounts.as_slice(), Some(number), now)
    }

    /// Refunds amounts of a charge.
    pub(super) fn give_back(&mut self, amounts: &Amounts, charge: u64, now: u64) {
        self.slots.give_back(amounts.as_slice(), charge, true, now);
    }
}
