//! `StrictCalendar`: one limit as a provider enforces it that resets at a time of day.
//!
//! A window ends with the date that the provider's clock shows. What was used beyond the amount is
//! not carried on, as no provider does so.

use std::io;
use std::time::{Duration, Instant};

use super::clock::ProviderClock;
use super::meter::Meter;
use crate::limits::{Calendar, Window};
use crate::{Limit, Rate};

/// The calls since the last reset.
#[derive(Debug)]
pub(super) struct StrictCalendar {
    limit: Limit,
    calendar: Calendar,
    clock: ProviderClock,
    window: Window,
    used: i128,
    now: Instant,
}

impl StrictCalendar {
    /// Creates the meter of a limit that resets, from which nothing was taken.
    ///
    /// # Errors
    /// The amount is zero, or the limit cannot reset as it says.
    pub(super) fn new(limit: Limit, clock: ProviderClock, now: Instant) -> io::Result<Self> {
        let calendar = calendar(&limit)?;
        let window = calendar.window(clock.nanos(now));
        Ok(Self { limit, calendar, clock, window, used: 0, now })
    }

    fn until_reset(&self) -> Duration {
        Duration::from_nanos(self.window.ends.abs_diff(self.clock.nanos(self.now)))
    }
}

impl Meter for StrictCalendar {
    fn limit(&self) -> &Limit {
        &self.limit
    }

    fn read(&mut self, now: Instant) {
        self.now = self.now.max(now);
        let window = self.calendar.window(self.clock.nanos(self.now));
        if window != self.window {
            (self.window, self.used) = (window, 0);
        }
    }

    fn most(&self) -> u64 {
        self.amount()
    }

    fn wait(&self, cost: u64) -> Duration {
        if cost == 0 || i128::from(cost) <= self.left() { Duration::ZERO } else { self.until_reset() }
    }

    fn take(&mut self, cost: u64) {
        self.used += i128::from(cost);
    }

    fn take_what_is_left(&mut self, cost: u64) {
        self.used += i128::from(cost).min(self.left().max(0));
    }

    fn give_back(&mut self, cost: u64, since: Instant) {
        if self.calendar.window(self.clock.nanos(since)) == self.window {
            self.used = (self.used - i128::from(cost)).max(0);
        }
    }

    fn fill(&mut self) {
        self.used = 0;
    }

    fn left(&self) -> i128 {
        i128::from(self.amount()) - self.used
    }

    fn until_full(&self) -> Duration {
        if self.used == 0 { Duration::ZERO } else { self.until_reset() }
    }

    fn set_rate(&mut self, rate: Rate) -> io::Result<()> {
        let limit = Limit::new(self.limit.dimension().name().to_owned(), rate);
        self.calendar = calendar(&limit)?;
        self.limit = limit;
        Ok(())
    }
}

/// Returns the calendar of a limit.
fn calendar(limit: &Limit) -> io::Result<Calendar> {
    let calendar = Calendar::of(limit.rate()).ok().flatten().filter(|_| limit.rate().amount() > 0);
    calendar.ok_or_else(|| {
        let problem = format!(
            "a provider cannot enforce {limit}: give an amount of at least 1, a time of day and a zone that \
             there are, and a day, a month or, in UTC, a part of a day"
        );
        io::Error::new(io::ErrorKind::InvalidInput, problem)
    })
}
