//! `When`: from which day on, or at which time of day, a price applies.
//!
//! Both are in UTC, on the wall clock. A price that changes at a date of the calendar can be known
//! by no other clock.

use super::tree::Item;
use crate::limits::day_of;

/// When a price applies. Times are seconds.
#[derive(Debug)]
pub(super) enum When {
    Always,
    /// From this day on, counted since 1970 began.
    From(u64),
    /// Each day, from the first time of day until before the second.
    Daily(u64, u64),
}

const DAY: u64 = 86_400;

impl When {
    pub(super) fn read(item: Item<'_>) -> Result<Self, String> {
        let text = |key| item.get(key).and_then(Item::text);
        let keys = item.entries().count();
        let when = match (text("start_date"), text("start_time"), text("end_time")) {
            (Some(date), None, None) if keys == 1 => day(date).map(Self::From),
            (None, Some(start), Some(end)) if keys == 2 => {
                let daily = time_of_day(start).zip(time_of_day(end)).filter(|(start, end)| start < end);
                daily.map(|(start, end)| Self::Daily(start, end))
            }
            _ => None,
        };
        when.ok_or_else(|| {
            let found = item.entries().map(|(key, value)| format!("`{key}`: {}", value.shown()));
            format!(
                "expected a `constraint` of a `start_date` such as \"2026-03-13\", or of a `start_time` such as \
                 \"00:30:00Z\" and a later `end_time`, both in UTC, found {}",
                found.collect::<Vec<_>>().join(", ")
            )
        })
    }

    /// Returns true if it includes the time so many seconds after 1970 began.
    pub(super) fn includes(&self, seconds: u64) -> bool {
        match self {
            Self::Always => true,
            Self::From(day) => seconds / DAY >= *day,
            Self::Daily(start, end) => (start..end).contains(&&(seconds % DAY)),
        }
    }
}

/// Returns the number of a day since 1970 began.
fn day(date: &str) -> Option<u64> {
    let [year, month, day] = numbers(date, '-')?;
    day_of(year, month, day)
}

/// Returns a time of day in UTC.
fn time_of_day(time: &str) -> Option<u64> {
    let [hours, minutes, seconds] = numbers(time.strip_suffix('Z').or(time.strip_suffix("+00:00"))?, ':')?;
    (hours < 24 && minutes < 60 && seconds < 60).then_some(hours * 3_600 + minutes * 60 + seconds)
}

/// Reads three numbers.
fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let is_number =
        |part: &&str| !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
    let parts: Option<Vec<_>> =
        text.split(between).map(|part| Some(part).filter(is_number)?.parse().ok()).collect();
    parts?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::{day, time_of_day};

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        for (date, expected) in [
            ("1970-01-01", 0),
            ("1970-12-31", 364),
            ("1972-02-29", 789),
            ("1972-03-01", 790),
            ("2000-02-29", 11_016),
            ("2000-03-01", 11_017),
            ("2026-03-13", 20_525),
            ("2100-03-01", 47_541),
        ] {
            assert_eq!(day(date), Some(expected), "{date}");
        }
        for date in
            ["2026-02-29", "2100-02-29", "2026-04-31", "2026-00-01", "2026-13-01", "2026-01-00", "1969-12-31"]
        {
            assert_eq!(day(date), None, "{date}");
        }
        for date in
            ["", "2026", "2026-1", "2026-01-01T00:00", "2026-+1-01", "20260-01-01", "2026-01-01-01", "a-b-c"]
        {
            assert_eq!(day(date), None, "{date}");
        }
    }

    #[test]
    fn times_of_day_are_in_utc() {
        assert_eq!(time_of_day("00:30:00Z"), Some(1_800));
        assert_eq!(time_of_day("23:59:59+00:00"), Some(86_399));
        for time in ["00:30:00", "00:30:00+01:00", "24:00:00Z", "00:60:00Z", "00:00:60Z", "00:30Z", "Z", ""] {
            assert_eq!(time_of_day(time), None, "{time}");
        }
    }
}
