//! Tests of `calendar`. The moments are those of other programs, such as `date -d`, and of the
//! rules of the zones.

use super::civil::{first_of_month, month_of};
use super::{Calendar, DAY, NoCalendar, SECOND, time_of_day};
use crate::limits::Rate;

/// Returns the calendar of a rate that resets at a time in a zone.
fn calendar(rate: Rate, time: &str, zone: &str) -> Calendar {
    Calendar::check(rate, time, zone).expect("it has windows")
}

/// Checks that windows follow each other around a moment, in seconds, and returns the one that it
/// is in, in seconds.
fn window(calendar: &Calendar, moment: i64) -> (i64, i64) {
    let window = calendar.window(moment * SECOND);
    assert!(window.begins <= moment * SECOND && moment * SECOND < window.ends, "{window:?}");
    assert_eq!(calendar.begins(window.number), window.begins);
    assert_eq!(calendar.begins(window.number + 1), window.ends);
    assert_eq!(calendar.window(window.ends - 1), window);
    assert_eq!(calendar.window(window.ends).begins, window.ends);
    (window.begins / SECOND, window.ends / SECOND)
}

#[test]
fn times_of_day_are_hours_and_minutes_and_maybe_seconds() {
    for (text, seconds) in [("00:00", 0), ("09:30", 34_200), ("23:59:59", 86_399)] {
        assert_eq!(time_of_day(text), Some(seconds));
    }
    for text in
        ["", ":", "24:00", "12:60", "12:00:60", "9:00", "09:0", "0900", "+9:00", "09:00:00:00", "é:00"]
    {
        assert_eq!(time_of_day(text), None, "{text}");
    }
}

#[test]
fn months_have_the_days_of_the_gregorian_calendar() {
    let mut first = first_of_month(1_600 * 12);
    assert_eq!(first_of_month(1_970 * 12), 0);
    for month in 1_600 * 12..2_600 * 12 {
        let (year, next) = (month / 12, first_of_month(month + 1));
        let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = match month % 12 + 1 {
            2 if is_leap => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        };
        assert_eq!(next - first, days, "{month}");
        assert!((first..next).all(|day| month_of(day) == month), "{month}");
        first = next;
    }
}

#[test]
fn days_and_their_parts_in_utc_begin_at_the_time_of_day() {
    let day = calendar(Rate::per_day(1), "09:30", "UTC");
    for moment in [0, 34_199, 34_200, 1_767_225_600, -1, -34_201, -1_000 * DAY] {
        let (begins, ends) = window(&day, moment);
        assert_eq!((begins.rem_euclid(DAY), ends - begins), (34_200, DAY), "{moment}");
    }
    let hour = calendar(Rate::per_hour(1), "09:30", "UTC");
    assert_eq!(window(&hour, 0), (-1_800, 1_800));
    assert_eq!(window(&hour, 1_800), (1_800, 5_400));
}

#[test]
fn months_in_utc_begin_on_the_first() {
    let month = calendar(Rate::per_month(1), "00:00", "UTC");
    // 2024-02-29 12:00 is in the window from the first of February to the first of March.
    assert_eq!(window(&month, 1_709_208_000), (1_706_745_600, 1_709_251_200));
    let month = calendar(Rate::per_month(1), "12:00", "UTC");
    // 2024-03-01 11:59:59 is still in the window of February.
    assert_eq!(window(&month, 1_709_294_399), (1_706_788_800, 1_709_294_400));
}

#[test]
fn the_ends_of_time_have_windows_without_a_panic() {
    for rate in [Rate::per_minute(1), Rate::per_day(1), Rate::per_month(1)] {
        let calendar = calendar(rate, "00:00", "UTC");
        for moment in [i64::MIN, i64::MAX] {
            let window = calendar.window(moment);
            assert!(window.begins < window.ends, "{window:?}");
            assert_eq!(calendar.begins(i64::MAX), i64::MAX);
            calendar.begins(i64::MIN);
        }
    }
}

#[test]
fn what_has_no_windows_is_an_error() {
    let check = |rate, time, zone| Calendar::check(rate, time, zone).expect_err("it has no windows");
    assert_eq!(check(Rate::per_day(1), "25:00", "UTC"), NoCalendar::Time);
    for zone in ["", "Mars/Olympus", "utc ", "../UTC"] {
        assert_eq!(check(Rate::per_day(1), "00:00", zone), NoCalendar::Zone, "{zone}");
    }
    for nanos in [1, 7_000_000_000, 86_400_000_000_001, 172_800_000_000_000, 604_800_000_000_000] {
        let rate = Rate::new(1, std::time::Duration::from_nanos(nanos));
        assert_eq!(check(rate, "00:00", "UTC"), NoCalendar::Period, "{nanos}");
    }
}

#[cfg(feature = "time-zones")]
mod zones {
    use super::{NoCalendar, Rate, calendar, window};
    use crate::limits::Calendar;

    #[test]
    fn days_have_23_and_25_hours_where_the_clocks_change() {
        let day = calendar(Rate::per_day(1), "00:00", "America/Los_Angeles");
        // 2026-03-08, when 02:00 becomes 03:00: from 08:00 UTC to 07:00 UTC on the next day.
        assert_eq!(window(&day, 1_772_982_000), (1_772_956_800, 1_773_039_600));
        // 2026-11-01, when 02:00 becomes 01:00: from 07:00 UTC to 08:00 UTC.
        assert_eq!(window(&day, 1_793_534_400), (1_793_516_400, 1_793_606_400));
    }

    #[test]
    fn a_time_that_is_skipped_comes_later_and_of_one_that_comes_twice_the_first_counts() {
        let skipped = calendar(Rate::per_day(1), "02:30", "America/Los_Angeles");
        // 03:30 on 2026-03-08 is 10:30 UTC, and 02:30 on the next day is 09:30 UTC.
        assert_eq!(window(&skipped, 1_772_982_000), (1_772_965_800, 1_773_048_600));
        let twice = calendar(Rate::per_day(1), "01:30", "America/Los_Angeles");
        // The first 01:30 on 2026-11-01 is 08:30 UTC, and the next is 09:30 UTC.
        assert_eq!(window(&twice, 1_793_534_400), (1_793_521_800, 1_793_611_800));
    }

    #[test]
    fn a_zone_that_skipped_a_day_goes_on() {
        // Samoa had no 2011-12-30. The day before it began at 10:00 UTC.
        let day = calendar(Rate::per_day(1), "00:00", "Pacific/Apia");
        assert_eq!(window(&day, 1_325_200_000), (1_325_152_800, 1_325_239_200));
        assert_eq!(window(&day, 1_325_239_200), (1_325_239_200, 1_325_325_600));
    }

    #[test]
    fn months_begin_on_the_first_in_their_zone() {
        let month = calendar(Rate::per_month(1), "00:00", "Asia/Tokyo");
        // 2026-02-28 15:00 UTC is the first of March there.
        assert_eq!(window(&month, 1_772_290_800), (1_772_290_800, 1_774_969_200));
    }

    #[test]
    fn parts_of_a_day_are_in_utc_only() {
        let check = Calendar::check(Rate::per_hour(1), "00:00", "America/Los_Angeles");
        assert_eq!(check.expect_err("not in UTC"), NoCalendar::Period);
    }

    #[test]
    fn all_zones_have_windows_in_every_hour_of_forty_years() {
        for zone in ["Australia/Lord_Howe", "Africa/Casablanca", "Asia/Gaza", "America/St_Johns"] {
            let (day, month) =
                (calendar(Rate::per_day(1), "00:30", zone), calendar(Rate::per_month(1), "02:00", zone));
            for moment in (946_684_800..2_208_988_800).step_by(3_600 * 37) {
                let (begins, ends) = window(&day, moment);
                assert!((22 * 3_600..=26 * 3_600).contains(&(ends - begins)), "{zone} {moment}");
                let (begins, ends) = window(&month, moment);
                assert!((27 * 86_400..=32 * 86_400).contains(&(ends - begins)), "{zone} {moment}");
            }
        }
    }
}
