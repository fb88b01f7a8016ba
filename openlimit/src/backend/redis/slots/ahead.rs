//! How calls take slots, and how slots that no call takes are given back.

use super::{Slot, Slots};
use crate::backend::Due;

/// How long a refund waits for a batch that it can go along with, in nanoseconds.
const FLUSH: u64 = 10_000_000;

/// How many round trips slots are requested ahead at least: half of that is enough for a reply to be
/// there in time, and delays double it now and then.
const TRIPS_AHEAD: u64 = 4;

impl Slots {
    /// Returns how far ahead slots are requested: far enough for a reply to be there in time, however
    /// long it takes.
    pub(super) fn look_ahead(&self) -> u64 {
        let trips = if self.usual == u64::MAX { 0 } else { self.usual.saturating_mul(TRIPS_AHEAD) };
        self.terms.look_ahead.max(trips)
    }

    /// Returns whether a slot lies beyond the look-ahead: a large call waits for it, or did.
    pub(super) fn is_far(&self, slot: &Slot, now: u64) -> bool {
        slot.due > now.saturating_add(self.look_ahead())
    }

    /// Returns when a call may depart if it is at the head; `None` as long as that is not known.
    ///
    /// Gives back slots that were missed, and those that it does not fit. Also gives back a slot far
    /// ahead that was requested for another waiter: a large call waited for it and left, and this
    /// one may have to wait for less.
    pub(super) fn slot_due(&mut self, amounts: &[u64], waiter: Option<u64>, now: u64) -> Option<Due> {
        while let Some(slot) = self.slots.front() {
            let is_far = self.is_far(slot, now);
            let is_others = !slot.is_lease() && slot.waiter != waiter;
            if now <= slot.expires && slot.fits(amounts) && !(is_far && is_others) {
                return Some(Due { at: slot.due, limit: slot.limit });
            }
            self.drop_first(now);
        }
        None
    }

    /// Takes the first slot for a call that it fits, and returns its charge.
    pub(super) fn take_slot(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let slot = self.slots.front_mut()?;
        let charge = slot.charge;
        for ((rest, held), amount) in slot.amounts.as_mut_slice().iter_mut().zip(&mut self.held).zip(amounts)
        {
            *rest = rest.saturating_sub(*amount);
            *held = held.saturating_sub(u128::from(*amount));
        }
        self.ledger.used(charge);
        if !slot.is_lease() || slot.amounts.is_zero() {
            self.drop_first(now);
        }
        Some(charge)
    }

    /// Gives back the slots that no call waits for. Leases stay until they expire.
    pub(super) fn release(&mut self, now: u64) {
        while self.slots.front().is_some_and(|slot| !slot.is_lease() || slot.expires < now) {
            self.drop_first(now);
        }
    }

    /// Gives back every slot.
    pub(super) fn release_all(&mut self, now: u64) {
        while !self.slots.is_empty() {
            self.drop_first(now);
        }
    }

    /// Gives back amounts of a charge.
    pub(super) fn give_back(&mut self, amounts: &[u64], charge: u64, now: u64) {
        for (bucket, (scale, dimension)) in self.scales.iter().zip(&self.dimensions).enumerate() {
            self.ledger.refund(bucket, scale.refund(amounts[*dimension]), charge);
        }
        self.flush_soon(now);
    }

    /// Adds an amount to one bucket, into debt if need be.
    pub(super) fn add_debt(&mut self, bucket: usize, amount: u64, now: u64) {
        self.ledger.owe(bucket, self.scales[bucket].weight(amount));
        self.flush_soon(now);
    }

    pub(super) fn drop_first(&mut self, now: u64) {
        let Some(slot) = self.slots.pop_front() else { return };
        self.let_go(&slot);
        if !slot.amounts.is_zero() {
            self.give_back(slot.amounts.as_slice(), slot.charge, now);
        }
    }

    /// Subtracts what a slot held from the sum.
    pub(super) fn let_go(&mut self, slot: &Slot) {
        for (held, amount) in self.held.iter_mut().zip(slot.amounts.as_slice()) {
            *held = held.saturating_sub(u128::from(*amount));
        }
    }

    fn flush_soon(&mut self, now: u64) {
        if self.ledger.is_open() {
            self.flush = self.flush.min(now.saturating_add(FLUSH));
        }
    }
}

impl Slot {
    pub(super) fn is_lease(&self) -> bool {
        self.waiter.is_none()
    }

    /// Returns when it begins, on the limiter's clock and on the server's.
    pub(super) fn moment(&self) -> (u64, u64) {
        (self.due, self.at)
    }

    pub(super) fn fits(&self, amounts: &[u64]) -> bool {
        self.amounts.as_slice().iter().zip(amounts).all(|(slot, asked)| slot >= asked)
    }
}
