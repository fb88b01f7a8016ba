//! `ManualClock`: a clock that tests move by hand.
//!
//! It has timers of its own and fires them as it passes their due times. So a test decides to the
//! nanosecond when calls are admitted, and no test has to sleep.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use parking_lot::Mutex;

use super::date::{self, NEW_YEAR};
use super::nanos::nanos;
use super::timers::{Armed, Timers, fire};
use crate::sync::wake_all;

/// A clock that stands still until a test moves it.
///
/// Give it to a limiter with [`Builder::clock`](crate::Builder::clock). Clones are the same clock,
/// so the test keeps one and moves it. Moving the clock admits the calls that become due, on the
/// thread that moves it, and wakes their tasks.
///
/// It starts at zero and counts in nanoseconds. For limits that [reset](crate::Rate::resets_at),
/// its date starts at 2026-01-01 00:00 UTC.
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
/// // One second is not enough: the default headroom of 0.02 % makes it 1.0002 s.
/// clock.advance(Duration::from_secs(2));
/// drop(limiter.try_acquire(Cost::new())?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ManualClock(Arc<Inner>);

struct Inner {
    now: AtomicU64,
    /// The date at zero, in nanoseconds since 1970.
    start: AtomicI64,
    timers: Mutex<Timers>,
}

impl Default for ManualClock {
    fn default() -> Self {
        Self(Arc::new(Inner {
            now: AtomicU64::new(0),
            start: AtomicI64::new(NEW_YEAR),
            timers: Mutex::new(Timers::new()),
        }))
    }
}

impl ManualClock {
    /// Creates a clock that reads zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how far the clock was moved since it was created.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// Moves the clock forward by `by`. It stops at each moment at which a call becomes due or its
    /// timeout ends, and admits or refuses the call there.
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

    /// Moves the clock forward by `by` in one step. Calls that became due in between are admitted
    /// only at the end, as in a process that was suspended for this time.
    pub fn jump(&self, by: Duration) {
        self.fire(self.end(by));
    }

    /// Sets the date and time of day, as a person sets the clock of a machine. From then on they
    /// move along with this clock, which itself does not move. Only limits that
    /// [reset](crate::Rate::resets_at) go by them.
    ///
    /// Calls that wait notice it within a minute. A [`Provider`](crate::testing::Provider) has a
    /// calendar of its own, which begins with the date when it is built.
    pub fn set_date(&self, to: SystemTime) {
        self.0.start.store(date::of(to).saturating_sub_unsigned(self.nanos()), Ordering::Release);
    }

    /// Returns the date, in nanoseconds since 1970.
    pub(super) fn date(&self) -> i64 {
        self.0.start.load(Ordering::Acquire).saturating_add_unsigned(self.nanos())
    }

    /// Returns the time in nanoseconds.
    pub(crate) fn nanos(&self) -> u64 {
        self.0.now.load(Ordering::Acquire)
    }

    pub(super) fn arm(&self, armed: Armed, due: u64) {
        self.0.timers.lock().arm(armed, due);
    }

    pub(super) fn disarm(&self, id: u64) {
        self.0.timers.lock().disarm(id);
    }

    /// Returns whether a timer is armed.
    #[cfg(all(test, feature = "testing"))]
    pub(crate) fn is_armed(&self) -> bool {
        self.0.timers.lock().next().is_some()
    }

    /// Returns the time after a move by `by`.
    fn end(&self, by: Duration) -> u64 {
        self.nanos().saturating_add(nanos(by))
    }

    /// Moves the clock to `now` and fires everything that is due. If another thread moved the clock
    /// further already, it stays there.
    fn fire(&self, now: u64) {
        let now = self.0.now.fetch_max(now, Ordering::AcqRel).max(now);
        let (mut due, mut wakers) = (Vec::new(), Vec::new());
        self.0.timers.lock().take_due(now, &mut due);
        for armed in due {
            fire(&self.0.timers, armed, now, &mut wakers);
        }
        wake_all(&mut wakers);
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ManualClock").field(&self.now()).finish()
    }
}
