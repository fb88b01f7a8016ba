//! The rules of admission where the buckets are in Redis: the head takes a slot that was granted ahead. While Redis is away
//! and the limiter may go on alone, it is the meters here that decide, at a share of every limit.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Admission, timed_out};
use crate::amounts::Amounts;
use crate::queue::Key;
use crate::redis::{Reply, Shared, StoreError, Wished};
use crate::{AcquireError, Name};

/// Charges with this bit are in the meters here; the others are numbered by their batch.
const LOCAL: u64 = 1 << 63;

/// What stands in for the buckets, while it is that which decides.
pub(super) fn deciding(shared: &mut Option<Box<Shared>>) -> Option<&mut Shared> {
    shared.as_deref_mut().filter(|shared| shared.local_share().is_none())
}

impl Admission {
    /// Leaves the decisions to buckets elsewhere.
    pub(crate) fn share(&mut self, shared: Shared) {
        self.charges = LOCAL;
        self.shared = Some(Box::new(shared));
    }

    pub(super) fn deciding(&self) -> Option<&Shared> {
        self.shared.as_deref().filter(|shared| shared.local_share().is_none())
    }

    /// Admits a call that finds nobody waiting, if there is something to admit it from.
    #[inline(never)]
    pub(super) fn take_shared(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        match deciding(&mut self.shared) {
            Some(shared) => shared.take_now(amounts, now),
            None => self.take_metered(amounts, now),
        }
    }

    /// A call is not admitted that would not wait. Has a lease asked for, if there are to be any, for those who come after it.
    pub(crate) fn wish(&mut self, amounts: &Amounts) -> Wished {
        match &mut self.shared {
            Some(shared) => shared.wish(amounts),
            None => Wished::In(0),
        }
    }

    /// Takes the slot that the head is admitted by.
    pub(super) fn take_slot(&mut self, amounts: &Amounts, now: u64) -> Option<u64> {
        deciding(&mut self.shared)?.take(amounts.as_slice(), now)
    }

    /// Whether what is given back was in buckets elsewhere.
    pub(super) fn refund_shared(&mut self, amounts: &Amounts, charge: u64, now: u64) -> bool {
        match &mut self.shared {
            Some(shared) if charge < LOCAL => {
                shared.refund(amounts.as_slice(), charge, now);
                true
            }
            _ => false,
        }
    }

    /// Slots that nobody waits for are given back.
    pub(super) fn release(&mut self, now: u64) {
        if self.queue.is_empty()
            && let Some(shared) = &mut self.shared
        {
            shared.release(now);
        }
    }

    /// What calls the driver, if there is something to carry.
    pub(crate) fn call(&mut self, now: u64) -> Option<Arc<Notify>> {
        let waiting = self.queue.len();
        self.shared.as_mut().and_then(|shared| shared.call(waiting, now))
    }

    /// The next batch, or when to come for it. If somebody flushes there is one in any case.
    pub(crate) fn collect(&mut self, flushing: bool, now: u64) -> Result<Vec<u8>, Option<u64>> {
        let Some(shared) = &mut self.shared else { return Err(None) };
        let batch = shared.collect(&self.queue, flushing, now);
        batch.ok_or_else(|| shared.rest(self.queue.len(), now))
    }

    /// The batch that was sent at `sent` was decided.
    pub(crate) fn told(&mut self, reply: &Reply, sent: u64, now: u64, wakers: &mut Vec<Waker>) {
        self.come_back(now);
        let Some(shared) = &mut self.shared else { return };
        for refusal in shared.told(reply, sent, now) {
            if self.queue.waiter(refusal.key).is_some_and(|waiter| waiter.number == refusal.number) {
                let (limit, name) = (self.limits[refusal.limit].clone(), self.name.clone());
                self.refuse(refusal.key, wakers, |waiter| {
                    timed_out(waiter.timeout, waiter.waited(now), refusal.wait, limit, name)
                });
            }
        }
    }

    /// The batch under way was not decided. Says whether somebody waits for it.
    pub(crate) fn failed(&mut self, error: &StoreError, now: u64, wakers: &mut Vec<Waker>) -> bool {
        let Some(shared) = &mut self.shared else { return false };
        let tired: Vec<Key> = if error.is_transient() {
            if shared.missed(error, now) {
                self.go_alone(now);
            }
            let Some(shared) = &self.shared else { return false };
            let tired = self.queue.iter().filter(|(_, waiter)| shared.out_of_patience(waiter, now));
            tired.map(|(key, _)| key).collect()
        } else {
            // It is there, and has to be mended: nobody is to go on without it.
            self.come_back(now);
            self.queue.iter().map(|(key, _)| key).collect()
        };
        let limiter = self.name.clone();
        for key in tired {
            self.refuse(key, wakers, |waiter| undecided(&limiter, waiter.waited(now), error));
        }
        let Some(shared) = &mut self.shared else { return false };
        let waiting = !self.queue.is_empty() || shared.local_share().is_some();
        if !waiting {
            shared.doze();
        }
        waiting
    }

    /// The batch under way will not be decided.
    pub(crate) fn give_up(&mut self) {
        if let Some(shared) = &mut self.shared {
            shared.give_up();
        }
    }

    /// The time of a waiter is over, where buckets elsewhere decide. The head, and so everyone, is due at `due`, if that is known.
    pub(super) fn expire_shared(&mut self, key: Key, due: u64, now: u64, wakers: &mut Vec<Waker>) -> bool {
        let (Some(shared), Some(waiter)) = (self.deciding(), self.queue.waiter(key)) else { return false };
        let limiter = self.name.clone();
        if let Some(error) = shared.unheard(waiter, now) {
            self.refuse(key, wakers, |waiter| undecided(&limiter, waiter.waited(now), &error));
            return true;
        }
        let (wait, limit) = shared.wait_of_next(waiter.amounts.as_slice(), now);
        let wait = if due == u64::MAX { wait } else { wait.max(due.saturating_sub(now)) };
        let limit = self.limits[limit].clone();
        self.refuse(key, wakers, |waiter| {
            timed_out(waiter.timeout, waiter.waited(now), wait, limit, limiter)
        });
        true
    }

    /// Redis is away. If calls go on without it, what is known to be in the buckets is in the meters here from now on.
    fn go_alone(&mut self, now: u64) {
        let Some(shared) = &mut self.shared else { return };
        let Some(share) = shared.local_share() else { return };
        shared.release_all(now);
        self.charges += 1;
        for (limit, meter) in self.meters.iter_mut().enumerate() {
            meter.bucket.charge(shared.part_of_level(limit, share, now), self.charges, now, now);
        }
    }

    /// Redis is back. What calls have taken without it, and has not leaked, is owed.
    fn come_back(&mut self, now: u64) {
        let Some(shared) = &mut self.shared else { return };
        if let Some(share) = shared.local_share() {
            for (limit, meter) in self.meters.iter_mut().enumerate() {
                // But for what was in the buckets before, which Redis knows.
                let known = shared.part_of_level(limit, share, now);
                shared.owe_limit(limit, meter.bucket.empty(now).saturating_sub(known), now);
            }
        }
        shared.outage = None;
    }
}

/// The refusal of a call that has waited for so many nanoseconds, since Redis did not decide.
pub(crate) fn undecided(limiter: &Name, waited: u64, error: &StoreError) -> AcquireError {
    let (limiter, error) = (limiter.clone(), error.clone());
    AcquireError::Store { limiter, waited: Duration::from_nanos(waited), error }
}
