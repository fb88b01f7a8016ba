//! `Admission`: the rules. All buckets or none, strictly in order, the queue decides when.
//!
//! Pure state and arithmetic: the time is an argument, wakers are collected for the caller. `core` guards it and
//! `handle` moves it, so that everything here can be tested without threads and clocks.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use crate::amounts::Amounts;
use crate::bucket::{Bucket, Look};
use crate::queue::{Grant, Key, Outcome, Queue, Wait, Waiter};
use crate::time::nanos;
use crate::{AcquireError, Limit, Name};
#[cfg(feature = "redis")]
use {self::shared::deciding, crate::redis::Shared};

/// What every call looks at comes first, in the cache line of the lock.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Admission {
    meters: Box<[Meter]>,
    /// How many charges there were. Numbers them.
    charges: u64,
    pub(crate) queue: Queue,
    /// When the head is due; the largest value when nobody waits.
    due: u64,
    limits: Arc<[Limit]>,
    /// The limiter's, for its refusals.
    name: Name,
    /// How far a charge may be dated back, in nanoseconds.
    grace: u64,
    /// What stands in for the buckets where those are in Redis. The meters here are then for when it is away.
    #[cfg(feature = "redis")]
    pub(crate) shared: Option<Box<Shared>>,
}

/// A bucket, and the dimension that fills it.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Meter {
    pub(crate) dimension: usize,
    pub(crate) bucket: Bucket,
}

impl Admission {
    pub(crate) fn new(meters: Box<[Meter]>, limits: Arc<[Limit]>, name: Name, jitter: Duration) -> Self {
        let dimensions = meters.iter().map(|meter| meter.dimension + 1).max().unwrap_or(0);
        // Half of what is kept back for jitter: the other half is still there for the network.
        let grace = nanos(jitter / 2);
        Self {
            meters,
            limits,
            name,
            queue: Queue::new(dimensions),
            due: u64::MAX,
            charges: 0,
            grace,
            #[cfg(feature = "redis")]
            shared: None,
        }
    }

    /// Admits a call now, if nobody waits and every bucket has room, and numbers its charge.
    pub(crate) fn try_admit(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        self.take(amounts.as_slice(), now)
    }

    /// The same, inlined into what every call runs through.
    #[inline(always)]
    pub(crate) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.queue.is_empty() {
            return None;
        }
        #[cfg(feature = "redis")]
        if self.shared.is_some() {
            return self.take_shared(amounts, now);
        }
        self.take_metered(amounts, now)
    }

    #[inline(always)]
    fn take_metered(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let charge = self.charges + 1;
        // All or nothing, in one pass: the first that refuses has the ones before it put back.
        for (at, meter) in self.meters.iter_mut().enumerate() {
            if !meter.bucket.take(amounts[meter.dimension], charge, now) {
                self.put_back(amounts, at);
                return None;
            }
        }
        self.charges = charge;
        Some(charge)
    }

    #[inline]
    fn put_back(&mut self, amounts: &[u64], meters: usize) {
        for meter in &mut self.meters[..meters] {
            meter.bucket.put_back(amounts[meter.dimension]);
        }
    }

    /// What a call with a time-out in nanoseconds is told on arrival: that it is admitted, by the number of its
    /// charge; that it has to wait, by `None`; or why it is refused.
    pub(crate) fn ask(
        &mut self,
        amounts: &Amounts,
        timeout: u64,
        now: u64,
    ) -> Result<Option<u64>, AcquireError> {
        if let Some(charge) = self.try_admit(amounts, now) {
            return Ok(Some(charge));
        }
        if timeout != u64::MAX {
            let (wait, limit) = self.wait(amounts.as_slice(), now);
            // A time-out of zero does not even wait for the timer to come round.
            if wait > timeout || timeout == 0 {
                return Err(timed_out(timeout, 0, wait, self.limits[limit].clone(), self.name.clone()));
            }
        }
        Ok(None)
    }

    /// Puts a call at the end of the queue.
    pub(crate) fn join(&mut self, waiter: Waiter) -> Key {
        let (arrived, first) = (waiter.arrived, self.queue.is_empty());
        let key = self.queue.join(waiter);
        if first {
            self.due = self.head_due(arrived).map_or(u64::MAX, |(_, due, _)| due);
        }
        key
    }

    /// Admits everyone who is due at `now`, in order, and refuses everyone whose time is over.
    pub(crate) fn pump(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        self.due = loop {
            let Some((key, due, limit)) = self.head_due(now) else { break u64::MAX };
            let deadline = self.queue.waiter(key).map_or(u64::MAX, Waiter::deadline);
            // What counts is when it was due, not when this thread came to look.
            if deadline < due.min(now.saturating_add(1)) {
                self.expire(key, due, limit, now, wakers);
            } else if due <= now {
                self.admit(key, due, limit, now, wakers);
            } else {
                break due;
            }
        };
        while let Some((deadline, key)) = self.queue.deadline()
            && deadline <= now
            && let Some(waiter) = self.queue.waiter(key)
        {
            let (due, limit) = self.due(waiter.amounts.as_slice());
            self.expire(key, due.max(self.due), limit, now, wakers);
        }
        #[cfg(feature = "redis")]
        self.release(now);
    }

    /// When to look again: the head is due, or somebody's time is over.
    pub(crate) fn next(&self) -> Option<u64> {
        let deadline = self.queue.deadline().map_or(u64::MAX, |(deadline, _)| deadline);
        Some(self.due.min(deadline)).filter(|next| *next != u64::MAX)
    }

    /// How many wait, and when the first of them is due, if that is known.
    pub(crate) fn waiting(&self) -> (usize, Option<u64>) {
        (self.queue.len(), Some(self.due).filter(|due| *due != u64::MAX))
    }

    /// The buckets at `now`, in the order of the limits.
    pub(crate) fn looks(&self, now: u64) -> Vec<Look> {
        #[cfg(feature = "redis")]
        if let Some(shared) = self.deciding() {
            return self
                .meters
                .iter()
                .enumerate()
                .map(|(limit, meter)| shared.look(limit, meter.bucket.most(), now))
                .collect();
        }
        self.meters.iter().map(|meter| meter.bucket.look(now)).collect()
    }

    /// How long a call behind all who wait has to wait from `now` on, at least, and the limit that decides it. Not
    /// before whoever is next, for one, even where that waits for a limit in which this call finds room.
    pub(crate) fn wait(&self, amounts: &[u64], now: u64) -> (u64, usize) {
        #[cfg(feature = "redis")]
        if let Some(shared) = self.deciding() {
            return shared.wait(amounts, &self.queue, now);
        }
        let (due, limit) = match self.queue.head() {
            None => self.due(amounts),
            Some((_, head)) => {
                let asked = |meter: &Meter| self.queue.asked(meter.dimension);
                let own = self.latest(|meter| meter.bucket.due(amounts[meter.dimension], asked(meter)));
                own.max(self.due(head.amounts.as_slice()))
            }
        };
        (due.saturating_sub(now), limit)
    }

    /// Takes further amounts from a call that was admitted before, now, into debt if need be.
    pub(crate) fn owe(&mut self, amounts: &Amounts, now: u64) {
        #[cfg(feature = "redis")]
        if let Some(shared) = deciding(&mut self.shared) {
            return shared.owe(amounts.as_slice(), now);
        }
        self.charge(amounts, now, now);
    }

    /// Gives back amounts of what was taken by a charge.
    pub(crate) fn refund(&mut self, amounts: &Amounts, charge: u64, now: u64) {
        #[cfg(feature = "redis")]
        if self.refund_shared(amounts, charge, now) {
            return;
        }
        for meter in &mut self.meters {
            meter.bucket.refund(amounts.as_slice()[meter.dimension], charge, now);
        }
    }

    fn admit(&mut self, key: Key, due: u64, limit: usize, now: u64, wakers: &mut Vec<Waker>) {
        let at = due.max(now.saturating_sub(self.grace));
        let Some((_, waiter)) = self.queue.head() else { return };
        let amounts = waiter.amounts.clone();
        #[cfg(feature = "redis")]
        let charge = self.take_slot(&amounts, now).unwrap_or_else(|| self.charge(&amounts, at, now));
        #[cfg(not(feature = "redis"))]
        let charge = self.charge(&amounts, at, now);
        wakers.extend(self.queue.finish(key, |waiter| {
            let wait = Wait { nanos: waiter.waited(now), limit };
            (waiter.waker, Outcome::Admitted(Grant { amounts, charge, wait: Some(wait) }))
        }));
    }

    fn expire(&mut self, key: Key, due: u64, limit: usize, now: u64, wakers: &mut Vec<Waker>) {
        #[cfg(feature = "redis")]
        if self.expire_shared(key, due, now, wakers) {
            return;
        }
        let (limit, name) = (self.limits[limit].clone(), self.name.clone());
        self.refuse(key, wakers, |waiter| {
            timed_out(waiter.timeout, waiter.waited(now), due.saturating_sub(now), limit, name)
        });
    }

    fn refuse(&mut self, key: Key, wakers: &mut Vec<Waker>, error: impl FnOnce(&Waiter) -> AcquireError) {
        wakers.extend(self.queue.finish(key, |waiter| {
            let error = error(&waiter);
            (waiter.waker, Outcome::Refused(Box::new(error)))
        }));
    }

    fn charge(&mut self, amounts: &Amounts, at: u64, now: u64) -> u64 {
        self.charges += 1;
        let amounts = amounts.as_slice();
        for meter in &mut self.meters {
            meter.bucket.charge(amounts[meter.dimension], self.charges, at, now);
        }
        self.charges
    }

    /// Who is next, when that can be admitted, and the limit that decides it.
    fn head_due(&mut self, now: u64) -> Option<(Key, u64, usize)> {
        let (key, waiter) = self.queue.head()?;
        #[cfg(not(feature = "redis"))]
        let _ = now;
        #[cfg(feature = "redis")]
        if let Some(shared) = deciding(&mut self.shared) {
            let due = shared.due(waiter.amounts.as_slice(), Some(waiter.number), now);
            let (due, limit) = due.unwrap_or((u64::MAX, 0));
            return Some((key, due.max(waiter.arrived), limit));
        }
        let (due, limit) = self.due(waiter.amounts.as_slice());
        Some((key, due.max(waiter.arrived), limit))
    }

    /// When a call that is next can be admitted, and the limit that decides it.
    #[inline]
    fn due(&self, amounts: &[u64]) -> (u64, usize) {
        self.latest(|meter| meter.bucket.due(amounts[meter.dimension], 0))
    }

    #[inline]
    fn latest(&self, due: impl Fn(&Meter) -> u64) -> (u64, usize) {
        let mut latest = (0, 0);
        for (limit, meter) in self.meters.iter().enumerate() {
            let due = due(meter);
            if due >= latest.0 {
                latest = (due, limit);
            }
        }
        latest
    }
}

/// The error of a call that has waited for `waited` and would have to wait for `further`, which is longer than its
/// time-out. In nanoseconds.
fn timed_out(timeout: u64, waited: u64, further: u64, limit: Limit, limiter: Name) -> AcquireError {
    AcquireError::Timeout {
        timeout: Duration::from_nanos(timeout),
        waited: Duration::from_nanos(waited),
        wait: Duration::from_nanos(waited.saturating_add(further)),
        limit,
        limiter,
    }
}

#[cfg(feature = "redis")]
pub(crate) mod shared;
#[cfg(test)]
mod tests;
