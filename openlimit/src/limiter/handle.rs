//! `Handle`: a limiter's core and everything that is done with it. It guards the admission, tells it the time,
//! sets the timer, and wakes those whose turn it is.
//!
//! One lock holds all that changes. It is taken after the clock was read, for some tens of nanoseconds, and no
//! foreign code (a waker, the destructor of one) runs under it.

use std::ops::Deref;
use std::process;
use std::sync::{Arc, Weak};
use std::task::{Poll, Waker};

use crate::amounts::Amounts;
use crate::core::{Core, State};
use crate::queue::{Key, Outcome, Waiter};
use crate::sync::MutexGuard;
use crate::wake::wake_all;
use crate::{AcquireError, Cost, Permit, Usage};
#[cfg(feature = "redis")]
use {
    crate::StoreError,
    crate::admission::shared::undecided,
    crate::redis::{Reply, Wished},
    std::time::Duration,
};

/// A reference that owns. A declared limiter lives as long as the program, and needs no count.
#[derive(Clone)]
pub(crate) enum Handle {
    Static(&'static Core),
    Shared(Arc<Core>),
}

impl Handle {
    pub(crate) fn forever(core: Core) -> Self {
        Self::Static(Box::leak(Box::new(core)))
    }

    pub(crate) fn shared(core: Core) -> Self {
        Self::Shared(Arc::new(core))
    }

    pub(crate) fn downgrade(&self) -> WeakHandle {
        match self {
            Self::Static(core) => WeakHandle::Static(core),
            Self::Shared(core) => WeakHandle::Shared(Arc::downgrade(core)),
        }
    }

    /// Admits a call now or not at all.
    #[inline(always)]
    pub(crate) fn try_admit(&self, cost: &Cost) -> Result<Permit, AcquireError> {
        let Some(few) = self.resolve_few(cost) else { return self.try_any(cost) };
        match self.take_or_look(&few) {
            Ok(charge) => Ok(Permit::at_once(self.clone(), few, charge)),
            // Somebody is due, and the timer is about to come round: this does its work.
            Err((0, _)) => self.try_after_those_due(cost),
            Err(wait) => self.would_wait(&few, wait),
        }
    }

    #[cold]
    fn try_after_those_due(&self, cost: &Cost) -> Result<Permit, AcquireError> {
        #[cfg(feature = "redis")]
        if self.session.is_some() {
            return self.try_shared(cost);
        }
        self.update(|_, _, _| ());
        self.try_any(cost)
    }

    /// The same for any cost.
    #[inline(never)]
    fn try_any(&self, cost: &Cost) -> Result<Permit, AcquireError> {
        let amounts = self.resolve(cost)?;
        let now = self.time.now();
        let mut state = self.state.lock();
        if let Some(charge) = state.admission.try_admit(&amounts, now) {
            drop(state);
            return Ok(Permit::new(self.clone(), amounts, charge));
        }
        let wait = state.admission.wait(amounts.as_slice(), now);
        drop(state);
        self.would_wait(amounts.as_slice(), wait)
    }

    /// Admits a call now, or refuses it now, or puts it into the queue.
    pub(crate) fn admit(
        &self,
        amounts: &Amounts,
        timeout: u64,
        waker: &Waker,
    ) -> Result<Result<Permit, AcquireError>, Key> {
        if let Some(error) = self.too_large(amounts.as_slice()) {
            return Ok(Err(error));
        }
        let now = self.time.now();
        let admitted = self.state.lock().admission.try_admit(amounts, now);
        if let Some(charge) = admitted {
            return Ok(Ok(Permit::new(self.clone(), amounts.clone(), charge)));
        }
        self.join(amounts, timeout, waker.clone())
    }

    /// Puts a call that found no room into the queue, or refuses it.
    fn join(
        &self,
        amounts: &Amounts,
        timeout: u64,
        waker: Waker,
    ) -> Result<Result<Permit, AcquireError>, Key> {
        // Before it joins: nobody is to wait without a timer, or without a driver. The system is asked for the process once, since
        // that takes as long as the rest of this.
        let process = process::id();
        #[cfg(feature = "redis")]
        if let Err(error) = self.start_session(process) {
            return Ok(Err(error));
        }
        if let Err(error) = self.time.start(process) {
            let (limiter, error) = (self.name().clone(), Arc::new(error));
            return Ok(Err(AcquireError::Timer { limiter, error }));
        }
        let mut wakers = Vec::new();
        let now = self.time.now();
        let mut state = self.state.lock();
        let mut asked = state.admission.ask(amounts, timeout, now);
        if asked.is_err() {
            // Those who are due go first: the timer may only be about to come round.
            state.admission.pump(now, &mut wakers);
            asked = state.admission.ask(amounts, timeout, now);
        }
        let joined = match asked {
            Ok(Some(charge)) => Ok(Ok(charge)),
            Ok(None) => Err(state.admission.join(Waiter {
                amounts: amounts.clone(),
                arrived: now,
                timeout,
                waker,
                number: 0,
            })),
            Err(refusal) => Ok(Err(refusal)),
        };
        self.arm(state, now);
        wake_all(&mut wakers);
        joined.map(|asked| asked.map(|charge| Permit::new(self.clone(), amounts.clone(), charge)))
    }

    /// What became of a waiter; `waker` is woken when something does.
    pub(crate) fn poll(&self, key: Key, waker: &Waker) -> Poll<Result<Permit, AcquireError>> {
        let waker = waker.clone();
        let mut state = self.state.lock();
        let polled = state.admission.queue.poll(key, waker);
        let surplus = state.admission.queue.surplus();
        drop(state);
        drop(surplus);
        match polled {
            Ok(Outcome::Admitted(grant)) => Poll::Ready(Ok(Permit::from_queue(self.clone(), grant))),
            Ok(Outcome::Refused(error)) => Poll::Ready(Err(*error)),
            Err(_) => Poll::Pending,
        }
    }

    /// Takes a waiter out, and gives back what it had been granted and not been told of.
    pub(crate) fn leave(&self, key: Key) {
        // Dropped here, where no lock is held.
        let (mut left, mut surplus) = ((None, None), None);
        self.update(|state, now, _| {
            left = state.admission.queue.leave(key);
            surplus = state.admission.queue.surplus();
            if let (_, Some(Outcome::Admitted(grant))) = &left {
                state.admission.refund(&grant.amounts, grant.charge, now);
            }
        });
    }

    /// Gives back what a call had taken.
    pub(crate) fn refund(&self, amounts: &Amounts, charge: u64) {
        self.update(|state, now, _| state.admission.refund(amounts, charge, now));
    }

    /// Replaces what a call had taken by what it used.
    pub(crate) fn settle(&self, reserved: &Amounts, charge: u64, usage: &Usage) {
        let (more, less) = self.difference(reserved, usage);
        if !more.is_zero() || !less.is_zero() {
            self.update(|state, now, _| {
                state.admission.refund(&less, charge, now);
                state.admission.owe(&more, now);
            });
        }
    }

    /// The timer fired: admits who is due, and adds their wakers to `wakers`.
    pub(crate) fn fire(&self, now: u64, wakers: &mut Vec<Waker>) {
        let mut state = self.state.lock();
        state.armed = u64::MAX;
        state.rested = now.saturating_add(self.rest);
        state.admission.pump(now, wakers);
        self.arm(state, now);
    }

    /// Changes the state between two looks at who is due: those who were due before the change are admitted as
    /// of then, and it may make others due.
    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State, u64, &mut Vec<Waker>) -> T) -> T {
        let mut wakers = Vec::new();
        let now = self.time.now();
        let mut state = self.state.lock();
        state.admission.pump(now, &mut wakers);
        let changed = change(&mut state, now, &mut wakers);
        state.admission.pump(now, &mut wakers);
        self.arm(state, now);
        wake_all(&mut wakers);
        changed
    }

    /// Sets the timer, unless it will fire in time anyway, and calls the driver if there is something to carry.
    fn arm(
        &self,
        #[cfg_attr(not(feature = "redis"), allow(unused_mut))] mut state: MutexGuard<'_, State>,
        now: u64,
    ) {
        #[cfg(feature = "redis")]
        let call = state.admission.call(now);
        self.set_timer(state);
        #[cfg(feature = "redis")]
        if let Some(call) = call {
            call.notify_one();
        }
        #[cfg(not(feature = "redis"))]
        let _ = now;
    }

    fn set_timer(&self, mut state: MutexGuard<'_, State>) {
        let next = state.admission.next().unwrap_or(u64::MAX).max(state.rested);
        // A timer that was set for somebody who has left may still fire. It does no harm, and is not relied on.
        if next < state.armed || next == u64::MAX {
            state.armed = next;
            drop(state);
            if next != u64::MAX {
                self.time.arm(self, next);
            }
        }
    }
}

/// What the driver does with a limiter that is shared.
#[cfg(feature = "redis")]
impl Handle {
    /// Has the driver come from now on.
    fn start_session(&self, process: u32) -> Result<(), AcquireError> {
        let Some(session) = &self.session else { return Ok(()) };
        session.start(self, process).map(drop).map_err(|error| undecided(self.name(), 0, &error))
    }

    /// Admits a call now or not at all. What it is not admitted from now it may be soon, if leases are taken.
    fn try_shared(&self, cost: &Cost) -> Result<Permit, AcquireError> {
        let amounts = self.resolve(cost)?;
        self.start_session(process::id())?;
        let admitted = self.update(|state, now, _| {
            let admitted = state.admission.try_admit(&amounts, now);
            admitted.ok_or_else(|| {
                (state.admission.wish(&amounts), state.admission.wait(amounts.as_slice(), now))
            })
        });
        match admitted {
            Ok(charge) => Ok(Permit::new(self.clone(), amounts, charge)),
            Err((Wished::Away(error), _)) => Err(undecided(self.name(), 0, &error)),
            Err((Wished::In(trip), (wait, limit))) => {
                self.would_wait(amounts.as_slice(), (wait.max(trip), limit))
            }
        }
    }

    /// The next batch, or how long there will be none. If somebody flushes there is one in any case.
    pub(crate) fn collect(&self, flushing: bool) -> Result<Vec<u8>, Option<Duration>> {
        let now = self.time.now();
        let collected = self.state.lock().admission.collect(flushing, now);
        collected.map_err(|until| until.map(|until| Duration::from_nanos(until.saturating_sub(now))))
    }

    /// The batch that was sent at `sent` was decided.
    pub(crate) fn told(&self, reply: &Reply, sent: u64) {
        self.update(|state, now, wakers| state.admission.told(reply, sent, now, wakers));
    }

    /// The batch under way was not decided. Says whether somebody waits for it.
    pub(crate) fn failed(&self, error: &StoreError) -> bool {
        self.update(|state, now, wakers| state.admission.failed(error, now, wakers))
    }

    /// The batch under way will not be decided.
    pub(crate) fn give_up(&self) {
        self.update(|state, _, _| state.admission.give_up());
    }
}

impl Deref for Handle {
    type Target = Core;

    #[inline]
    fn deref(&self) -> &Core {
        match self {
            Self::Static(core) => core,
            Self::Shared(core) => core,
        }
    }
}

/// A reference that does not own: what the timer keeps.
#[derive(Clone)]
pub(crate) enum WeakHandle {
    Static(&'static Core),
    Shared(Weak<Core>),
}

impl WeakHandle {
    pub(crate) fn upgrade(&self) -> Option<Handle> {
        match self {
            Self::Static(core) => Some(Handle::Static(core)),
            Self::Shared(core) => core.upgrade().map(Handle::Shared),
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
