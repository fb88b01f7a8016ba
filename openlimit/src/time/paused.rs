//! `Paused`: tokio's time, inside a runtime that has paused it, so that tests of async programs need no waiting.

use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::time::Instant;

use crate::handle::Handle;
use crate::wake::wake_all;

#[derive(Clone, Debug)]
pub(crate) struct Paused {
    start: Instant,
    runtime: Runtime,
}

impl Paused {
    /// Tokio does not say whether its time is paused; but then it stands still while the system's goes on.
    pub(super) fn detect() -> Option<Self> {
        let runtime = Runtime::try_current().ok()?;
        let (start, real) = (Instant::now(), std::time::Instant::now());
        while std::time::Instant::now() == real {}
        (Instant::now() == start).then_some(Self { start, runtime })
    }

    pub(super) fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// A task of the runtime sleeps until then: only so does paused time move on by itself.
    pub(super) fn arm(&self, core: &Handle, due: u64) {
        let runtime = Runtime::try_current().unwrap_or_else(|_| self.runtime.clone());
        let (this, core) = (self.clone(), core.downgrade());
        runtime.spawn(async move {
            tokio::time::sleep_until(this.start + Duration::from_nanos(due)).await;
            if let Some(core) = core.upgrade() {
                let mut wakers = Vec::new();
                core.fire(this.now(), &mut wakers);
                wake_all(&mut wakers);
            }
        });
    }
}
