//! `Holder`: whose threads can hold a lock, so that a forked child does not wait for a thread that
//! it does not have.

use std::hint;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::lock::{Mutex, MutexGuard};

/// The process whose threads alone can hold a lock: at first that in which the lock was made. With
/// [`ABANDONED`], the forked child in which no thread is left to release it.
#[derive(Debug)]
pub(crate) struct Holder(AtomicU32);

/// A bit that no process has in its number.
const ABANDONED: u32 = 1 << 31;

/// The time after which a lock that is still held in a forked child was abandoned. To admit a
/// million waiting calls at once takes a fifth of that.
const ABANDONED_AFTER: Duration = Duration::from_secs(1);

/// The number of times that a contended lock is tried before the thread sleeps. Most locks are
/// held for some tens of nanoseconds, which this covers.
const TRIES: u32 = 12;

/// The longest pause between two tries, as a number of the processor's own pauses. Each try takes
/// the cache line away from the thread that holds the lock. So the pauses get longer: with pauses
/// of equal length, two threads took three times as long for their calls.
const LONGEST_PAUSE: u32 = 64;

impl Holder {
    /// Creates the holder of a lock that is made in this process.
    pub(crate) fn of(process: u32) -> Self {
        Self(AtomicU32::new(process))
    }

    /// Waits for its lock, which was held a moment ago.
    ///
    /// Returns `None` in a forked child, if another thread held the lock when the process was
    /// forked: that thread is not there to release it.
    ///
    /// In a child, a lock that is held may also belong to one of its own threads, which releases it
    /// soon. So the first thread that meets one waits for [`ABANDONED_AFTER`]. Once the lock was
    /// taken in the child, only threads of the child can hold it.
    ///
    /// It asks for the process only if the lock stays held, since that takes as long as a call.
    #[cold]
    #[inline(never)]
    pub(crate) fn wait_for<'a, T>(&self, lock: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
        let mut pause = 1;
        for _ in 0..TRIES {
            (0..pause).for_each(|_| hint::spin_loop());
            if let Some(guard) = lock.try_lock() {
                return Some(guard);
            }
            pause = LONGEST_PAUSE.min(2 * pause);
        }
        let (process, known) = (process::id(), self.0.load(Ordering::Relaxed));
        if known == process {
            return Some(lock.lock());
        }
        let abandoned = process | ABANDONED;
        let patience = if known == abandoned { Duration::ZERO } else { ABANDONED_AFTER };
        let guard = lock.try_lock_for(patience);
        self.0.store(if guard.is_some() { process } else { abandoned }, Ordering::Relaxed);
        guard
    }
}
