//! `ProviderClock`: the time of the provider, monotonic and of the calendar.
//!
//! On sockets it is the machine's time. Without them it is that of the test: a manual clock, or the
//! paused time of tokio. The calendar begins with the date of that clock, and is the provider's own
//! from then on: if a test sets the date, it is the date of the limiter's machine.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::time::Time;

/// The latest date that is shown: the start of the year 9999. Later ones have no HTTP date.
const LATEST: Duration = Duration::from_secs(253_370_764_800);

/// A monotonic clock, and a calendar that may be wrong.
#[derive(Clone, Debug)]
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
            Some(time) => Duration::from_nanos(u64::try_from(time.date()).unwrap_or(0)),
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

    /// Returns the same in nanoseconds since 1970, of which 292 years fit.
    pub(super) fn nanos(&self, at: Instant) -> i64 {
        let since = self.date(at).duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}
