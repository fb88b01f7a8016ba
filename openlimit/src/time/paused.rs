//! `Paused`: tokio's time, inside a runtime that has paused it, so that tests of async programs need no waiting.
//!
//! A static limiter may outlive the runtime in which it was first used, or be shared by several of them, each with a time
//! of its own, and by threads without one. Its time is then the sum of what passes in all of them: so it never
//! goes back, and a wait ends wherever it is slept through.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle as Runtime, Id};
use tokio::time::Instant;

use super::{Timed, nanos};
use crate::sync::wake_all;

#[derive(Clone, Debug)]
pub(crate) struct Paused {
    runtime: Runtime,
    passed: Arc<Mutex<Passed>>,
}

#[derive(Debug, Default)]
struct Passed {
    nanos: u64,
    /// When the time of each runtime, or of none, was last looked at.
    looked: HashMap<Option<Id>, Instant>,
}

impl Paused {
    /// Tokio does not say whether its time is paused; but then it stands still while the system's goes on.
    pub(super) fn detect() -> Option<Self> {
        let runtime = Runtime::try_current().ok()?;
        let (start, real) = (Instant::now(), std::time::Instant::now());
        while std::time::Instant::now() == real {}
        (Instant::now() == start).then(|| Self { runtime, passed: Arc::default() })
    }

    pub(super) fn now(&self) -> u64 {
        let id = Runtime::try_current().ok().map(|runtime| runtime.id());
        let mut passed = self.passed.lock();
        let now = Instant::now();
        let looked = passed.looked.insert(id, now).unwrap_or(now);
        let since = nanos(now.saturating_duration_since(looked));
        passed.nanos = passed.nanos.saturating_add(since);
        passed.nanos
    }

    /// Fires `timed` from a task of the runtime that sleeps until `due`: paused time moves on by
    /// itself only while a task sleeps.
    pub(super) fn arm(&self, timed: Weak<dyn Timed>, due: u64) {
        let runtime = Runtime::try_current().unwrap_or_else(|_| self.runtime.clone());
        let mut alarm = Alarm { time: self.clone(), timed, due, over: false };
        runtime.spawn(async move {
            tokio::time::sleep(alarm.left()).await;
            alarm.ring();
        });
    }
}

/// What a task of a runtime sleeps for. A thread sleeps in its place if the runtime ends first, or
/// has ended already.
struct Alarm {
    time: Paused,
    timed: Weak<dyn Timed>,
    due: u64,
    over: bool,
}

impl Alarm {
    fn left(&self) -> Duration {
        Duration::from_nanos(self.due.saturating_sub(self.time.now()))
    }

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
            // The limiter learns that this alarm is gone, and sets another when it needs one.
            return self.ring();
        }
        let mut alarm =
            Self { time: self.time.clone(), timed: self.timed.clone(), due: self.due, over: true };
        let sleep = move || {
            thread::sleep(alarm.left());
            alarm.ring();
        };
        // Where no thread can be started, there is no one to report it to.
        _ = thread::Builder::new().name("openlimit-paused".into()).spawn(sleep);
    }
}
