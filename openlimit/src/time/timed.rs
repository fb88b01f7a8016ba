//! `Timed`: what a timer fires.
//!
//! A trait, because the timer is below the limiter in the tree and must not know it. To arm a timer
//! is to set the time at which it fires. The timer fires whatever was armed, and learns from it
//! when to fire again.

use std::task::Waker;

/// Something that has work to do at a known time.
pub(crate) trait Timed: Send + Sync {
    /// Does the work that is due at `now` and returns when there is more, in nanoseconds.
    ///
    /// Adds the wakers to call to `wakers`. The timer calls them once nothing is locked.
    fn fire(&self, now: u64, wakers: &mut Vec<Waker>) -> Option<u64>;

    /// Returns whether a call waits for the next firing.
    #[cfg(feature = "testing")]
    fn is_awaited(&self) -> bool;
}
