//! `Calendar`: the windows of a limit that resets by the calendar.
//!
//! A window begins at a reset and ends at the next one. This is pure arithmetic on moments: which
//! window one is in, and when the resets after it are.
//!
//! # The rule
//!
//! Windows are numbered. The start of each follows from its number:
//!
//! | period | the window of number `n` begins |
//! | --- | --- |
//! | a part of a day, in UTC | `n` periods after 1970-01-01 at the time of day |
//! | a day | at the time of day on day `n`, as clocks in the zone show it |
//! | a month | at the time of day on the first of month `n`, as clocks in the zone show it |
//!
//! So a day has 23 or 25 hours where the clocks change. If they skip the time of day, the reset is
//! as much later as they skip: for 02:30 it is 03:30. If they show it twice, the first time counts.
//! These are the rules of RFC 5545 (iCalendar). A zone that skipped a whole day, as Samoa did in
//! 2011, has a window without length there, which contains no moment.
//!
//! Moments are nanoseconds since 1970-01-01 00:00 UTC, without leap seconds, as system clocks show
//! them.

mod civil;
#[cfg_attr(not(feature = "time-zones"), path = "only_utc.rs")]
mod zone;

use std::time::Duration;

pub(crate) use self::civil::day_of;
use self::civil::{first_of_month, month_of};
pub(crate) use self::zone::UNKNOWN_ZONE;
use self::zone::Zone;
use super::{Rate, Unit};

const SECOND: i64 = 1_000_000_000;

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Moments after this are never reached: 2250-01-01, in seconds. The nanoseconds that fit end in
/// 2262.
const LAST: i64 = 8_835_955_200;

/// The resets of a limit.
#[derive(Clone, Debug)]
pub(crate) struct Calendar {
    step: Step,
    /// The time of day, in seconds.
    at: i64,
    zone: Zone,
}

/// What lies between two resets.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// So many seconds.
    Seconds(i64),
    Day,
    Month,
}

/// The window between two resets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Window {
    /// Its number.
    pub(crate) number: i64,
    /// The reset that it begins with.
    pub(crate) begins: i64,
    /// The next reset.
    pub(crate) ends: i64,
}

impl Window {
    /// Returns true if it contains a moment.
    pub(crate) fn contains(&self, moment: i64) -> bool {
        self.begins <= moment && moment < self.ends
    }
}

/// What is wrong with the resets of a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCalendar {
    Time,
    Zone,
    Period,
}

/// What to do about a period that has no windows.
pub(crate) const NO_WINDOWS: &str =
    "a limit can reset every day, every month or, in UTC, every part of a day, such as every hour";

impl Calendar {
    /// Returns the calendar of a rate; `None` if the rate does not reset.
    ///
    /// # Errors
    /// Its time of day, its zone or its period has no meaning.
    pub(crate) fn of(rate: Rate) -> Result<Option<Self>, NoCalendar> {
        let resets = rate.resets();
        resets.map(|resets| Self::check(rate, resets.time, resets.zone)).transpose()
    }

    /// Returns the calendar of a rate that resets at a time of day in a zone.
    ///
    /// # Errors
    /// The time of day, the zone or the period of the rate has no meaning.
    pub(super) fn check(rate: Rate, time: &str, zone: &str) -> Result<Self, NoCalendar> {
        let at = time_of_day(time).ok_or(NoCalendar::Time)?;
        let zone = Zone::find(zone).ok_or(NoCalendar::Zone)?;
        let step = step(rate.period(), zone.is_utc()).ok_or(NoCalendar::Period)?;
        Ok(Self { step, at, zone })
    }

    /// Returns the window that contains a moment.
    pub(crate) fn window(&self, moment: i64) -> Window {
        let moment = (moment / SECOND - i64::from(moment % SECOND < 0)).clamp(-LAST, LAST);
        let mut number = self.about(moment);
        while self.start(number) > moment {
            number -= 1;
        }
        while self.start(number + 1) <= moment {
            number += 1;
        }
        Window { number, begins: nanos(self.start(number)), ends: nanos(self.start(number + 1)) }
    }

    /// Returns the moment at which the window of a number begins; the largest value if it never
    /// does.
    fn begins(&self, number: i64) -> i64 {
        nanos(self.start(number))
    }

    /// Returns the time from a moment to the end of a window, or with more `resets`, to that of a
    /// later one, in nanoseconds; the largest value if that is never reached.
    pub(crate) fn wait_for(&self, window: Window, resets: u128, moment: i64) -> u64 {
        let number = window.number.saturating_add(i64::try_from(resets).unwrap_or(i64::MAX));
        match self.begins(number) {
            i64::MAX => u64::MAX,
            begins => begins.saturating_sub(moment).unsigned_abs(),
        }
    }

    /// Returns the number of the window that contains a moment, or of one near it.
    fn about(&self, moment: i64) -> i64 {
        match self.step {
            Step::Seconds(period) => (moment - self.at).div_euclid(period),
            Step::Day => (self.zone.shown(moment) - self.at).div_euclid(DAY),
            Step::Month => month_of((self.zone.shown(moment) - self.at).div_euclid(DAY)),
        }
    }

    /// Returns when the window of a number begins, in seconds.
    fn start(&self, number: i64) -> i64 {
        let start = match self.step {
            Step::Seconds(period) => number.saturating_mul(period),
            Step::Day => number.saturating_mul(DAY),
            Step::Month => first_of_month(number.clamp(-LAST, LAST)).saturating_mul(DAY),
        };
        let shown = start.saturating_add(self.at);
        if shown > LAST { i64::MAX } else { self.zone.moment(shown.max(-2 * LAST)) }
    }
}

/// Returns what lies between two resets of a limit with this period.
fn step(period: Duration, is_utc: bool) -> Option<Step> {
    let seconds = i64::try_from(period.as_secs()).ok().filter(|_| period.subsec_nanos() == 0)?;
    match seconds {
        DAY if is_utc => Some(Step::Seconds(DAY)),
        DAY => Some(Step::Day),
        _ if period == Unit::month.period() => Some(Step::Month),
        1..DAY if is_utc && DAY % seconds == 0 => Some(Step::Seconds(seconds)),
        _ => None,
    }
}

/// Reads `HH:MM` or `HH:MM:SS`, in seconds.
fn time_of_day(text: &str) -> Option<i64> {
    let mut parts = text.split(':').map(|part| {
        let is_number = part.len() == 2 && part.bytes().all(|digit| digit.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| is_number)
    });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next().unwrap_or(Some(0))?);
    let is_time = hour < 24 && minute < 60 && second < 60 && parts.next().is_none();
    is_time.then_some((hour * 60 + minute) * 60 + second)
}

fn nanos(seconds: i64) -> i64 {
    seconds.saturating_mul(SECOND)
}

#[cfg(test)]
mod tests;
