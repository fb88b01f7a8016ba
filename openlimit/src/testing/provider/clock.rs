//! `ProviderClock`: the time of the provider, monotonic and of the calendar.
//!
//! On sockets it is the machine's time. Without them it is that of the test: a manual clock, or the
//! paused time of tokio. The calendar of a test clock begins on a fixed day, so that the dates in
//! its replies are the same in each run.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Time;

/// The start of the calendar on a test clock: 2026-01-01 00:00:00 UTC.
const NEW_YEAR: Duration = Duration::from_secs(1_767_225_600);

/// The latest date that is shown: the start of the year 9999. Later ones have no HTTP date.
const LATEST: Duration = Duration::from_secs(253_370_764_800);

/// A monotonic clock, and a calendar that may be wrong.
#[derive(Debug)]
pub(super) struct ProviderClock {
    /// `None` is the machine's clock, read without the limiter's code.
    test: Option<Time>,
    start: Instant,
    /// The test clock at the start.
    start_nanos: u64,
    /// The calendar at the start, with the skew.
    date: Duration,
}

impl ProviderClock {
    /// Starts a clock. `skew` is the number of seconds by which its calendar is ahead of the true
    /// one.
    pub(super) fn start(time: Time, skew: i64) -> Self {
        let test = (!matches!(time, Time::System)).then_some(time);
        let date = match &test {
            Some(_) => NEW_YEAR,
            None => SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default(),
        };
        let by = Duration::from_secs(skew.unsigned_abs());
        let date = if skew < 0 { date.saturating_sub(by) } else { date.saturating_add(by) };
        let start_nanos = test.as_ref().map_or(0, Time::now);
        Self { test, start: Instant::now(), start_nanos, date }
    }

    /// Returns the time now.
    pub(super) fn now(&self) -> Instant {
        match &self.test {
            Some(time) => self.start + Duration::from_nanos(time.now().saturating_sub(self.start_nanos)),
            None => Instant::now(),
        }
    }

    /// Returns the date that the provider states for a moment.
    pub(super) fn date(&self, at: Instant) -> SystemTime {
        let since = at.saturating_duration_since(self.start);
        UNIX_EPOCH + self.date.saturating_add(since).min(LATEST)
    }
}
