//! The rules of admission: all limits or none, strictly in the queue's order, and the queue decides
//! when.
//!
//! Pure state and arithmetic. The time is an argument, wakers are collected for the caller, and the
//! buckets are behind [`Backend`]. So everything here can be tested without threads and clocks.
//! `limiter` guards it with a lock. What never changes is in [`Plan`], outside of the lock.

mod plan;

use std::task::Waker;

use crate::backend::{Backend, Buckets, Due, Look};
use crate::error::StoreStatus;
use crate::queue::{Grant, Key, Outcome, Queue, Refusal, Wait, Waiter};

pub(crate) use self::plan::Plan;

/// The buckets and the queue of one limiter.
///
/// What every call looks at comes first, in the cache line of the lock.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Admission {
    pub(crate) backend: Backend,
    pub(crate) queue: Queue,
    /// When the head is due; the largest value when nobody waits, or when that is not known.
    due: u64,
    /// How far a charge may be dated back, in nanoseconds.
    grace: u64,
}

/// The decision about a call on its arrival.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// It is admitted, by the number of its charge.
    Admitted(u64),
    /// It waits, under this key.
    Waits(Key),
    Refused(Refusal),
}

impl Admission {
    pub(crate) fn new(backend: Backend, queue: Queue, grace: u64) -> Self {
        Self { backend, queue, due: u64::MAX, grace }
    }

    /// Admits a call now, if nobody waits and every limit has room, and numbers its charge.
    #[inline(always)]
    pub(crate) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.queue.is_empty() {
            return None;
        }
        self.backend.take(amounts, now)
    }

    /// Decides about a call that [`take`](Self::take) found no room for at the same moment. It waits
    /// if it has to and `waits` allows it.
    ///
    /// Those who are due go first: the timer may only be about to come round.
    pub(crate) fn arrive(&mut self, call: Waiter, waits: bool, now: u64, wakers: &mut Vec<Waker>) -> Arrival {
        if !self.queue.is_empty() {
            self.pump(now, wakers);
            if let Some(charge) = self.take(call.amounts.as_slice(), now) {
                return Arrival::Admitted(charge);
            }
        }
        if !waits {
            return Arrival::Refused(self.backend.would_wait(&call, &self.queue, now));
        }
        if call.timeout != u64::MAX {
            let (wait, limit) = self.backend.wait(&call, &self.queue, now);
            // A timeout of zero does not even wait for the timer to come round.
            if wait > call.timeout || call.timeout == 0 {
                return Arrival::Refused(call.timed_out(wait, limit, now));
            }
        }
        let key = self.queue.join(call);
        if self.queue.head().is_some_and(|(head, _)| head == key) {
            self.due = self.head_due(now).map_or(u64::MAX, |(_, due)| due.at);
        }
        Arrival::Waits(key)
    }

    /// Admits everyone who is due at `now`, in order, and refuses everyone whose timeout ended.
    pub(crate) fn pump(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        self.due = loop {
            let Some((key, due)) = self.head_due(now) else { break u64::MAX };
            let deadline = self.queue.waiter(key).map_or(u64::MAX, Waiter::deadline);
            // What counts is when it was due, not when this thread came to look.
            if deadline < due.at.min(now.saturating_add(1)) {
                self.expire(key, due.at, now, wakers);
            } else if due.at <= now {
                self.admit(key, due, now, wakers);
            } else {
                break due.at;
            }
        };
        while let Some((deadline, key)) = self.queue.deadline()
            && deadline <= now
        {
            self.expire(key, self.due, now, wakers);
        }
        if self.queue.is_empty() {
            self.backend.idle(now);
        }
    }

    /// Refuses a waiter, if it still waits.
    pub(crate) fn refuse(&mut self, key: Key, refusal: Refusal, wakers: &mut Vec<Waker>) {
        wakers.extend(self.queue.finish(key, |_| Outcome::Refused(refusal)));
    }

    /// Returns when to pump again: the head is due, or a timeout ends.
    pub(crate) fn next(&self) -> Option<u64> {
        let deadline = self.queue.deadline().map_or(u64::MAX, |(deadline, _)| deadline);
        Some(self.due.min(deadline)).filter(|next| *next != u64::MAX)
    }

    /// Returns how many calls wait, and when the first of them is due, if that is known.
    pub(crate) fn waiting(&self) -> (usize, Option<u64>) {
        (self.queue.len(), Some(self.due).filter(|due| *due != u64::MAX))
    }

    /// Returns the state of each limit at `now`, and that of the store, if there is one.
    pub(crate) fn look(&self, now: u64) -> (Vec<Look>, Option<StoreStatus>) {
        (self.backend.look(now), self.backend.store())
    }

    fn admit(&mut self, key: Key, due: Due, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let at = due.at.max(now.saturating_sub(self.grace));
        let charge = self.backend.charge(&waiter.amounts, at, now);
        wakers.extend(self.queue.finish(key, |waiter| {
            let wait = Wait { nanos: waiter.waited(now), limit: due.limit };
            let amounts = waiter.amounts.take();
            Outcome::Admitted(Grant { amounts, charge, wait: Some(wait) })
        }));
    }

    /// Refuses a waiter whose timeout ended. The head is due at `head_due`.
    fn expire(&mut self, key: Key, head_due: u64, now: u64, wakers: &mut Vec<Waker>) {
        let Some(waiter) = self.queue.waiter(key) else { return };
        let refusal = self.backend.expire(waiter, head_due, now);
        self.refuse(key, refusal, wakers);
    }

    /// Returns the head of the queue, and when it can be admitted.
    fn head_due(&mut self, now: u64) -> Option<(Key, Due)> {
        let (key, waiter) = self.queue.head()?;
        let due = self.backend.due(waiter, now).unwrap_or(Due { at: u64::MAX, limit: 0 });
        Some((key, Due { at: due.at.max(waiter.arrived), ..due }))
    }
}

#[cfg(test)]
mod tests;
