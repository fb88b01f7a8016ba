//! `Windows`: the windows of one limit that resets by the calendar, by the server's clock.

use crate::limits::{Calendar, Window};
use crate::time::Dates;

/// The windows of one limit, as far as a client knows them. Dates are in nanoseconds since 1970.
#[derive(Clone, Debug)]
pub(in crate::backend::redis) struct Windows {
    pub(super) calendar: Calendar,
    /// The clock of this machine.
    pub(super) dates: Dates,
    /// The bucket of the limit.
    pub(super) bucket: usize,
    /// The window that the known level counts in.
    pub(super) known: Window,
    /// The last charge before it.
    pub(super) before: u64,
    /// The highest amount in force in it, as far as a reply has said.
    pub(super) highest: u64,
}

/// The largest time on the wire, in microseconds.
const LAST: i64 = 1 << 53;

impl Windows {
    /// Creates it for a limit of which nothing is known yet.
    pub(in crate::backend::redis) fn new(calendar: Calendar, dates: Dates) -> Self {
        let known = Window { number: i64::MIN, begins: i64::MIN, ends: i64::MIN };
        Self { calendar, dates, bucket: 0, known, before: 0, highest: 0 }
    }

    /// Returns it for the limit of a bucket.
    pub(super) fn of(self, bucket: usize) -> Self {
        Self { bucket, ..self }
    }

    /// Returns the window at a date, and how many resets there were since the known one.
    pub(super) fn at(&self, date: i64) -> (Window, u64) {
        if date < self.known.ends {
            return (self.known, 0);
        }
        let window = self.calendar.window(date);
        (window, window.number.saturating_sub(self.known.number).max(1).unsigned_abs())
    }

    /// Returns the window that ends at a date, or the end of which the server has moved to it.
    pub(super) fn ending_at(&self, ends: i64) -> Window {
        Window { ends, ..self.calendar.window(ends - 1) }
    }

    /// Returns when the window of a date begins and ends, and when the next one ends, in
    /// microseconds.
    pub(super) fn two_from(&self, date: i64) -> [u64; 3] {
        let window = self.calendar.window(date);
        let next = self.calendar.window(window.ends);
        [window.begins, window.ends, next.ends].map(|date| (date / 1_000).clamp(0, LAST).unsigned_abs())
    }
}
