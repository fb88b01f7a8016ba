//! `Core`: what all handles of one limiter share, and `Handle`: a reference to it.
//!
//! The plan never changes and needs no lock. The state changes with every call, and one lock guards
//! all of it.

use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use crate::admission::{Admission, Plan};
use crate::backend::{Backend, Buckets as _, Driver, Served};
use crate::sync::Mutex;
use crate::time::{Time, Timed};

pub(crate) struct Core {
    pub(super) plan: Arc<Plan>,
    pub(super) time: Time,
    /// How long the timer rests after it fired, in nanoseconds.
    rest: u64,
    pub(super) driver: Driver,
    /// Tells the limiter from others that set a timer.
    id: u64,
    /// Itself, for the timer and the driver.
    this: Weak<Self>,
    pub(super) state: Line<Mutex<State>>,
}

/// Begins a cache line.
#[repr(align(64))]
pub(super) struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// What the lock guards.
#[repr(C)]
pub(super) struct State {
    pub(super) admission: Admission,
    /// When the timer will fire; the largest value if it will not.
    pub(super) armed: u64,
    /// When it may fire again: calls that become due soon after one another are admitted together.
    pub(super) rested: u64,
}

impl Core {
    /// Creates the core. `kept_back` is the least that a limit keeps back for jitter, in nanoseconds.
    pub(super) fn new(
        plan: Arc<Plan>,
        admission: Admission,
        driver: Driver,
        time: Time,
        kept_back: u64,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let state = State { admission, armed: u64::MAX, rested: 0 };
        Arc::new_cyclic(|this| Self {
            plan,
            rest: time.rest(kept_back),
            time,
            driver,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            this: Weak::clone(this),
            state: Line(Mutex::new(state)),
        })
    }

    /// Fires the limiter at `due`, or earlier if that was asked for before.
    pub(super) fn set_timer(&self, due: u64) {
        let this: Weak<dyn Timed> = Weak::clone(&self.this) as _;
        self.time.arm(self.id, this, due);
    }

    pub(super) fn as_served(&self) -> Weak<dyn Served> {
        Weak::clone(&self.this) as _
    }

    /// Returns when the timer may fire next after it fired at `now`.
    pub(super) fn rested(&self, now: u64) -> u64 {
        now.saturating_add(self.rest)
    }
}

impl State {
    /// Notes when the timer has to fire next, and returns it if the timer has to be set for that.
    pub(super) fn rearm(&mut self) -> Option<u64> {
        let next = self.admission.next().unwrap_or(u64::MAX).max(self.rested);
        // A timer that was set for a call that has left may still fire. It does no harm, and is not
        // relied on.
        if next < self.armed || next == u64::MAX {
            self.armed = next;
            return Some(next).filter(|next| *next != u64::MAX);
        }
        None
    }

    /// Returns whether the driver has to look at the backend.
    pub(super) fn calls_driver(&mut self, now: u64) -> bool {
        let waiting = self.admission.queue.len();
        self.admission.backend.calls_driver(waiting, now)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The timer may still be set for a call that has left.
        self.time.disarm(self.id);
        let state = &self.state;
        self.driver.take_over(|| std::mem::replace(&mut state.lock().admission.backend, Backend::nothing()));
    }
}

/// A reference that owns. A declared limiter lives as long as the program and needs no count.
#[derive(Clone)]
pub(crate) enum Handle {
    Static(&'static Core),
    Shared(Arc<Core>),
}

impl Handle {
    pub(super) fn forever(core: Arc<Core>) -> Self {
        let core: &'static Arc<Core> = Box::leak(Box::new(core));
        Self::Static(core)
    }

    #[inline]
    pub(crate) fn core(&self) -> &Core {
        match self {
            Self::Static(core) => core,
            Self::Shared(core) => core,
        }
    }
}
