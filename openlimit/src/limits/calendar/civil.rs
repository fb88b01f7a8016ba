//! Days and months of the Gregorian calendar, as numbers.
//!
//! Days are numbered from 1970-01-01 on, months from January of the year zero on. The arithmetic is
//! that of [Howard Hinnant](https://howardhinnant.github.io/date_algorithms.html): a year is taken
//! to begin in March, so that the leap day comes last. 400 years have 146 097 days.

const DAYS: i64 = 146_097;

/// The days from 0000-03-01 to 1970-01-01.
const TO_1970: i64 = 719_468;

/// Returns the day on which a month begins.
pub(super) fn first_of_month(month: i64) -> i64 {
    let march = month - 2;
    let (era, month) = (march.div_euclid(4_800), march.rem_euclid(4_800));
    let (year, month) = (month / 12, month % 12);
    let days = year * 365 + year / 4 - year / 100 + (153 * month + 2) / 5;
    era * DAYS + days - TO_1970
}

/// Returns the number of a date from 1970 to 9999; `None` if there is none. Months and days count
/// from one.
pub(crate) fn day_of(year: u64, month: u64, day: u64) -> Option<u64> {
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || day == 0 {
        return None;
    }
    let number = i64::try_from(12 * year + month - 1).ok()?;
    let [first, next] = [first_of_month(number), first_of_month(number + 1)];
    let day = first + i64::try_from(day).ok()? - 1;
    if day < next { u64::try_from(day).ok() } else { None }
}

/// Returns the month of a day.
pub(super) fn month_of(day: i64) -> i64 {
    let day = day + TO_1970;
    let (era, day) = (day.div_euclid(DAYS), day.rem_euclid(DAYS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (year * 365 + year / 4 - year / 100);
    era * 4_800 + year * 12 + (5 * day + 2) / 153 + 2
}
