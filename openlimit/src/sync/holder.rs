//! `Holder`: whose threads can hold a lock, so that a forked child does not wait for a thread that it
//! does not have.

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

impl Holder {
    /// Creates the holder of a lock that is made in this process.
    pub(crate) fn of(process: u32) -> Self {
        Self(AtomicU32::new(process))
    }

    /// Waits for its lock, which is held.
    ///
    /// Returns `None` in a forked child, if another thread held the lock when the process was
    /// forked: that thread is not there to release it.
    ///
    /// In a child, a lock that is held may also belong to one of its own threads, which releases it
    /// soon. So the first thread that meets one waits for [`ABANDONED_AFTER`]. Once the lock was
    /// taken in the child, only threads of the child can hold it.
    #[cold]
    pub(crate) fn wait_for<'a, T>(&self, lock: &'a Mutex<T>) -> Option<MutexGuard<'a, T>> {
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
