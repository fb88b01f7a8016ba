//! Decides about calls that arrive: each is admitted, refused, or joins the queue.
//!
//! # One decision per call
//!
//! A call is decided about in one piece, under one lock and with one reading of the clock. It is
//! admitted, refused, or in the queue when the lock is released. In several pieces, other calls
//! could come in between and change the answer. `steps` has what happens to a call later, and what
//! all steps have in common.
//!
//! # Threads before waiters
//!
//! A call must not wait unless the timer thread, and for a store the driver, run in this process.
//! In a forked child they do not. Asking the system for the process id takes as long as the rest of
//! a decision, so it is asked only when a call has to wait. If a thread cannot run, the call leaves
//! the queue again and is refused.

use std::io;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, State};
use crate::admission::Decided;
use crate::backend::{Buckets as _, HOLD};
use crate::error::AcquireError;
use crate::limits::{Amounts, Priority};
use crate::queue::{Grant, Refusal, Urgency, Waiter};
use crate::sync::{MutexGuard, wake_all};
use crate::time::FORKED;

/// The decision about a call that may not wait and was not admitted by the quick path.
///
/// It is small, so that refusing a call writes the large error only once, where the caller gets it.
pub(super) enum NotAtOnce {
    /// It is admitted all the same.
    Granted(Box<Grant>),
    /// So many nanoseconds of the limit with this index are missing.
    Wait((u64, usize)),
    /// Anything else.
    Refused(Box<AcquireError>),
}

impl Core {
    /// Decides about a call that arrives now. If it waits, it has no waker yet.
    ///
    /// Every call runs through this, or through [`try_now`](Self::try_now). Its parts are inlined
    /// into it, and it is not inlined, so that its arguments and its result are passed in
    /// registers. That is also why the error is boxed.
    #[inline(never)]
    pub(super) fn arrive(
        &self,
        amounts: &[u64; Amounts::FEW],
        urgency: Urgency,
    ) -> Decided<Box<AcquireError>> {
        let now = self.time.now();
        let Some(mut state) = self.lock() else { return Decided::Refused(self.forked()) };
        match state.admission.take(amounts, now) {
            Some(charge) => Decided::Admitted(charge),
            None => self.wait(state, Waiter::new(Amounts::Few(*amounts), now, urgency), now),
        }
    }

    /// Decides about any call that arrives now. If it is admitted at once, completes its grant. If
    /// the limiter learns from it, replaces its amounts by what it has learned.
    #[inline(never)]
    pub(super) fn arrive_any(&self, grant: &mut Grant, urgency: Urgency) -> Decided<Box<AcquireError>> {
        let now = self.time.now();
        let Some(mut state) = self.lock() else { return Decided::Refused(self.forked()) };
        state.admission.price(grant, urgency.priority());
        if state.admission.grant(grant, now) {
            return Decided::Admitted(grant.charge);
        }
        let lesson = grant.lesson.clone();
        let call = Waiter { lesson, ..Waiter::new(grant.amounts.clone(), now, urgency) };
        self.wait(state, call, now)
    }

    /// Admits a call now or not at all, and returns the number of its charge.
    #[inline(never)]
    pub(super) fn try_now(&self, amounts: &[u64; Amounts::FEW]) -> Result<u64, NotAtOnce> {
        let now = self.time.now();
        let Some(mut state) = self.lock() else { return Err(NotAtOnce::Refused(self.forked())) };
        match state.admission.take(amounts, now) {
            Some(charge) => Ok(charge),
            None => Err(self.not_at_once(state, amounts, now)),
        }
    }

    /// Decides about a call that may not wait and found no room, under the lock that found this
    /// out.
    ///
    /// It is a function of its own, so that its code takes no registers from the calls that find
    /// room.
    #[inline(never)]
    fn not_at_once(
        &self,
        mut state: MutexGuard<'_, State>,
        amounts: &[u64; Amounts::FEW],
        now: u64,
    ) -> NotAtOnce {
        let admission = &mut state.admission;
        if admission.queue.is_empty() && !self.driver.is_needed() && !admission.backend.is_shut(now) {
            // Nothing is due that could make room: the buckets alone decide.
            admission.backend.refresh(now);
            return NotAtOnce::Wait(admission.backend.wait_of_next(amounts, now));
        }
        match self.refuse(state, Amounts::Few(*amounts), now) {
            Ok(grant) => NotAtOnce::Granted(Box::new(grant)),
            Err(error) => NotAtOnce::Refused(error),
        }
    }

    /// Admits any call now or not at all, and completes its grant. If the limiter learns from it,
    /// replaces its amounts by what it has learned.
    #[inline(never)]
    pub(super) fn try_any(&self, mut grant: Grant) -> Result<Grant, Box<AcquireError>> {
        let now = self.time.now();
        let Some(mut state) = self.lock() else { return Err(self.forked()) };
        state.admission.price(&mut grant, Priority::default());
        if state.admission.grant(&mut grant, now) {
            return Ok(grant);
        }
        let granted = self.refuse(state, grant.amounts, now)?;
        Ok(Grant { lesson: grant.lesson, is_below: grant.is_below, ..granted })
    }

    /// Decides about a call that may wait and found no room, under the lock that found this out.
    #[cold]
    #[inline(never)]
    fn wait(&self, mut state: MutexGuard<'_, State>, call: Waiter, now: u64) -> Decided<Box<AcquireError>> {
        if let Some(error) = self.plan.now().too_large(call.amounts.as_slice()) {
            return Decided::Refused(Box::new(error));
        }
        let mut wakers = Vec::new();
        let decided = state.admission.arrive(call, now, &mut wakers);
        let long = match decided {
            Decided::Waits(key) if self.plan.on_wait().is_some() => state.admission.begin_wait(key, now),
            _ => None,
        };
        let (next, calls) = (state.rearm(), state.calls_driver(now));
        drop(state);
        let started = match decided {
            Decided::Waits(_) => self.start(),
            // A store may have room, which the driver has to find out.
            Decided::Refused(_) if self.driver.is_needed() => self.start(),
            Decided::Refused(_) | Decided::Admitted(_) => Ok(()),
        };
        if started.is_ok() {
            self.follow_up(next, calls);
        }
        wake_all(&mut wakers);
        if let Err(error) = started {
            // The timer was not set, although `rearm` noted that it would be.
            if let Some(mut state) = self.lock() {
                state.set_armed(u64::MAX);
            }
            if let Decided::Waits(key) = decided {
                self.leave(key);
            }
            return Decided::Refused(Box::new(error));
        }
        match decided {
            Decided::Admitted(charge) => Decided::Admitted(charge),
            Decided::Waits(key) => {
                self.tell(long);
                Decided::Waits(key)
            }
            Decided::Refused(refusal) => Decided::Refused(Box::new(self.error(refusal))),
        }
    }

    /// Refuses a call that may not wait and found no room, under the lock that found this out.
    /// Admits it if waiters that are due make room.
    #[cold]
    #[inline(never)]
    fn refuse(
        &self,
        mut state: MutexGuard<'_, State>,
        amounts: Amounts,
        now: u64,
    ) -> Result<Grant, Box<AcquireError>> {
        if let Some(error) = self.plan.now().too_large(amounts.as_slice()) {
            return Err(Box::new(error));
        }
        let mut wakers = Vec::new();
        let call = Waiter::new(amounts, now, Urgency::default());
        let decided = state.admission.refuse_now(&call, now, &mut wakers);
        if self.driver.is_needed() || !wakers.is_empty() {
            self.release(state, now);
            wake_all(&mut wakers);
        } else {
            // The buckets were only looked at.
            drop(state);
        }
        decided.map_err(|refusal| self.turned_away(refusal))
    }

    /// Returns the error of a call that does not join the queue. A store may have room for the next
    /// one, which the driver has to find out.
    pub(super) fn turned_away(&self, refusal: Refusal) -> Box<AcquireError> {
        let started = if self.driver.is_needed() { self.start() } else { Ok(()) };
        Box::new(started.err().unwrap_or_else(|| self.error(refusal)))
    }

    /// Starts the driver and the timer, unless they run in this process.
    ///
    /// # Errors
    /// One of them could not be started, or runs in the process that this one was forked from.
    pub(super) fn start(&self) -> Result<(), AcquireError> {
        let process = process::id();
        if let Err(error) = self.driver.start(|| self.as_served(), process) {
            let limiter = self.plan.name().clone();
            return Err(AcquireError::Store { limiter, waited: Duration::ZERO, error });
        }
        let started = self.time.start(process);
        started.map_err(|error| self.without_timer(error))
    }

    fn without_timer(&self, error: io::Error) -> AcquireError {
        AcquireError::Timer { limiter: self.plan.name().clone(), error: Arc::new(error) }
    }

    /// Returns the error that a refused caller gets.
    #[cold]
    pub(super) fn error(&self, refusal: Refusal) -> AcquireError {
        match refusal {
            Refusal::TimedOut { waited, wait, limit: HOLD, .. } => self.held(waited, wait),
            Refusal::WouldWait { wait, limit: HOLD } => self.held(0, wait),
            Refusal::Exhausted { until } => self.exhausted(until),
            _ => self.plan.now().error(refusal),
        }
    }

    /// Returns the error of a call whose lock was held by another thread when the process was
    /// forked.
    #[cold]
    pub(super) fn forked(&self) -> Box<AcquireError> {
        Box::new(self.without_timer(io::Error::other(FORKED)))
    }
}
