//! The formats of times and numbers in replies. Clients parse them, so they are exact.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The last second that has an HTTP date: the end of the year 9999.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Returns a time as Go's `time.Duration` prints it: `17ms`, `8.64s`, `6m0s`, `23h18m29.144s`.
///
/// In whole milliseconds, rounded up, so that waiting that long is enough.
pub(super) fn go_duration(time: Duration) -> String {
    let millis = time.as_nanos().div_ceil(1_000_000);
    let (minutes, rest) = (millis / 60_000, millis % 60_000);
    let seconds = format!("{}.{:03}", rest / 1_000, rest % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes / 60, minutes % 60) {
        (0, 0) if millis == 0 => "0s".to_owned(),
        (0, 0) if millis < 1_000 => format!("{millis}ms"),
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

/// Returns a time in whole seconds, rounded up.
pub(super) fn seconds(time: Duration) -> u128 {
    time.as_nanos().div_ceil(1_000_000_000)
}

/// Returns a date as HTTP writes it: `Thu, 01 Jan 2026 00:00:05 GMT`.
pub(super) fn http_date(date: SystemTime) -> String {
    httpdate::fmt_http_date(date.min(UNIX_EPOCH + LAST))
}

/// Returns a date as RFC 3339 writes it, rounded up to a second: `2026-01-01T00:00:05Z`.
pub(super) fn rfc3339(date: SystemTime) -> String {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let date = http_date(date + Duration::from_nanos(999_999_999));
    // Each part of an HTTP date has a fixed place.
    let (day, month, year, time) = (&date[5..7], &date[8..11], &date[12..16], &date[17..25]);
    let month = MONTHS.find(month).map_or(1, |at| at / 3 + 1);
    format!("{year}-{month:02}-{day}T{time}Z")
}

/// Returns a number with its digits in groups: `40,000`.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_go_writes_them() {
        for (micros, text) in [
            (0, "0s"),
            (1, "1ms"),
            (17_000, "17ms"),
            (1_000_000, "1s"),
            (1_569_000, "1.569s"),
            (8_640_000, "8.64s"),
            (10_000_000, "10s"),
            (60_000_000, "1m0s"),
            (360_000_000, "6m0s"),
            (179_560_000, "2m59.56s"),
            (252_172_000, "4m12.172s"),
            (3_600_000_000, "1h0m0s"),
            (83_909_144_000, "23h18m29.144s"),
        ] {
            assert_eq!(go_duration(Duration::from_micros(micros)), text);
        }
    }

    #[test]
    fn dates_are_rounded_up_to_a_second() {
        let leap_day = UNIX_EPOCH + Duration::from_secs(1_709_210_096);
        assert_eq!(rfc3339(leap_day), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339(leap_day + Duration::from_nanos(1)), "2024-02-29T12:34:57Z");
        assert_eq!(rfc3339(leap_day + 10 * LAST), "9999-12-31T23:59:59Z");
    }

    #[test]
    fn digits_are_grouped_by_three() {
        let numbers = [0, 999, 1_000, 58_276, 1_000_000];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "58,276", "1,000,000"]);
    }
}
