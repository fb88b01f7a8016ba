//! What is done with a limiter's state: calls arrive, look again, leave, settle, and are admitted.
//!
//! Each step reads the clock once, takes the lock once, and arms the timer after it. No foreign code
//! (a waker, the destructor of one) runs under the lock.

use std::process;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use super::core::{Core, State};
use crate::admission::Arrival;
use crate::backend::{Backend, Buckets as _, Refusals, Served};
use crate::error::AcquireError;
use crate::limits::{Amounts, Usage};
use crate::queue::{Grant, Key, Outcome, Queue, Waiter};
use crate::sync::{MutexGuard, wake_all};
use crate::time::Timed;

/// The decision about a call that may wait.
pub(super) enum Decision {
    /// It is admitted, by the number of its charge.
    Admitted(u64),
    /// It waits, under this key. It has no waker yet.
    Waits(Key),
    Refused(Box<AcquireError>),
}

/// How a call asks.
#[derive(Clone, Copy)]
enum Patience {
    /// It never waits.
    None,
    /// It waits for so many nanoseconds; the largest value for any time.
    For(u64),
}

impl Core {
    /// Decides about a call that arrives now and may wait for `timeout`.
    ///
    /// Every call runs through this, or through [`try_now`](Self::try_now), in one piece: its parts
    /// are inlined and it is not, so that its arguments and its result travel in registers.
    #[inline(never)]
    pub(super) fn arrive(&self, amounts: &[u64; Amounts::FEW], timeout: u64) -> Decision {
        // The clock is read outside of the lock.
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.admission.take(amounts, now) {
            Some(charge) => Decision::Admitted(charge),
            None => self.wait(state, Amounts::Few(*amounts), timeout, now),
        }
    }

    /// The same for any amounts.
    #[inline(never)]
    pub(super) fn arrive_any(&self, amounts: &Amounts, timeout: u64) -> Decision {
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.admission.take(amounts.as_slice(), now) {
            Some(charge) => Decision::Admitted(charge),
            None => self.wait(state, amounts.clone(), timeout, now),
        }
    }

    /// Admits a call now or not at all, and returns the number of its charge.
    #[inline(never)]
    pub(super) fn try_now(&self, amounts: &[u64; Amounts::FEW]) -> Result<u64, AcquireError> {
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.admission.take(amounts, now) {
            Some(charge) => Ok(charge),
            None => self.refuse_or_admit(state, Amounts::Few(*amounts), now),
        }
    }

    /// The same for any amounts.
    #[inline(never)]
    pub(super) fn try_any(&self, amounts: &Amounts) -> Result<u64, AcquireError> {
        let now = self.time.now();
        let mut state = self.state.lock();
        match state.admission.take(amounts.as_slice(), now) {
            Some(charge) => Ok(charge),
            None => self.refuse_or_admit(state, amounts.clone(), now),
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, state: MutexGuard<'_, State>, amounts: Amounts, timeout: u64, now: u64) -> Decision {
        match self.decide(state, amounts, Patience::For(timeout), now) {
            Ok(Arrival::Admitted(charge)) => Decision::Admitted(charge),
            Ok(Arrival::Waits(key)) => Decision::Waits(key),
            Ok(Arrival::Refused(refusal)) => Decision::Refused(Box::new(self.plan.error(refusal))),
            Err(error) => Decision::Refused(error),
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse_or_admit(
        &self,
        state: MutexGuard<'_, State>,
        amounts: Amounts,
        now: u64,
    ) -> Result<u64, AcquireError> {
        match self.decide(state, amounts, Patience::None, now).map_err(|error| *error)? {
            Arrival::Admitted(charge) => Ok(charge),
            Arrival::Refused(refusal) => Err(self.plan.error(refusal)),
            Arrival::Waits(_) => unreachable!("a call without patience does not wait"),
        }
    }

    /// Decides about a call for which there was no room when `state` was locked.
    ///
    /// # Errors
    /// The call could never be admitted, or would wait and there is nothing to end its wait.
    #[inline(always)]
    fn decide(
        &self,
        mut state: MutexGuard<'_, State>,
        amounts: Amounts,
        patience: Patience,
        now: u64,
    ) -> Result<Arrival, Box<AcquireError>> {
        if let Some(error) = self.plan.too_large(amounts.as_slice()) {
            return Err(Box::new(error));
        }
        let (waits, timeout) = match patience {
            Patience::None => (false, 0),
            Patience::For(timeout) => (true, timeout),
        };
        let mut wakers = Vec::new();
        let call = Waiter::new(amounts, now, timeout);
        let arrival = state.admission.arrive(call, waits, now, &mut wakers);
        if matches!(arrival, Arrival::Refused(_)) && wakers.is_empty() && !self.driver.is_needed() {
            // Nothing changed: the buckets were only looked at.
            return Ok(arrival);
        }
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        // No call may wait without a timer, nor for a driver that does not run. The system is asked
        // for the process only here, since that takes as long as the rest.
        let needs_threads = match arrival {
            Arrival::Waits(_) => true,
            Arrival::Refused(_) => self.driver.is_needed(),
            Arrival::Admitted(_) => false,
        };
        let started = if needs_threads { self.start() } else { Ok(()) };
        if started.is_ok() {
            self.follow_up(next, calls);
        }
        wake_all(&mut wakers);
        if let Err(error) = started {
            if let Arrival::Waits(key) = arrival {
                // What was to be armed for it was not.
                self.state.lock().armed = u64::MAX;
                self.leave(key);
            }
            return Err(Box::new(error));
        }
        Ok(arrival)
    }

    /// Makes sure that the driver and the timer run in this process.
    fn start(&self) -> Result<(), AcquireError> {
        let process = process::id();
        let limiter = || self.plan.name().clone();
        if let Err(error) = self.driver.start(|| self.as_served(), process) {
            return Err(AcquireError::Store { limiter: limiter(), waited: Duration::ZERO, error });
        }
        let started = self.time.start(process);
        started.map_err(|error| AcquireError::Timer { limiter: limiter(), error: Arc::new(error) })
    }

    /// Returns a waiter's outcome. While there is none, `waker` is woken by it.
    pub(super) fn poll(&self, key: Key, waker: &Waker) -> Poll<Result<Grant, AcquireError>> {
        let waker = waker.clone();
        let mut state = self.state.lock();
        let polled = state.admission.queue.poll(key, waker);
        let surplus = state.admission.queue.surplus();
        drop(state);
        drop(surplus);
        match polled {
            Ok(Outcome::Admitted(grant)) => Poll::Ready(Ok(grant)),
            Ok(Outcome::Refused(refusal)) => Poll::Ready(Err(self.plan.error(refusal))),
            Err(_) => Poll::Pending,
        }
    }

    /// Takes a waiter out of the queue, and gives back what it was granted and did not see.
    pub(super) fn leave(&self, key: Key) {
        // Dropped here, where no lock is held.
        let (mut left, mut surplus) = ((None, None), None);
        self.update(|state, now, _| {
            left = state.admission.queue.leave(key);
            surplus = state.admission.queue.surplus();
            if let (_, Some(Outcome::Admitted(grant))) = &left {
                state.admission.backend.refund(&grant.amounts, grant.charge, now);
            }
        });
    }

    /// Gives back all that a call took.
    pub(super) fn cancel(&self, grant: &Grant) {
        self.update(|state, now, _| state.admission.backend.refund(&grant.amounts, grant.charge, now));
    }

    /// Replaces what a call took by what it used.
    pub(super) fn settle(&self, grant: &Grant, usage: &Usage) {
        let (more, less) = self.plan.difference(&grant.amounts, usage);
        if !more.is_zero() || !less.is_zero() {
            self.update(|state, now, _| {
                state.admission.backend.refund(&less, grant.charge, now);
                state.admission.backend.owe(&more, now);
            });
        }
    }

    /// Changes the state between two looks at who is due: those who were due before the change are
    /// admitted as of then, and it may make others due.
    fn update(&self, change: impl FnOnce(&mut State, u64, &mut Vec<Waker>)) {
        let mut wakers = Vec::new();
        let now = self.time.now();
        let mut state = self.state.lock();
        state.admission.pump(now, &mut wakers);
        change(&mut state, now, &mut wakers);
        state.admission.pump(now, &mut wakers);
        self.release(state, now);
        wake_all(&mut wakers);
    }

    /// Unlocks the state, sets the timer unless it fires in time anyway, and calls the driver if it
    /// has work.
    fn release(&self, mut state: MutexGuard<'_, State>, now: u64) {
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        self.follow_up(next, calls);
    }

    fn follow_up(&self, next: Option<u64>, calls_driver: bool) {
        if let Some(next) = next {
            self.set_timer(next);
        }
        if calls_driver {
            self.driver.notify();
        }
    }
}

impl Timed for Core {
    fn fire(&self, now: u64, wakers: &mut Vec<Waker>) -> Option<u64> {
        let mut state = self.state.lock();
        state.armed = u64::MAX;
        state.rested = self.rested(now);
        state.admission.pump(now, wakers);
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        self.follow_up(None, calls);
        next
    }

    #[cfg(feature = "testing")]
    fn is_awaited(&self) -> bool {
        !self.state.lock().admission.queue.is_empty()
    }
}

impl Served for Core {
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals) {
        self.update(|state, now, wakers| {
            let admission = &mut state.admission;
            for (key, refusal) in work(&mut admission.backend, &admission.queue, now) {
                admission.refuse(key, refusal, wakers);
            }
        });
    }
}
