//! What is done with a limiter's state after a call has arrived: it is polled, leaves, is cancelled
//! or settled.
//!
//! # The shape of each step
//!
//! 1. Read the clock. This is done before locking, to hold the lock for a shorter time. So times
//!    can reach the lock out of order. Everything that it guards treats an earlier time as the
//!    latest one that it has seen.
//! 2. Lock, change the state, and find out when the timer must fire next and whether the driver has
//!    work.
//! 3. Unlock. Then set the timer, notify the driver and call the wakers.
//!
//! No foreign code runs under the lock: neither a waker nor the destructor of one. It could call
//! back into the limiter, or run for any length of time.
//!
//! [Pumping](crate::admission::Admission::pump) admits the waiters that are due. A change of the
//! state is made between two pumps. The first admits the calls that were due before the change, so
//! that it does not affect them. The second admits those that the change made due.

use std::borrow::Cow;
use std::task::{Poll, Waker};

use super::core::{Core, State};
use super::permit::{Charged, Settled};
use super::seen;
use crate::admission::NO_SUCCESS;
use crate::error::AcquireError;
use crate::limits::Usage;
use crate::queue::{Grant, Key, Outcome};
use crate::sync::{MutexGuard, contain, wake_all};

impl Core {
    /// Returns the outcome of a wait. While there is none, stores `waker` to be woken by it.
    pub(super) fn poll(&self, key: Key, waker: &Waker) -> Poll<Result<Grant, AcquireError>> {
        // Cloned and dropped outside of the lock, since both are foreign code.
        let waker = waker.clone();
        let Some(mut state) = self.lock() else { return Poll::Ready(Err(*self.forked())) };
        let (outcome, waker) = state.admission.queue.poll(key, waker);
        let surplus = state.admission.queue.surplus();
        let is_long = self.plan.on_wait().is_some() && state.admission.queue.is_noted(key);
        let long = if is_long { state.admission.long_wait(key, self.time.now()) } else { None };
        drop(state);
        drop(surplus);
        self.tell(long);
        // The outcome would be lost if it panicked.
        contain(|| drop(waker));
        match outcome {
            Some(Outcome::Admitted(grant)) => Poll::Ready(Ok(grant)),
            Some(Outcome::Refused(refusal)) => Poll::Ready(Err(self.error(refusal))),
            None => Poll::Pending,
        }
    }

    /// Takes a dropped call out of the queue. If it was admitted and not polled since, gives back
    /// what it was granted.
    pub(super) fn leave(&self, key: Key) {
        // Declared here, so that they are dropped where no lock is held.
        let (mut left, mut surplus) = ((None, None), None);
        self.update(|state, now, _| {
            left = state.admission.leave(key, now);
            surplus = state.admission.queue.surplus();
        });
    }

    /// Gives back everything that a call took.
    pub(super) fn cancel(&self, charged: &mut Charged) {
        self.update(|state, now, _| {
            let all = charged.grant.amounts.clone();
            charged.count(&mut state.admission, &self.plan);
            charged.refund(all, &mut state.admission, &self.plan, now);
            state.admission.pass_probe_on(&charged.grant, now);
            if charged.grant.flight.take().is_some() {
                state.admission.end_flight(NO_SUCCESS, now);
            }
        });
    }

    /// Replaces what a call took by what it used.
    pub(super) fn settle(&self, charged: &mut Charged, usage: &Usage, settled: Settled) {
        charged.note(usage);
        let stated = charged.with_spend(usage, &self.plan);
        let believed = self.believed(Cow::Borrowed(&stated));
        // A wrong number would raise the reservations of thousands of calls.
        let is_lesson = matches!(believed, Cow::Borrowed(_));
        let usage = &*believed;
        if settled >= Settled::Whole {
            seen::settled(self, &charged.grant.amounts, usage);
        }
        let (more, less) = self.plan.difference(&charged.grant, usage);
        self.update(|state, now, _| {
            charged.count(&mut state.admission, &self.plan);
            charged.refund(less, &mut state.admission, &self.plan, now);
            charged.owe(more, &mut state.admission, now);
            if is_lesson {
                charged.teach(&mut state.admission, usage, settled);
            } else {
                charged.teach_nothing();
            }
            if settled == Settled::End
                && let Some(number) = charged.grant.flight.take()
            {
                state.admission.end_flight(number, now);
            }
        });
    }

    /// Changes the state between two pumps.
    pub(super) fn update(&self, change: impl FnOnce(&mut State, u64, &mut Vec<Waker>)) {
        let mut wakers = Vec::new();
        let now = self.time.now();
        // In a forked child whose lock is held for ever there is nothing left to change.
        let Some(mut state) = self.lock() else { return };
        state.admission.pump(now, &mut wakers);
        change(&mut state, now, &mut wakers);
        state.admission.pump(now, &mut wakers);
        self.release(state, now);
        wake_all(&mut wakers);
    }

    /// Unlocks the state, sets the timer unless it fires in time anyway, and notifies the driver if
    /// it has work.
    pub(super) fn release(&self, mut state: MutexGuard<'_, State>, now: u64) {
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        self.follow_up(next, calls);
    }

    /// Does what has to follow a change of the state, once it is unlocked.
    pub(super) fn follow_up(&self, next: Option<u64>, calls_driver: bool) {
        if let Some(next) = next {
            self.set_timer(next);
        }
        if calls_driver {
            self.driver.notify();
        }
    }
}
