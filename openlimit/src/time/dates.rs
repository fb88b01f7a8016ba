//! `Dates`: the wall clock of a limiter, for limits that reset by the calendar.
//!
//! Everything else runs on the monotonic clock. But a reset is at a time of day, and the wall clock
//! alone tells that. It may be set at any moment, forward and back, so what it shows is read anew
//! for each decision, and never computed from an earlier reading. On clocks for tests it begins at
//! a fixed date, and moves along with them.

use super::Time;

/// A wall clock.
#[derive(Clone, Debug)]
pub(crate) enum Dates {
    /// That of a limiter's time.
    Of(Time),
    /// That of a virtual time, by the date at its start.
    From(i64),
}

impl Dates {
    /// Returns what the clock shows, in nanoseconds since 1970-01-01 00:00 UTC. `now` is the time
    /// of the limiter; it matters to a virtual time only.
    pub(crate) fn read(&self, now: u64) -> i64 {
        match self {
            Self::Of(time) => time.date(),
            Self::From(start) => start.saturating_add_unsigned(now),
        }
    }
}
