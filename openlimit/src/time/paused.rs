//! `Paused`: tokio's time inside a runtime that has paused it.
//!
//! Paused time jumps to the next deadline when all tasks are idle. So a test of an async program
//! can wait for a minute without taking one.
//!
//! Each runtime has a time of its own. But a static limiter may outlive the runtime in which it was
//! built, and several runtimes, or threads without one, may use it. So the limiter's time is the
//! sum of the times that have passed in all of them. It never goes back, and a wait ends no matter
//! in which of them the time passes.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, SystemTime};

use once_cell::sync::Lazy;
use parking_lot::Mutex;
use tokio::runtime::{Handle as Runtime, Id};
use tokio::time::Instant;

use super::date::{self, NEW_YEAR};
use super::nanos::nanos;
use super::timed::Timed;
use crate::sync::wake_all;

/// The time of one limiter. Clones are the same time.
#[derive(Clone, Debug)]
pub(crate) struct Paused {
    /// The runtime in which the limiter was built.
    runtime: Runtime,
    /// The date when it was built, in nanoseconds since 1970.
    start: i64,
    passed: Arc<Mutex<Passed>>,
}

/// A moment of each runtime, and its date in nanoseconds since 1970.
static DATES: Lazy<Mutex<HashMap<Id, (Instant, i64)>>> = Lazy::new(Mutex::default);

/// Sets the date and time of day in a tokio runtime whose time is paused. From then on they move
/// along with its time. Only limits that [reset](crate::Rate::resets_at) go by them. Without this,
/// they start at 2026-01-01 00:00 UTC when the runtime builds its first limiter.
///
/// Calls that wait notice it within a minute. Outside of a runtime, it does nothing.
///
/// ```
/// use openlimit::{Cost, Rate, RateLimiter, testing};
/// use std::time::{Duration, UNIX_EPOCH};
///
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // 2026-03-08 23:59 UTC.
/// testing::set_date(UNIX_EPOCH + Duration::from_secs(1_773_014_340));
/// let limiter = RateLimiter::builder().requests(Rate::per_day(1).resets_at("00:00", "UTC")).build()?;
/// drop(limiter.acquire(Cost::new()).await?);
/// let permit = limiter.acquire(Cost::new()).await?;
/// assert_eq!(permit.waited(), Duration::from_secs(60));
/// # Ok(())
/// # }
/// ```
pub fn set_date(to: SystemTime) {
    if let Ok(runtime) = Runtime::try_current() {
        DATES.lock().insert(runtime.id(), (Instant::now(), date::of(to)));
    }
}

/// Returns the date in a runtime that is the current one.
fn date_in(runtime: &Runtime) -> i64 {
    let now = Instant::now();
    let (at, date) = *DATES.lock().entry(runtime.id()).or_insert((now, NEW_YEAR));
    let since = nanos(now.saturating_duration_since(at));
    date.saturating_add_unsigned(since)
}

/// The time that has passed in all runtimes together.
#[derive(Debug, Default)]
struct Passed {
    nanos: u64,
    /// The last reading of each runtime's time. `None` stands for threads without a runtime.
    read: HashMap<Option<Id>, Instant>,
}

impl Paused {
    /// Returns tokio's time, if this is called inside a runtime that has paused it.
    ///
    /// Tokio does not say whether its time is paused. But paused time stands still while the
    /// system's clock goes on.
    pub(super) fn detect() -> Option<Self> {
        let runtime = Runtime::try_current().ok()?;
        let (start, real) = (Instant::now(), std::time::Instant::now());
        while std::time::Instant::now() == real {}
        let is_paused = Instant::now() == start;
        is_paused.then(|| Self { start: date_in(&runtime), runtime, passed: Arc::default() })
    }

    /// Returns the date, in nanoseconds since 1970: that of the current runtime.
    pub(super) fn date(&self) -> i64 {
        match Runtime::try_current() {
            Ok(runtime) => date_in(&runtime),
            Err(_) => self.start.saturating_add_unsigned(self.now()),
        }
    }

    /// Reads the time: adds what has passed in the current runtime since its last reading.
    pub(super) fn now(&self) -> u64 {
        let id = Runtime::try_current().ok().map(|runtime| runtime.id());
        let mut passed = self.passed.lock();
        let now = Instant::now();
        let read = passed.read.insert(id, now).unwrap_or(now);
        let since = nanos(now.saturating_duration_since(read));
        passed.nanos = passed.nanos.saturating_add(since);
        passed.nanos
    }

    /// Fires `timed` from a task of the current runtime that sleeps until `due`.
    ///
    /// A thread could not sleep for it: paused time moves on by itself only while a task sleeps.
    pub(super) fn arm(&self, timed: Weak<dyn Timed>, due: u64) {
        let runtime = Runtime::try_current().unwrap_or_else(|_| self.runtime.clone());
        let mut alarm = Alarm { time: self.clone(), timed, due, over: false };
        runtime.spawn(async move {
            tokio::time::sleep(alarm.left()).await;
            alarm.ring();
        });
    }
}

/// Reads tokio's time in the current runtime, and the system's outside of any.
pub(super) fn instant() -> std::time::Instant {
    Instant::now().into_std()
}

/// The work of a sleeping task. If its runtime ends first, the task is dropped, and a thread sleeps
/// in its place, so that calls waiting elsewhere are not forgotten.
struct Alarm {
    time: Paused,
    timed: Weak<dyn Timed>,
    due: u64,
    /// Whether dropping it has no effect: it rang, or a thread rings it.
    over: bool,
}

impl Alarm {
    /// Returns how long to sleep.
    fn left(&self) -> Duration {
        Duration::from_nanos(self.due.saturating_sub(self.time.now()))
    }

    /// Fires what the alarm was set for, and sets the next alarm if there is more to come.
    fn ring(&mut self) {
        self.over = true;
        if let Some(timed) = self.timed.upgrade() {
            let mut wakers = Vec::new();
            if let Some(next) = timed.fire(self.time.now(), &mut wakers) {
                self.time.arm(self.timed.clone(), next);
            }
            wake_all(&mut wakers);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(timed) = self.timed.upgrade().filter(|_| !self.over) else { return };
        if !timed.is_awaited() {
            // Firing tells the limiter that it is not armed any more. It arms a timer again when a
            // call waits.
            return self.ring();
        }
        let mut alarm =
            Self { time: self.time.clone(), timed: self.timed.clone(), due: self.due, over: true };
        let sleep = move || {
            thread::sleep(alarm.left());
            alarm.ring();
        };
        // If no thread can be started, there is no caller to report it to.
        _ = thread::Builder::new().name("openlimit-paused".into()).spawn(sleep);
    }
}
