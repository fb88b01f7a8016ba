//! A queue that is full: one call is refused, so that no more than so many wait.
//!
//! Without a bound, an overload that lasts makes every call wait for longer and longer, until all
//! of them come too late. With one, those that wait are still worth it, and the others know at
//! once.

use std::sync::Arc;
use std::task::Waker;

use super::{Admission, Decided};
use crate::backend::Buckets as _;
use crate::queue::{Key, Overflow, Refusal, Waiter};

/// The most calls that may wait, and what happens to others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cap {
    pub(crate) most: usize,
    pub(crate) overflow: Overflow,
}

impl Default for Cap {
    fn default() -> Self {
        Self { most: usize::MAX, overflow: Overflow::default() }
    }
}

impl Admission {
    /// Changes the number of calls that may wait. Refuses calls that are too many by the rule for
    /// overflow, of which [`Overflow::RejectNew`](crate::Overflow::RejectNew) refuses none.
    pub(crate) fn cap(&mut self, cap: Cap, now: u64, wakers: &mut Vec<Waker>) {
        Arc::make_mut(&mut self.policy).cap = cap;
        while self.queue.len() > cap.most
            && let Some(key) = self.queue.excess(None, cap.overflow)
            && let Some(waiter) = self.queue.waiter(key)
        {
            let refusal = self.too_many(waiter, now);
            self.turn_passes(key, now);
            self.refuse(key, refusal, wakers);
        }
    }

    /// Returns true if a call that joined would be one too many.
    pub(super) fn is_full(&self) -> bool {
        self.queue.len() >= self.policy.cap.most
    }

    /// Decides about a call that has joined: it waits, unless it is the one too many, which is out
    /// of the queue then. Refuses the one that is.
    pub(super) fn or_shed(&mut self, key: Key, now: u64, wakers: &mut Vec<Waker>) -> Decided<Refusal> {
        match self.shed(key, now, wakers) {
            Some(refusal) => {
                self.queue.leave(key);
                Decided::Refused(refusal)
            }
            None => Decided::Waits(key),
        }
    }

    /// Refuses one call if more wait than may, now that the call of this key has joined. If it is
    /// that one, returns its refusal, too. Its entry stays, as that of any other call.
    pub(super) fn shed(&mut self, key: Key, now: u64, wakers: &mut Vec<Waker>) -> Option<Refusal> {
        if self.queue.len() <= self.policy.cap.most {
            return None;
        }
        let excess = self.queue.excess(Some(key), self.policy.cap.overflow)?;
        let refusal = self.too_many(self.queue.waiter(excess)?, now);
        let own = (excess == key).then(|| refusal.clone());
        if own.is_none() {
            self.turn_passes(excess, now);
        }
        self.refuse(excess, refusal, wakers);
        // It may have been the head.
        self.pump(now, wakers);
        own
    }

    /// Returns the refusal of a call for which there is no place.
    fn too_many(&self, call: &Waiter, now: u64) -> Refusal {
        let (wait, _) = self.backend.wait(call, &self.queue, now);
        // It is in the queue itself.
        let waiting = self.queue.len().saturating_sub(1);
        Refusal::QueueFull { waiting, waited: call.waited(now), wait }
    }
}
