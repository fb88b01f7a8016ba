//! `Paused`: tokio's time, inside a runtime that has paused it, so that tests of async programs need no waiting.
//!
//! A static limiter may outlive the runtime in which it was first used, or be shared by several of them, each with a time
//! of its own, and by threads without one. Its time is then the sum of what passes in all of them: so it never
//! goes back, and a wait ends wherever it is slept through.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::{Handle as Runtime, Id};
use tokio::time::Instant;

use super::nanos;
use crate::handle::{Handle, WeakHandle};
use crate::wake::wake_all;

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

    /// A task of the runtime sleeps until then: only so does paused time move on by itself.
    pub(super) fn arm(&self, handle: &Handle, due: u64) {
        let runtime = Runtime::try_current().unwrap_or_else(|_| self.runtime.clone());
        let mut alarm = Alarm { time: self.clone(), handle: handle.downgrade(), due, over: false };
        runtime.spawn(async move {
            tokio::time::sleep(alarm.left()).await;
            alarm.ring();
        });
    }
}

/// What a task of a runtime sleeps for. Where the runtime ends before, or has ended already, a thread does.
struct Alarm {
    time: Paused,
    handle: WeakHandle,
    due: u64,
    over: bool,
}

impl Alarm {
    fn left(&self) -> Duration {
        Duration::from_nanos(self.due.saturating_sub(self.time.now()))
    }

    fn ring(&mut self) {
        self.over = true;
        if let Some(handle) = self.handle.upgrade() {
            let mut wakers = Vec::new();
            handle.fire(self.time.now(), &mut wakers);
            wake_all(&mut wakers);
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        let Some(handle) = self.handle.upgrade().filter(|_| !self.over) else { return };
        if handle.state.lock().admission.waiting().0 == 0 {
            // It is set no more, and has nobody to be set for.
            return self.ring();
        }
        let mut alarm =
            Self { time: self.time.clone(), handle: self.handle.clone(), due: self.due, over: true };
        let sleep = move || {
            thread::sleep(alarm.left());
            alarm.ring();
        };
        // A system that has no thread left has nobody who could be told.
        _ = thread::Builder::new().name("openlimit-paused".into()).spawn(sleep);
    }
}
