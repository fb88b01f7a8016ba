//! `Core`: everything that clones of one limiter have in common. And `Handle`: a reference to it.
//!
//! The plan changes only by an update, and every call reads it without a lock (`plans`). The state
//! changes with every call, and one lock guards all of it. Several locks would not help: a call
//! takes from all limits or from none, so it would need all of them.

use std::hint;
use std::mem;
use std::ops::Deref;
use std::process;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::declared::Declared;
use super::hold_times::HoldTimes;
use super::meters::Meters;
use super::notices::Notices;
use super::plans::Plans;
use crate::admission::{Admission, Plan};
use crate::backend::{Backend, Buckets as _, Driver, Served};
use crate::limits::Counting;
use crate::sync::{Mutex, MutexGuard};
use crate::time::{Time, Timed, timer_id};

/// A limiter without its type.
pub(crate) struct Core {
    pub(super) plan: Plans,
    pub(super) time: Time,
    pub(super) driver: Driver,
    pub(super) hold_times: HoldTimes,
    pub(super) counting: Counting,
    /// The time for which the timer rests after it fired, in nanoseconds.
    pub(super) rest: AtomicU64,
    #[allow(dead_code, reason = "empty without the feature `metrics`")]
    pub(super) meters: Meters,
    /// Identifies the limiter to the timer.
    id: u64,
    /// Its place among the limiters of stacks; [`NO_RANK`] if it was never part of one.
    rank: AtomicI64,
    /// The process whose threads alone can hold the lock: at first that in which the limiter was
    /// built.
    process: AtomicU32,
    /// The forked child in which no thread is left to release the lock. Zero for none.
    abandoned_in: AtomicU32,
    /// A reference to itself, to give to the timer and the driver.
    this: Weak<Self>,
    state: Line<Mutex<State>>,
}

/// Stands for no rank.
const NO_RANK: i64 = i64::MIN;

/// The number of times that a contended lock is tried before the thread sleeps. The lock is held
/// for some tens of nanoseconds, which this covers.
const TRIES: u32 = 12;

/// The longest pause between two tries, as a number of the processor's own pauses. Each try takes
/// the cache line away from the thread that holds the lock. So the pauses get longer: with pauses
/// of equal length, two threads took three times as long for their calls.
const LONGEST_PAUSE: u32 = 64;

/// The time after which a lock that is still held in a forked child was abandoned. To admit a
/// million waiting calls at once takes a fifth of that.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_secs(1);

/// Starts at a cache line, which has 64 bytes on x86-64 and on most ARM processors.
///
/// The lock and the fields behind it that every call reads then lie in one line, and no other field
/// shares it.
#[repr(align(64))]
pub(super) struct Line<T>(T);

impl<T> Deref for Line<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// The state of a limiter, which the lock guards.
#[repr(C)]
pub(super) struct State {
    pub(super) admission: Admission,
    /// The time at which the timer will fire; the largest value if it is not set.
    pub(super) armed: u64,
    /// The time before which the timer must not fire again. Calls that become due in between are
    /// admitted together.
    pub(super) rested: u64,
    /// The limits as they are now. The limiters of all keys share them, until an update.
    pub(super) declared: Arc<Declared>,
    /// Why this process last held the limiter, and until when.
    pub(super) held_for: Option<Box<(Arc<str>, u64)>>,
    /// What was reported. `None` as long as there was nothing to report.
    pub(super) notices: Option<Box<Notices>>,
}

impl Core {
    /// Creates the core. `jitter` is the least that any limit keeps back for jitter, in
    /// nanoseconds.
    pub(super) fn new(
        plan: Arc<Plan>,
        admission: Admission,
        driver: Driver,
        time: Time,
        jitter: u64,
        hold_times: HoldTimes,
        declared: Arc<Declared>,
    ) -> Arc<Self> {
        let (counting, rest) = (declared.counting, AtomicU64::new(time.rest(jitter)));
        let state = State { admission, armed: u64::MAX, rested: 0, declared, held_for: None, notices: None };
        Arc::new_cyclic(|this| Self {
            plan: Plans::new(plan),
            time,
            driver,
            hold_times,
            counting,
            rest,
            meters: Meters::default(),
            id: timer_id(),
            rank: AtomicI64::new(NO_RANK),
            process: AtomicU32::new(process::id()),
            abandoned_in: AtomicU32::new(0),
            this: Weak::clone(this),
            state: Line(Mutex::new(state)),
        })
    }

    /// Locks the state.
    ///
    /// Returns `None` in a forked child, if another thread held the lock when the process was
    /// forked: that thread is not there to release it. Only a contended lock is checked for that,
    /// since asking the system for the process takes as long as a call.
    ///
    /// In a child, a lock that is held may also belong to one of its own threads, which releases it
    /// soon. So the first thread that meets one waits for [`ABANDONED_AFTER`]. Once the lock was
    /// taken in the child, only threads of the child can hold it.
    #[inline(always)]
    pub(super) fn lock(&self) -> Option<MutexGuard<'_, State>> {
        self.state.try_lock().or_else(|| self.lock_contended())
    }

    #[cold]
    #[inline(never)]
    fn lock_contended(&self) -> Option<MutexGuard<'_, State>> {
        let mut pause = 1;
        for _ in 0..TRIES {
            (0..pause).for_each(|_| hint::spin_loop());
            if let Some(state) = self.state.try_lock() {
                return Some(state);
            }
            pause = LONGEST_PAUSE.min(2 * pause);
        }
        let process = process::id();
        if self.process.load(Ordering::Relaxed) == process {
            return Some(self.state.lock());
        }
        let is_abandoned = self.abandoned_in.load(Ordering::Relaxed) == process;
        let patience = if is_abandoned { Duration::ZERO } else { ABANDONED_AFTER };
        let state = self.state.try_lock_for(patience);
        let known = if state.is_some() { &self.process } else { &self.abandoned_in };
        known.store(process, Ordering::Relaxed);
        state
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

    /// Returns its place among the limiters of stacks, if it was ever part of one.
    pub(super) fn rank(&self) -> Option<i64> {
        Some(self.rank.load(Ordering::Relaxed)).filter(|rank| *rank != NO_RANK)
    }

    /// Sets its place among the limiters of stacks, for ever.
    pub(super) fn set_rank(&self, rank: i64) {
        self.rank.store(rank.max(NO_RANK + 1), Ordering::Relaxed);
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
        now.saturating_add(time.min(self.hold_times.longest()))
    }
}

impl State {
    /// Returns the events so far.
    pub(super) fn notices(&mut self) -> &mut Notices {
        self.notices.get_or_insert_default()
    }

    /// Notes when the timer has to fire next. Returns that time if the timer has to be set for it.
    pub(super) fn rearm(&mut self) -> Option<u64> {
        let next = self.admission.next().unwrap_or(u64::MAX).max(self.rested);
        // If no call waits any more, the timer may still be set. It fires once, without effect, and
        // counts as not set, so that the next waiter sets it.
        if next < self.armed || next == u64::MAX {
            self.armed = next;
            return Some(next).filter(|next| *next != u64::MAX);
        }
        None
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
    use super::{Line, Mutex, State};

    /// Each key of a `Keyed` has one.
    #[test]
    fn the_state_of_a_limiter_has_at_most_four_cache_lines() {
        assert!(size_of::<Line<Mutex<State>>>() <= 256, "{} bytes", size_of::<State>());
    }
}
