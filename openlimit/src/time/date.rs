//! `Dates`: what the wall clock shows, for limits that reset by the calendar.
//!
//! Everything else runs on the monotonic clock. But a reset is at a time of day, and the wall clock
//! alone tells that. It may be set at any moment, forward and back, so what it shows is read anew
//! for each decision, and never computed from an earlier reading. On clocks for tests it begins at a
//! fixed date, and moves along with them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Time;

/// The date at which clocks for tests begin: 2026-01-01 00:00 UTC, in nanoseconds since 1970.
#[cfg(any(feature = "testing", openlimit_loom))]
pub(super) const NEW_YEAR: i64 = 1_767_225_600_000_000_000;

/// A wall clock.
#[derive(Clone, Debug)]
pub(crate) enum Dates {
    /// That of a limiter's time.
    Of(Time),
    /// That of a virtual time, by the date at its start.
    From(i64),
}

impl Dates {
    /// Returns what the clock shows, in nanoseconds since 1970-01-01 00:00 UTC. `now` is the time of
    /// the limiter; it matters to a virtual time only.
    pub(crate) fn read(&self, now: u64) -> i64 {
        match self {
            Self::Of(time) => time.date(),
            Self::From(start) => start.saturating_add_unsigned(now),
        }
    }
}

/// Returns a date in nanoseconds since 1970, of which 292 years before and after fit.
pub(super) fn date(at: SystemTime) -> i64 {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}
