//! `Ramp`: how fast the traffic may grow.
//!
//! Providers refuse traffic that grows suddenly, even within the limits. Their rules are not
//! public. This one has what matters to a client: an even pace is never refused, and a steady
//! growth is admitted after a while.

use std::time::{Duration, Instant};

/// The time over which calls are counted.
const SPAN: Duration = Duration::from_secs(10);

/// The calls of this span and of the one before.
#[derive(Debug)]
pub(super) struct Ramp {
    /// The number of calls in a span that are always admitted.
    free: u64,
    start: Instant,
    now: u64,
    before: u64,
}

impl Ramp {
    pub(super) fn new(free: u64, start: Instant) -> Self {
        Self { free, start, now: 0, before: 0 }
    }

    /// Returns whether another call may come, or else the time until one may.
    pub(super) fn check(&mut self, at: Instant) -> Result<(), Duration> {
        let passed = at.saturating_duration_since(self.start);
        if passed >= SPAN {
            self.before = if passed < 2 * SPAN { self.now } else { 0 };
            (self.start, self.now) = (at, 0);
        }
        if self.now < self.free.max(self.before.saturating_mul(2)) {
            return Ok(());
        }
        Err(SPAN.saturating_sub(at.saturating_duration_since(self.start)))
    }

    /// Counts a call that was admitted.
    pub(super) fn take(&mut self) {
        self.now += 1;
    }

    /// Forgets all calls.
    pub(super) fn reset(&mut self) {
        (self.now, self.before) = (0, 0);
    }
}
