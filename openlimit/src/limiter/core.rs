//! `Core`: everything that clones of one limiter have in common. And `Handle`: a reference to it.
//!
//! The plan changes only by an update, and every call reads it without a lock (`plans`). The state
//! changes with every call, and one lock guards all of it. Several locks would not help: a call
//! takes from all limits or from none, so it would need all of them.

use std::mem;
use std::process;
use std::sync::{Arc, Weak};

use super::builder::least_lateness;
use super::hold_times::HoldTimes;
use super::notices::Notices;
use super::plans::{Planned, Plans};
use crate::admission::{Admission, Lazily, Unused};
use crate::backend::{Backend, Buckets as _, Driver, Served};
use crate::sync::{Holder, Mutex, MutexGuard};
use crate::time::{Time, Timed, timer_id};

/// A limiter without its type.
///
/// A program may have one for each of a million keys, so it is small. The lock and what every call
/// changes come first. What every call only reads comes last, on another cache line, so that
/// threads do not take it from each other.
#[repr(C)]
pub(crate) struct Core {
    state: Mutex<State>,
    /// A reference to itself, to give to the timer and the driver.
    this: Weak<Self>,
    /// Identifies the limiter to the timer.
    id: u64,
    pub(super) hold_times: HoldTimes,
    holder: Holder,
    pub(super) driver: Driver,
    pub(super) time: Time,
    pub(super) plan: Plans,
}

/// The state of a limiter, which the lock guards.
#[repr(C)]
pub(super) struct State {
    pub(super) admission: Admission,
    pub(super) uncommon: Lazily<Uncommon>,
}

/// What is needed once a call waits, or there is something to report.
#[derive(Debug)]
pub(super) struct Uncommon {
    /// The time at which the timer will fire; the largest value if it is not set.
    pub(super) armed: u64,
    /// The time before which the timer must not fire again. Calls that become due in between are
    /// admitted together.
    pub(super) rested: u64,
    /// The last hold that this process began.
    pub(super) held_for: Option<OwnHold>,
    /// What was reported. `None` as long as there was nothing to report.
    pub(super) notices: Option<Box<Notices>>,
}

/// A hold that this process began.
#[derive(Debug)]
pub(super) struct OwnHold {
    pub(super) reason: Arc<str>,
    pub(super) until: u64,
    /// True if it began because a quota is used up.
    pub(super) is_quota: bool,
}

impl Uncommon {
    const NEW: Self = Self { armed: u64::MAX, rested: 0, held_for: None, notices: None };
}

impl Unused for Uncommon {
    const UNUSED: &'static Self = &Self::NEW;

    fn unused() -> Self {
        Self::NEW
    }
}

impl Core {
    /// Creates the core.
    pub(super) fn new(
        planned: Arc<Planned>,
        admission: Admission,
        driver: Driver,
        time: Time,
        hold_times: HoldTimes,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            state: Mutex::new(State { admission, uncommon: Lazily::default() }),
            this: Weak::clone(this),
            id: timer_id(),
            hold_times,
            holder: Holder::of(process::id()),
            driver,
            time,
            plan: Plans::new(planned),
        })
    }

    /// Locks the state.
    ///
    /// Returns `None` in a forked child, if another thread held the lock when the process was
    /// forked: that thread is not there to release it.
    #[inline(always)]
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.try_lock().or_else(|| self.holder.wait_for(&self.state))
    }

    /// Sets the timer to `due`, unless it is set to an earlier time.
    pub(super) fn set_timer(&self, due: u64) {
        let this: Weak<dyn Timed> = Weak::clone(&self.this) as _;
        self.time.arm(self.id, this, due);
    }

    /// Returns the number of the limiter. Later limiters have higher ones.
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// Returns the limiter as its driver sees it.
    pub(super) fn as_served(&self) -> Weak<dyn Served> {
        Weak::clone(&self.this) as _
    }

    /// Returns true if it decides about all later calls as a new limiter would. Returns false if
    /// it is in use at this moment.
    pub(super) fn is_as_new(&self, now: u64) -> bool {
        !self.plan.is_updated() && self.state.try_lock().is_some_and(|state| state.admission.is_as_new(now))
    }

    /// Returns when a hold of `time` nanoseconds from now ends.
    pub(super) fn end_of_hold(&self, time: u64, now: u64) -> u64 {
        now.saturating_add(time.min(self.plan.max_hold))
    }

    /// Returns for how long the timer rests after it fired, in nanoseconds.
    pub(super) fn rest(&self) -> u64 {
        self.time.rest(least_lateness(self.plan.now().meterings()))
    }
}

impl State {
    /// Returns the events so far.
    pub(super) fn notices(&mut self) -> &mut Notices {
        self.uncommon.change().notices.get_or_insert_default()
    }

    /// Notes when the timer has to fire next. Returns that time if the timer has to be set for it.
    pub(super) fn rearm(&mut self) -> Option<u64> {
        let next = self.admission.next().unwrap_or(u64::MAX).max(self.uncommon.get().rested);
        // If no call waits any more, the timer may still be set. It fires once, without effect, and
        // counts as not set, so that the next waiter sets it.
        if next < self.uncommon.get().armed || next == u64::MAX {
            self.set_armed(next);
            return Some(next).filter(|next| *next != u64::MAX);
        }
        None
    }

    /// Notes when the timer will fire.
    pub(super) fn set_armed(&mut self, at: u64) {
        if at != self.uncommon.get().armed {
            self.uncommon.change().armed = at;
        }
    }

    /// Returns whether the driver has work.
    pub(super) fn calls_driver(&mut self, now: u64) -> bool {
        let Admission { backend, queue, .. } = &mut self.admission;
        backend.calls_driver(queue, now)
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        // The timer may still be set for a call that has left.
        self.time.disarm(self.id);
        // A driver gives back to the store what the limiter still holds.
        self.driver.take_over(|| {
            let state = self.lock();
            state.map_or_else(Backend::nothing, |mut state| {
                mem::replace(&mut state.admission.backend, Backend::nothing())
            })
        });
    }
}

/// A reference that keeps the core alive.
///
/// A declared limiter lives as long as the program. References to it are not counted, which saves
/// an atomic operation at the start and one at the end of every call.
#[derive(Clone)]
pub(crate) enum Handle {
    Static(&'static Core),
    Counted(Arc<Core>),
}

impl Handle {
    /// Creates a handle of a limiter that lives as long as the program.
    pub(super) fn forever(core: Arc<Core>) -> Self {
        let core: &'static Arc<Core> = Box::leak(Box::new(core));
        Self::Static(core)
    }

    /// Returns the core.
    #[inline]
    pub(crate) fn core(&self) -> &Core {
        match self {
            Self::Static(core) => core,
            Self::Counted(core) => core,
        }
    }
}

#[cfg(all(test, not(openlimit_loom)))]
mod tests {
    use super::{Core, Time};

    #[test]
    fn a_limiter_has_at_most_296_bytes_with_two_buckets() {
        let for_tests = size_of::<Time>();
        assert!(size_of::<Core>() - for_tests <= 296, "{} bytes", size_of::<Core>());
    }
}
