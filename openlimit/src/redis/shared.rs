//! `Shared`: what stands in for the buckets where those are in Redis: slots, granted ahead, for those who wait.
//!
//! A batch asks for the calls at the front of the queue that have no slot yet, as long as the last slot lies within the
//! look-ahead. A slot says what was charged, and when a call may depart for it. Slots belong to the limiter and not to the
//! waiters: whoever is at the head takes the first slot that it fits. So those who leave make room for those behind them, and
//! what is left over is given back.
//!
//! Pure state, under the limiter's lock, with the time as an argument; the driver carries batches and replies.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::Notify;

use super::StoreError;
use super::ledger::Ledger;
use super::outage::Outage;
use super::scale::Scale;
use super::terms::Terms;
use crate::amounts::Amounts;
use crate::bucket::Look;
use crate::queue::{Key, Queue};

#[derive(Debug)]
pub(crate) struct Shared {
    /// For each limit, the dimension that fills its bucket.
    dimensions: Box<[usize]>,
    scales: Box<[Scale]>,
    terms: Terms,
    /// The server, for errors.
    server: Arc<str>,
    slots: VecDeque<Slot>,
    /// What the slots hold, by dimension.
    held: Box<[u128]>,
    ledger: Ledger,
    /// When the buckets were seen, in nanoseconds of the limiter's clock.
    seen: u64,
    /// The calls that the batch under way asks for, in their order, if there is one.
    asking: Option<Vec<Asking>>,
    /// The slot that the first of them has, and keeps if it cannot have an earlier one.
    moving: Option<Slot>,
    /// The usual time of a round trip, in nanoseconds, by which a delay is told.
    usual: u64,
    /// When to tell what no call's batch has taken along.
    flush: u64,
    /// What a call asked for that would not wait: a lease is asked for in its place.
    wish: Option<Amounts>,
    /// What calls the driver, and when it comes by itself: now, while it is here.
    call: Arc<Notify>,
    comes: u64,
    pub(crate) outage: Option<Outage>,
    /// How many there were.
    pub(crate) outages: u64,
}

/// What was granted, and nobody has taken yet.
#[derive(Debug)]
struct Slot {
    amounts: Amounts,
    /// When a call may depart for it, and until when.
    due: u64,
    /// The same in microseconds of the server's clock, where it began: what the next batch comes behind.
    at: u64,
    expires: u64,
    /// The number of the charge.
    charge: u64,
    /// The limit that decided when.
    limit: usize,
    /// The number of the waiter that it was asked for; none for a lease, which serves many calls.
    waiter: Option<u64>,
}

#[derive(Debug)]
struct Asking {
    /// For whom; nobody for a lease.
    waiter: Option<(Key, u64)>,
    amounts: Amounts,
    /// What they weigh in each bucket.
    weights: Vec<u64>,
}

/// What becomes of a call that would not wait.
#[derive(Debug)]
pub(crate) enum Wished {
    /// Redis is away.
    Away(StoreError),
    /// It may find a lease in so many nanoseconds, or have to ask for so long.
    In(u64),
}

/// A call that would have to wait longer than it may.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) key: Key,
    pub(crate) number: u64,
    pub(crate) wait: u64,
    pub(crate) limit: usize,
}

/// What is given back waits this long for a batch that it can go along with, in nanoseconds.
const FLUSH: u64 = 10_000_000;

impl Shared {
    pub(crate) fn new(
        dimensions: Box<[usize]>,
        scales: Box<[Scale]>,
        terms: Terms,
        call: Arc<Notify>,
        server: Arc<str>,
    ) -> Self {
        let held = vec![0; dimensions.iter().max().map_or(0, |most| most + 1)];
        Self {
            ledger: Ledger::new(scales.len()),
            dimensions,
            scales,
            terms,
            slots: VecDeque::new(),
            held: held.into(),
            seen: 0,
            server,
            asking: None,
            moving: None,
            usual: u64::MAX,
            flush: u64::MAX,
            wish: None,
            call,
            comes: 0,
            outage: None,
            outages: 0,
        }
    }

    pub(crate) fn terms(&self) -> &Terms {
        &self.terms
    }

    /// How far ahead slots are asked for: far enough for the answer to be there in time, however long it takes.
    fn look_ahead(&self) -> u64 {
        let trips = if self.usual == u64::MAX { 0 } else { self.usual.saturating_mul(4) };
        self.terms.look_ahead.max(trips)
    }

    /// Whether a slot lies beyond what is asked for ahead: a large call waits for it, or did.
    fn is_far(&self, slot: &Slot, now: u64) -> bool {
        slot.due > now.saturating_add(self.look_ahead())
    }

    /// When a call of these amounts may depart, if it is at the head, and the limit that decides it; `None` as long as that is
    /// not known. Slots that were missed, and those that it does not fit, are given back; and so is one that is far ahead, since a
    /// large call waited for it that has left: this one may have to wait for less.
    pub(crate) fn due(&mut self, amounts: &[u64], waiter: Option<u64>, now: u64) -> Option<(u64, usize)> {
        while let Some(slot) = self.slots.front() {
            let is_far = self.is_far(slot, now);
            let is_others = !slot.is_lease() && slot.waiter != waiter;
            if now <= slot.expires && slot.fits(amounts) && !(is_far && is_others) {
                return Some((slot.due, slot.limit));
            }
            self.drop_first(now);
        }
        None
    }

    /// Takes the first slot for a call that it fits, and says by which charge.
    pub(crate) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
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

    /// The same for a call that finds nobody waiting: only a lease is there then.
    pub(crate) fn take_now(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let (due, _) = self.due(amounts, None, now)?;
        if due <= now { self.take(amounts, now) } else { None }
    }

    /// Gives back what nobody waits for.
    pub(crate) fn release(&mut self, now: u64) {
        while self.slots.front().is_some_and(|slot| !slot.is_lease() || slot.expires < now) {
            self.drop_first(now);
        }
    }

    /// Gives back everything.
    pub(crate) fn release_all(&mut self, now: u64) {
        while !self.slots.is_empty() {
            self.drop_first(now);
        }
    }

    /// Gives back amounts of what was taken by a charge.
    pub(crate) fn refund(&mut self, amounts: &[u64], charge: u64, now: u64) {
        for (limit, (scale, dimension)) in self.scales.iter().zip(&self.dimensions).enumerate() {
            self.ledger.refund(limit, scale.refund(amounts[*dimension]), charge);
        }
        self.flush_soon(now);
    }

    /// Adds what a call used beyond what it was granted.
    pub(crate) fn owe(&mut self, amounts: &[u64], now: u64) {
        for limit in 0..self.scales.len() {
            self.owe_limit(limit, amounts[self.dimensions[limit]], now);
        }
    }

    /// Adds an amount to the bucket of one limit.
    pub(crate) fn owe_limit(&mut self, limit: usize, amount: u64, now: u64) {
        self.ledger.owe(limit, self.scales[limit].weight(amount));
        self.flush_soon(now);
    }

    /// A call is not admitted that would not wait.
    pub(crate) fn wish(&mut self, amounts: &Amounts) -> Wished {
        if let Some(error) = self.away() {
            return Wished::Away(error.clone());
        }
        self.wish = self.terms.lease.map(|_| amounts.clone());
        Wished::In(if self.usual == u64::MAX { 1_000_000 } else { self.usual })
    }

    /// How long a call behind all who wait has to wait, at least, as far as is known here, and the limit that decides it.
    pub(crate) fn wait(&self, amounts: &[u64], queue: &Queue, now: u64) -> (u64, usize) {
        let last = self.slots.back().map_or((0, 0), |slot| (slot.due.saturating_sub(now), slot.limit));
        let without = |dimension: usize| queue.asked(dimension).saturating_sub(self.held[dimension]);
        last.max(self.wait_behind(amounts, without, now))
    }

    /// How long a call that is next has to wait, in the same way.
    pub(crate) fn wait_of_next(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        self.wait_behind(amounts, |_| 0, now)
    }

    /// The same behind what others ask for, of each dimension.
    fn wait_behind(&self, amounts: &[u64], ahead: impl Fn(usize) -> u128, now: u64) -> (u64, usize) {
        let mut longest = (0, 0);
        // What was in the buckets longer ago others may have given back since: then the server is asked.
        let is_fresh = now.saturating_sub(self.seen) <= self.look_ahead();
        for (limit, (scale, dimension)) in self.scales.iter().zip(&self.dimensions).enumerate() {
            let ahead = scale.weight(u64::try_from(ahead(*dimension)).unwrap_or(u64::MAX));
            let weight = scale.weight(amounts[*dimension]);
            let level = if is_fresh { self.level(limit, now) } else { 0 } + ahead;
            let wait = if weight <= scale.fit { (level + weight).saturating_sub(scale.fit) } else { level };
            if weight > 0 && wait > longest.0 {
                longest = (wait, limit);
            }
        }
        longest
    }

    /// A share, in percent, of what is in the bucket of a limit, as an amount.
    pub(crate) fn part_of_level(&self, limit: usize, share: u8, now: u64) -> u64 {
        let level = u128::from(self.scales[limit].amount(self.level(limit, now)));
        u64::try_from(level * u128::from(share) / 100).unwrap_or(u64::MAX)
    }

    /// How full the bucket of a limit is, as far as is known here.
    pub(crate) fn level(&self, limit: usize, now: u64) -> u64 {
        self.ledger.level(limit).saturating_sub(now.saturating_sub(self.seen))
    }

    /// The bucket of a limit of which a call takes no more than `most`, as far as is known here.
    pub(crate) fn look(&self, limit: usize, most: u64, now: u64) -> Look {
        let (scale, level) = (&self.scales[limit], self.level(limit, now));
        let fits = scale.whole(scale.fit.saturating_sub(level));
        Look {
            available: if level == 0 { most } else { fits.min(most) },
            debt: scale.amount(level.saturating_sub(scale.burst)),
            full_in: level,
        }
    }

    fn drop_first(&mut self, now: u64) {
        let Some(slot) = self.slots.pop_front() else { return };
        self.let_go(&slot);
        if !slot.amounts.is_zero() {
            self.refund(slot.amounts.as_slice(), slot.charge, now);
        }
    }

    /// What a slot held is held no more.
    fn let_go(&mut self, slot: &Slot) {
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
    fn is_lease(&self) -> bool {
        self.waiter.is_none()
    }

    /// When it begins, by the limiter's clock and by the server's.
    fn moment(&self) -> (u64, u64) {
        (self.due, self.at)
    }

    fn fits(&self, amounts: &[u64]) -> bool {
        self.amounts.as_slice().iter().zip(amounts).all(|(slot, asked)| slot >= asked)
    }
}

mod exchange;
#[cfg(test)]
mod tests;
