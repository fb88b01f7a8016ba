//! How slots come to be: what the driver carries to Redis and back, one batch at a time.
//!
//! A batch takes along what is to be given back and what is owed. While one is under way the next gathers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Asking, Refusal, Shared, Slot};
use crate::amounts::Amounts;
use crate::queue::{Key, Queue, Waiter};
use crate::redis::wire::{Reply, Writer};
use crate::redis::{StoreError, StoreProblem};

/// A batch has no more calls than this: the server decides them in one go, and serves nobody else meanwhile.
const LARGEST: usize = 256;

impl Shared {
    /// What calls the driver, if it has to come before it would by itself.
    pub(crate) fn call(&mut self, waiting: usize, now: u64) -> Option<Arc<Notify>> {
        let wanted = self.wanted(waiting, now);
        (wanted < self.comes).then(|| {
            self.comes = 0;
            Arc::clone(&self.call)
        })
    }

    /// The driver goes away. Says when it is to come, if it knows.
    pub(crate) fn rest(&mut self, waiting: usize, now: u64) -> Option<u64> {
        self.comes = self.wanted(waiting, now);
        Some(self.comes).filter(|comes| *comes != u64::MAX)
    }

    /// The driver tries the batch under way again some time, since nobody waits: whoever comes is to call it.
    pub(crate) fn doze(&mut self) {
        self.comes = u64::MAX;
    }

    /// Has everything told that there is to tell, now. What is held for nobody in the queue is given back.
    pub(crate) fn hurry(&mut self, queue: &Queue, now: u64) {
        if queue.is_empty() {
            self.release_all(now);
            self.wish = None;
        }
        self.flush = self.flush.min(now);
    }

    /// When the driver has something to carry, with so many waiting; the largest value for never.
    pub(crate) fn wanted(&self, waiting: usize, now: u64) -> u64 {
        if self.asking.is_some() {
            // While it is away nobody hurries the driver, unless that had nobody to hurry for.
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

    /// Begins a batch, if there is something to ask or to tell, or if somebody flushes.
    pub(crate) fn collect(&mut self, queue: &Queue, flushing: bool, now: u64) -> Option<Vec<u8>> {
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
        self.ledger.tell(&self.scales, moves, &mut batch);
        for (call, longest) in &asking {
            batch.number(*longest);
            call.weights.iter().for_each(|weight| batch.number(*weight));
        }
        self.asking = Some(asking.into_iter().map(|(call, _)| call).collect());
        self.flush = u64::MAX;
        Some(batch.finish())
    }

    /// Takes in what the script said of the batch under way, which was sent at `sent`. Says who cannot wait so long.
    pub(crate) fn told(&mut self, reply: &Reply, sent: u64, now: u64) -> Vec<Refusal> {
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
        let mut charges = self.ledger.told(reply, &weights, self.look_ahead()).into_iter();
        // The server decided at some moment between `sent` and `now`. It is taken for `now`: too late, and never too early. But not
        // where the reply was held up by more than a call may depart late; nor much later than that after a repetition.
        let age = reply.now.saturating_sub(reply.decided).saturating_mul(1_000);
        let trip = now.saturating_sub(sent);
        let held_up = trip.saturating_sub(self.usual) > self.terms.slack;
        self.usual = trip.min(self.usual.saturating_mul(2)).max(1_000_000);
        self.seen = now.saturating_sub(age);
        let mut refused = Vec::new();
        let mut limit = self.slots.back().map_or(0, |slot| slot.limit);
        for (call, decision) in asking.into_iter().zip(&reply.calls) {
            limit = decision.limit.unwrap_or(limit);
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
            } else if let Some((key, number)) = call.waiter {
                refused.push(Refusal { key, number, wait: decision.wait, limit });
            }
        }
        if held_up {
            self.release_all(now);
        }
        refused
    }

    /// Why a waiter whose time is over has not been decided about, if that is because nothing was heard since it arrived.
    pub(crate) fn unheard(&self, waiter: &Waiter, now: u64) -> Option<StoreError> {
        if let Some(error) = self.away() {
            return Some(error.clone());
        }
        let silence = Duration::from_nanos(waiter.waited(now));
        let unheard = self.asking.is_some() && self.seen < waiter.arrived;
        unheard.then(|| StoreError::new(&self.server, StoreProblem::TimedOut(silence)))
    }

    /// The batch under way was not decided, and will not be.
    pub(crate) fn give_up(&mut self) {
        self.asking = None;
        if let Some(slot) = self.moving.take() {
            self.let_go(&slot);
        }
        self.ledger.give_up();
    }

    /// Whether the call with the last slot may go sooner: it lies far ahead, and something is given back. It is to be the first of
    /// the calls that the batch asks for.
    fn can_move(&self, queue: &Queue, now: u64) -> bool {
        let mut slots = self.slots.iter().rev();
        let Some(slot) = slots.next() else { return false };
        self.is_far(slot, now)
            && self.ledger.can_move(slot.charge)
            && slots.next().is_none_or(|before| !self.ends_asking(before, now))
            && queue
                .iter()
                .nth(self.slots.len() - 1)
                .is_some_and(|(_, waiter)| slot.waiter == Some(waiter.number))
    }

    /// Whether no calls are asked for behind a slot. Whom a lease does not serve asks when it is used up.
    fn ends_asking(&self, slot: &Slot, now: u64) -> bool {
        slot.is_lease() || self.is_far(slot, now)
    }

    /// The calls that a batch asks for, and how long each may wait: those at the front of the queue that have no slot.
    fn calls(&self, queue: &Queue, now: u64) -> Vec<(Asking, u64)> {
        if self.slots.back().is_some_and(|slot| self.ends_asking(slot, now)) {
            return Vec::new();
        }
        let without = queue.iter().skip(self.slots.len()).take(LARGEST);
        let mut calls: Vec<_> = without
            .map(|(key, waiter)| {
                let (amounts, deadline) = (waiter.amounts.clone(), waiter.deadline());
                let longest = if deadline == u64::MAX { deadline } else { deadline.saturating_sub(now) };
                (self.asking(Some((key, waiter.number)), amounts), longest)
            })
            .collect();
        // A lease comes behind them, if at all: nobody is to wait longer because it is larger.
        calls.extend(self.lease(queue).map(|amounts| (self.asking(None, amounts), self.look_ahead())));
        calls
    }

    fn asking(&self, waiter: Option<(Key, u64)>, amounts: Amounts) -> Asking {
        let dimensions = self.scales.iter().zip(&self.dimensions);
        let weights =
            dimensions.map(|(scale, dimension)| scale.weight(amounts.as_slice()[*dimension])).collect();
        Asking { waiter, amounts, weights }
    }

    /// What all limits allow in a slice, if calls are admitted from such leases and whoever is next is not too large for it.
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
