//! A client of the tests' world: its queue, its slots, and what it holds.

use super::super::Slots;
use super::world::World;
use crate::backend::Due;
use crate::backend::redis::ledger::Ledger;
use crate::limits::Amounts;
use crate::queue::{Key, Queue, Waiter};

/// A client, and the calls that it was granted.
pub(super) struct Tenant {
    pub(super) id: usize,
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
    /// Its refunds that no batch has taken along yet.
    pub(super) refunds: Vec<Refund>,
}

/// A refund in one limit, as far as the ledger gives it back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refund {
    pub(super) limit: usize,
    pub(super) charge: u64,
    /// In each of the ledger's two accounts.
    pub(super) weights: [u64; 2],
}

impl Tenant {
    pub(super) fn join(&mut self, [requests, tokens]: [u64; 2]) -> Key {
        self.queue.join(Waiter::new(Amounts::Few([requests, tokens, 0]), 0, self.wait_at_most))
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
        self.dropping(|slots| slots.release(0));
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

    /// Cancels the head.
    pub(super) fn one_leaves(&mut self) {
        if let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
    }

    /// Asserts that `held` is the sum of all slots.
    pub(super) fn check_held(&self) {
        for (dimension, held) in self.slots.held.iter().enumerate() {
            let slots = self.slots.slots.iter().chain(&self.slots.moving);
            let sum: u64 = slots.map(|slot| slot.amounts.as_slice()[dimension]).sum();
            assert_eq!(*held, u128::from(sum), "of dimension {dimension}");
        }
    }

    pub(super) fn all_leave(&mut self) {
        while let Some((key, _)) = self.queue.head() {
            self.queue.leave(key);
        }
        self.dropping(|slots| slots.release(0));
    }

    pub(super) fn take(&mut self, amounts: &Amounts, number: u64) -> bool {
        if self.slot_due(amounts, number, 0).is_none() {
            return false;
        }
        let mut ledger = self.slots.ledger.clone();
        let slot = &self.slots.slots[0];
        let (charge, mut rest) = (slot.charge, slot.amounts.clone());
        for (rest, amount) in rest.as_mut_slice().iter_mut().zip(amounts.as_slice()) {
            *rest -= amount;
        }
        assert_eq!(self.slots.take_slot(amounts.as_slice(), 0), Some(charge));
        ledger.mark_used(charge);
        self.note(&mut ledger, charge, &rest);
        self.taken.push((charge, amounts.clone()));
        true
    }

    /// Returns when the head may depart. Gives back the slots that it does not fit.
    pub(super) fn slot_due(&mut self, amounts: &Amounts, number: u64, now: u64) -> Option<Due> {
        self.dropping(|slots| slots.slot_due(amounts.as_slice(), Some(number), now))
    }

    /// Refunds amounts of a charge.
    pub(super) fn give_back(&mut self, amounts: &Amounts, charge: u64, now: u64) {
        let mut ledger = self.slots.ledger.clone();
        self.slots.give_back(amounts.as_slice(), charge, now);
        self.note(&mut ledger, charge, amounts);
    }

    /// Returns the charge that the batch in flight takes out, and what goes with it from each bucket.
    pub(super) fn taken_out(&self) -> Option<(u64, Vec<u64>)> {
        let ledger = &self.slots.ledger;
        let last = ledger.removable.filter(|_| ledger.taking_out)?;
        Some((last, ledger.buckets.iter().map(|known| known.put_in).collect()))
    }

    /// Does something that gives back slots and nothing else, and notes those refunds.
    fn dropping<T>(&mut self, act: impl FnOnce(&mut Slots) -> T) -> T {
        let mut ledger = self.slots.ledger.clone();
        let before: Vec<_> =
            self.slots.slots.iter().map(|slot| (slot.charge, slot.amounts.clone())).collect();
        let result = act(&mut self.slots);
        for (charge, amounts) in &before[..before.len() - self.slots.slots.len()] {
            self.note(&mut ledger, *charge, amounts);
        }
        assert_eq!(format!("{ledger:?}"), format!("{:?}", self.slots.ledger));
        result
    }

    /// Notes how far a refund is given back. `ledger` is a copy from before it.
    fn note(&mut self, ledger: &mut Ledger, charge: u64, amounts: &Amounts) {
        if amounts.is_zero() {
            return;
        }
        for (limit, scale) in self.slots.scales.iter().enumerate() {
            let weight = scale.refund(amounts.as_slice()[self.slots.dimensions[limit]]);
            let weights = ledger.refund(limit, weight, charge);
            self.refunds.push(Refund { limit, charge, weights });
        }
    }
}
