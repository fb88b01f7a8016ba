//! How slots come to be: what the driver carries to Redis and back, one batch at a time.
//!
//! A batch takes along what is to be given back and what is owed. While it is in flight the next one
//! gathers.

use std::iter;
use std::time::Duration;

use super::{Slot, Slots};
use crate::backend::Refusals;
use crate::backend::redis::wire::{BatchReply, Writer};
use crate::error::{StoreError, StoreProblem};
use crate::limits::Amounts;
use crate::queue::{Key, Queue, Waiter};

/// A call that a batch asks for.
#[derive(Debug)]
pub(super) struct Asking {
    /// The waiter that it is for; `None` for a lease.
    waiter: Option<(Key, u64)>,
    pub(super) amounts: Amounts,
    /// Its weight in each bucket.
    weights: Vec<u64>,
}

/// The most calls in a batch: the server decides them in one go, and serves no other client
/// meanwhile.
const LARGEST: usize = 256;

impl Slots {
    /// Has everything sent that there is to send, now. Gives back what is held for nobody in the
    /// queue.
    pub(in crate::backend::redis) fn hurry(&mut self, queue: &Queue, now: u64) {
        if queue.is_empty() {
            self.release_all(now);
            self.wish = None;
        }
        self.flush = self.flush.min(now);
    }

    /// Lets the driver sleep until a call needs it. It retries the batch in flight some time later,
    /// since nothing waits for it.
    pub(super) fn doze(&mut self) {
        self.comes = u64::MAX;
    }

    /// Returns when the driver has something to carry, with so many waiting; the largest value for
    /// never.
    pub(super) fn wanted(&self, waiting: usize, now: u64) -> u64 {
        if self.asking.is_some() {
            // During an outage the driver retries by itself, unless nothing waited for it.
            return if waiting > 0 && self.outage.is_some() { now } else { u64::MAX };
        }
        let last = self.slots.back();
        let ask = match last {
            None if waiting > 0 || self.wish.is_some() => now,
            _ if waiting == 0 => u64::MAX,
            // In portions of an eighth, so that while many wait a batch has many calls.
            Some(last) if waiting > self.slots.len() && !last.is_lease() => {
                last.due.saturating_sub(self.look_ahead() / 8 * 7)
            }
            _ => u64::MAX,
        };
        let lapse =
            self.slots.front().filter(|slot| slot.is_lease()).map_or(u64::MAX, |slot| slot.expires + 1);
        ask.min(self.flush).min(lapse)
    }

    /// Begins a batch, if there is something to ask for or to send, or if a caller is `flushing`.
    ///
    /// # Errors
    /// When to come for the next one, if that is known.
    pub(in crate::backend::redis) fn collect(
        &mut self,
        queue: &Queue,
        flushing: bool,
        now: u64,
    ) -> Result<Vec<u8>, Option<u64>> {
        self.begin(queue, flushing, now).ok_or_else(|| {
            self.comes = self.wanted(queue.len(), now);
            Some(self.comes).filter(|comes| *comes != u64::MAX)
        })
    }

    fn begin(&mut self, queue: &Queue, flushing: bool, now: u64) -> Option<Vec<u8>> {
        self.comes = 0;
        if flushing {
            self.hurry(queue, now);
        }
        if self.wanted(queue.len(), now) > now {
            return None;
        }
        while self.slots.front().is_some_and(|slot| slot.is_lease() && slot.expires < now) {
            self.drop_first(now);
        }
        let kept = self.slots.back().map(Slot::moment);
        self.moving = if self.can_move(queue, now) { self.slots.pop_back() } else { None };
        let asking = self.calls(queue, now);
        self.wish = None;
        if asking.is_empty() && !self.ledger.is_open() && !flushing {
            self.flush = u64::MAX;
            return None;
        }
        let back = self.slots.back().map(Slot::moment);
        let mut batch = Writer::default();
        self.ledger.begin(&mut batch);
        for (due, at) in [kept.unwrap_or_default(), back.unwrap_or_default()] {
            batch.number(due.saturating_sub(now));
            batch.number(at);
        }
        let moves = self.moving.is_some();
        for number in [self.look_ahead(), self.terms.slack, moves.into(), asking.len() as u64] {
            batch.number(number);
        }
        self.ledger.write(&self.scales, moves, &mut batch);
        for (call, longest) in &asking {
            batch.number(*longest);
            call.weights.iter().for_each(|weight| batch.number(*weight));
        }
        self.asking = Some(asking.into_iter().map(|(call, _)| call).collect());
        self.flush = u64::MAX;
        Some(batch.finish())
    }

    /// Applies the reply to the batch in flight, which was sent at `sent`. Returns the waiters that
    /// would have to wait for longer than they may.
    pub(in crate::backend::redis) fn apply(
        &mut self,
        reply: &BatchReply,
        queue: &Queue,
        sent: u64,
        now: u64,
    ) -> Refusals {
        self.come_back(now);
        let mut asking = self.asking.take().unwrap_or_default();
        match self.moving.take() {
            Some(slot) if !reply.alone => {
                self.slots.push_back(slot);
                asking.drain(..asking.len().min(1));
            }
            Some(slot) => self.let_go(&slot),
            None => {}
        }
        let weights: Vec<&[u64]> = asking.iter().map(|call| &*call.weights).collect();
        let mut charges = self.ledger.apply(reply, &weights, self.look_ahead()).into_iter();
        // The server decided at some moment between `sent` and `now`. Assume `now`, the late bound,
        // unless the reply took longer than `slack`; after a repetition, less the reply's age.
        let age = reply.now.saturating_sub(reply.decided).saturating_mul(1_000);
        let trip = now.saturating_sub(sent);
        let held_up = trip.saturating_sub(self.usual) > self.terms.slack;
        self.usual = trip.min(self.usual.saturating_mul(2)).max(1_000_000);
        self.seen = now.saturating_sub(age);
        let mut refused = Vec::new();
        let mut limit = self.slots.back().map_or(0, |slot| slot.limit);
        for (call, decision) in asking.into_iter().zip(&reply.calls) {
            limit = decision.limit.map_or(limit, |bucket| self.places[bucket]);
            let due = (now + decision.wait).saturating_sub(age);
            if decision.granted
                && let Some(charge) = charges.next()
            {
                let waiter = call.waiter.map(|(_, number)| number);
                let expires =
                    due + self.terms.slack + self.terms.lease.filter(|_| waiter.is_none()).unwrap_or(0);
                for (held, amount) in self.held.iter_mut().zip(call.amounts.as_slice()) {
                    *held += u128::from(*amount);
                }
                let at = reply.decided + decision.wait / 1_000;
                self.slots.push_back(Slot { amounts: call.amounts, due, at, expires, charge, limit, waiter });
            } else if let Some((key, number)) = call.waiter
                // The key may be another waiter's by now.
                && let Some(waiter) = queue.waiter(key).filter(|waiter| waiter.number == number)
            {
                refused.push((key, waiter.timed_out(decision.wait, limit, now)));
            }
        }
        if held_up {
            self.release_all(now);
        }
        refused
    }

    /// Returns the error of a waiter whose timeout ended, if no reply came since it arrived.
    pub(super) fn silence(&self, waiter: &Waiter, now: u64) -> Option<StoreError> {
        if let Some(error) = self.away() {
            return Some(error.clone());
        }
        let silence = Duration::from_nanos(waiter.waited(now));
        let is_silent = self.asking.is_some() && self.seen < waiter.arrived;
        is_silent.then(|| StoreError::new(&self.server, StoreProblem::TimedOut(silence)))
    }

    /// Gives up the batch in flight: it will not be decided.
    pub(in crate::backend::redis) fn give_up(&mut self) {
        self.asking = None;
        if let Some(slot) = self.moving.take() {
            self.let_go(&slot);
        }
        self.ledger.give_up();
    }

    /// Returns how many waiters at the front of the queue the slots serve, as the queue is now.
    ///
    /// It goes through both as the waiters will: each takes the first slot that it fits, and gives
    /// back those before it.
    fn served(&self, queue: &Queue) -> usize {
        let mut slots = self.slots.iter();
        let mut waiters = queue.iter();
        iter::from_fn(|| {
            let (_, waiter) = waiters.next()?;
            slots.find(|slot| slot.fits(waiter.amounts.as_slice()))
        })
        .count()
    }

    /// Returns whether the call with the last slot may go sooner: the slot lies far ahead, and
    /// something is given back. The call must be the first that the batch asks for.
    fn can_move(&self, queue: &Queue, now: u64) -> bool {
        let mut slots = self.slots.iter().rev();
        let Some(slot) = slots.next() else { return false };
        self.is_far(slot, now)
            && self.ledger.can_move(slot.charge)
            && slots.next().is_none_or(|before| !self.ends_asking(before, now))
            && self.served(queue) == self.slots.len()
            && queue
                .iter()
                .nth(self.slots.len() - 1)
                .is_some_and(|(_, waiter)| slot.waiter == Some(waiter.number))
    }

    /// Returns whether no calls are requested behind a slot. A call that a lease does not serve asks
    /// when the lease is used up.
    fn ends_asking(&self, slot: &Slot, now: u64) -> bool {
        slot.is_lease() || self.is_far(slot, now)
    }

    /// Returns the calls that a batch asks for, and how long each may wait: those at the front of the
    /// queue that no slot serves.
    fn calls(&self, queue: &Queue, now: u64) -> Vec<(Asking, u64)> {
        if self.slots.back().is_some_and(|slot| self.ends_asking(slot, now)) {
            return Vec::new();
        }
        let without = queue.iter().skip(self.served(queue)).take(LARGEST);
        let mut calls: Vec<_> = without
            .map(|(key, waiter)| {
                let (amounts, deadline) = (waiter.amounts.clone(), waiter.deadline());
                let longest = if deadline == u64::MAX { deadline } else { deadline.saturating_sub(now) };
                (self.asking(Some((key, waiter.number)), amounts), longest)
            })
            .collect();
        // A lease comes behind them, if at all: no call waits longer because it is larger.
        calls.extend(self.lease(queue).map(|amounts| (self.asking(None, amounts), self.look_ahead())));
        calls
    }

    fn asking(&self, waiter: Option<(Key, u64)>, amounts: Amounts) -> Asking {
        let dimensions = self.scales.iter().zip(&self.dimensions);
        let weights =
            dimensions.map(|(scale, dimension)| scale.weight(amounts.as_slice()[*dimension])).collect();
        Asking { waiter, amounts, weights }
    }

    /// Returns what all limits allow in a slice, if leases are on and the next call is not too large
    /// for one.
    fn lease(&self, queue: &Queue) -> Option<Amounts> {
        let next = queue.head().map(|(_, head)| &head.amounts).or(self.wish.as_ref());
        let (slice, next) = (self.terms.lease?, next?);
        let mut amounts = next.clone();
        for (dimension, amount) in amounts.as_mut_slice().iter_mut().enumerate() {
            let limits = self.scales.iter().zip(&self.dimensions).filter(|(_, of)| **of == dimension);
            *amount = limits.map(|(scale, _)| scale.whole(slice.min(scale.fit))).min().unwrap_or(0);
        }
        let fits = amounts.as_slice().iter().zip(next.as_slice()).all(|(lease, asked)| lease >= asked);
        fits.then_some(amounts)
    }
}
