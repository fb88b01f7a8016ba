//! `ProviderClock`: the time of the provider, monotonic and of the calendar.
//!
//! On sockets it is the machine's time. Without them it is that of the test: a manual clock, or the
//! paused time of tokio, with their date.

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
    /// The machine's calendar at the start.
    date: Duration,
    /// The number of seconds by which the calendar is ahead of the true one.
    skew: i64,
}

impl ProviderClock {
    /// Starts a clock. `skew` is the number of seconds by which its calendar is ahead of the true
    /// one.
    pub(super) fn start(time: Time, skew: i64) -> Self {
        let test = (!matches!(time, Time::System)).then_some(time);
        let date = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let start_nanos = test.as_ref().map_or(0, Time::now);
        Self { test, start: Instant::now(), start_nanos, date, skew }
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
        let date = match &self.test {
            Some(time) => {
                let ago = self.now().saturating_duration_since(at);
                let date = Duration::from_nanos(u64::try_from(time.date()).unwrap_or(0));
                date.saturating_add(at.saturating_duration_since(self.now())).saturating_sub(ago)
            }
            None => self.date.saturating_add(at.saturating_duration_since(self.start)),
        };
        let by = Duration::from_secs(self.skew.unsigned_abs());
        let date = if self.skew < 0 { date.saturating_sub(by) } else { date.saturating_add(by) };
        UNIX_EPOCH + date.min(LATEST)
    }

    /// Returns the same in nanoseconds since 1970.
    pub(super) fn nanos(&self, at: Instant) -> i64 {
        let since = self.date(at).duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
    }
}
