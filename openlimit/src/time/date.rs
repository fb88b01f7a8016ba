//! The date and time of day, for limits that reset by the calendar. The one place that reads the
//! wall clock.
//!
//! A date is a number of nanoseconds since 1970-01-01 00:00 UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The date at which clocks for tests begin: 2026-01-01 00:00 UTC.
#[cfg(any(feature = "testing", openlimit_loom))]
pub(super) const NEW_YEAR: i64 = 1_767_225_600_000_000_000;

/// Reads the system's wall clock.
pub(super) fn now() -> i64 {
    of(SystemTime::now())
}

/// Returns a date, of which 292 years before and after 1970 fit.
pub(super) fn of(time: SystemTime) -> i64 {
    let nanos = |time: Duration| i64::try_from(time.as_nanos()).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => nanos(since),
        Err(before) => -nanos(before.duration()),
    }
}
