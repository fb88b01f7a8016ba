//! `ManualClock`: a clock that tests move by hand, and that fires the timers of its limiters as it passes them.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::timers::{Entry, Timers, fire_all};
use crate::sync::wake_all;

/// A clock that stands still until it is moved.
///
/// Give it to a limiter with [`Builder::clock`](crate::Builder::clock). Clones are the same clock.
///
/// ```
/// use openlimit::testing::ManualClock;
/// use openlimit::{Cost, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let clock = ManualClock::new();
/// let limiter = RateLimiter::builder().requests(Rate::per_second(1)).clock(&clock).build()?;
/// drop(limiter.try_acquire(Cost::new())?);
/// assert!(limiter.try_acquire(Cost::new()).is_err());
/// clock.advance(Duration::from_secs(2));
/// drop(limiter.try_acquire(Cost::new())?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Inner>);

struct Inner {
    now: AtomicU64,
    timers: Mutex<Timers>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(Inner { now: AtomicU64::new(0), timers: Mutex::new(Timers::new()) }))
    }
}

impl ManualClock {
    /// A clock that reads zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The time since the clock was made.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// Moves the clock forward, stopping at each moment at which a call becomes due, and admits it there.
    pub fn advance(&self, by: Duration) {
        let end = self.end(by);
        loop {
            let next = self.0.timers.lock().next();
            match next {
                Some(next) if next <= end => self.fire(next),
                _ => break,
            }
        }
        self.fire(end);
    }

    /// Moves the clock forward in one step, as a process sees it that was stopped meanwhile: whatever became
    /// due is looked at only now.
    pub fn jump(&self, by: Duration) {
        self.fire(self.end(by));
    }

    pub(crate) fn nanos(&self) -> u64 {
        self.0.now.load(Ordering::Acquire)
    }

    pub(super) fn arm(&self, entry: Entry, due: u64) {
        self.0.timers.lock().arm(entry, due);
    }

    pub(super) fn disarm(&self, id: u64) {
        self.0.timers.lock().disarm(id);
    }

    /// Whether some limiter is to be looked at.
    #[cfg(all(test, feature = "testing"))]
    pub(crate) fn is_armed(&self) -> bool {
        self.0.timers.lock().next().is_some()
    }

    fn end(&self, by: Duration) -> u64 {
        self.nanos().saturating_add(super::nanos(by))
    }

    /// It is `now`, or later if another thread moves the clock as well.
    fn fire(&self, now: u64) {
        let now = self.0.now.fetch_max(now, Ordering::AcqRel).max(now);
        let (mut due, mut wakers) = (Vec::new(), Vec::new());
        self.0.timers.lock().take_due(now, &mut due);
        fire_all(&self.0.timers, &mut due, now, &mut wakers);
        wake_all(&mut wakers);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
