//! Points in time as providers write them: RFC 3339, HTTP dates, seconds or milliseconds since
//! 1970, and the dates in Anthropic's sentences.
//!
//! A provider's clock may differ from this machine's, so a point in time becomes a duration by the
//! `Date` of the same response. Nothing here reads a clock.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::limits::{day_of, duration};

/// The start of 2020. An earlier `Date` is that of a machine whose clock was never set.
const EARLIEST: Duration = Duration::from_secs(1_577_836_800);

/// From here on, a number is not a duration in seconds but a point in time: 2001 as seconds.
const EPOCH_SECONDS: Duration = Duration::from_secs(1_000_000_000);

/// From here on, a number is in milliseconds: 1973 as milliseconds, the year 5138 as seconds.
const EPOCH_MILLIS: Duration = Duration::from_secs(100_000_000_000);

/// A point in time, or the time until it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    In(Duration),
    /// Since 1970.
    At(Duration),
}

impl Moment {
    /// Returns the time from `date` until the moment: zero if it has passed, `None` if `date` is
    /// needed and missing.
    pub(super) fn after(self, date: Option<Duration>) -> Option<Duration> {
        match self {
            Self::In(time) => Some(time),
            Self::At(moment) => date.map(|date| moment.saturating_sub(date)),
        }
    }

    /// Reads the value of a `reset`: a duration, a number, or a date.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let Some(number) = duration::seconds(text) else {
            return duration::with_units(text).map(Self::In).or_else(|| date(text).map(Self::At));
        };
        Some(match number {
            _ if number < EPOCH_SECONDS => Self::In(number),
            _ if number < EPOCH_MILLIS => Self::At(number),
            _ => Self::At(duration::millis(text)?),
        })
    }

    /// Reads the value of `retry-after`. A number is always in seconds.
    pub(super) fn read_retry_after(text: &[u8]) -> Option<Self> {
        let wait = duration::seconds(text).or_else(|| duration::with_units(text));
        wait.map(Self::In).or_else(|| date(text).map(Self::At))
    }
}

/// Returns the time since 1970, or `None` if the clock that it comes from was never set.
pub(super) fn since_1970(date: SystemTime) -> Option<Duration> {
    date.duration_since(UNIX_EPOCH).ok().filter(|date| *date >= EARLIEST)
}

/// Reads the value of a `Date` header.
pub(super) fn http_date(text: &[u8]) -> Option<Duration> {
    since_1970(httpdate::parse_http_date(str::from_utf8(text).ok()?).ok()?)
}

fn date(text: &[u8]) -> Option<Duration> {
    rfc_3339(text).or_else(|| http_date(text))
}

/// Reads `2025-08-21T12:40:59.5Z` or `2025-08-21T14:40:59+02:00`.
fn rfc_3339(text: &[u8]) -> Option<Duration> {
    let day = day(text)?;
    if !matches!(text.get(10)?, b'T' | b't' | b' ') {
        return None;
    }
    let minutes = minutes(text.get(11..)?)?;
    // The seconds are at 16, after a colon, and have at least two digits.
    let seconds = text.get(17..).filter(|_| text[16] == b':')?;
    let length = seconds.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let (seconds, zone) = seconds.split_at(length);
    let seconds = duration::seconds(seconds).filter(|time| seconds.len() >= 2 && time.as_secs() <= 60)?;
    let local = i64::try_from(day * 86_400 + minutes * 60).ok()?;
    let offset = match zone {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), time @ ..] if time.len() == 5 => {
            let offset = i64::try_from(self::minutes(time)?).ok()? * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    Some(Duration::from_secs(u64::try_from(local - offset).ok()?) + seconds)
}

/// Reads the date at the start of `text`, as Anthropic writes it: `2026-09-01 at 00:00 UTC`. The
/// time may be missing.
pub(super) fn in_a_sentence(text: &[u8]) -> Option<Duration> {
    let day = day(text)?;
    let minutes = text.get(10..).and_then(|text| text.strip_prefix(b" at ")).and_then(minutes);
    Some(Duration::from_secs(day * 86_400 + minutes.unwrap_or(0) * 60))
}

/// Reads `2026-09-01` at the start of `text`. Returns the days since 1970.
fn day(text: &[u8]) -> Option<u64> {
    let [year @ .., b'-', m1, m2, b'-', d1, d2] = text.get(..10)? else { return None };
    day_of(digits(year)?, digits(&[*m1, *m2])?, digits(&[*d1, *d2])?)
}

/// Reads `23:59` at the start of `text`.
fn minutes(text: &[u8]) -> Option<u64> {
    let [h1, h2, b':', m1, m2] = text.get(..5)? else { return None };
    let (hours, minutes) = (digits(&[*h1, *h2])?, digits(&[*m1, *m2])?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// Reads up to four digits.
fn digits(text: &[u8]) -> Option<u64> {
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_to_the_nanosecond() {
        for (text, nanos) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799_000_000_000),
            ("2025-08-21T12:40:59Z", 1_755_780_059_000_000_000),
            ("2025-08-21T14:40:59+02:00", 1_755_780_059_000_000_000),
            ("2025-08-21T10:10:59-02:30", 1_755_780_059_000_000_000),
            ("2025-08-21t12:40:59.123456789z", 1_755_780_059_123_456_789),
            ("2026-01-01T00:00:05Z", 1_767_225_605_000_000_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000_000_000),
        ] {
            assert_eq!(rfc_3339(text.as_bytes()), Some(Duration::from_nanos(nanos)), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2025-08-21",
            "2025-08-21T12:40:59",
            "2025-02-29T12:40:59Z",
            "2025-13-01T12:40:59Z",
            "2025-00-01T12:40:59Z",
            "2025-01-00T12:40:59Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+01:00",
            "2025-01-01T24:00:00Z",
            "2025-01-01T00:00:61Z",
            "2025-01-01T00:00:9Z",
            "2025-01-01T00:00:00+1:00",
            "2025-01-01T00:00:00ZZ",
            "20é5-01-01T00:00:00Z",
        ] {
            assert_eq!(rfc_3339(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_a_duration_or_a_point_in_time() {
        let secs = |secs| Duration::from_secs(secs);
        assert_eq!(Moment::read(b"60"), Some(Moment::In(secs(60))));
        assert_eq!(Moment::read(b"1765944000"), Some(Moment::At(secs(1_765_944_000))));
        assert_eq!(Moment::read(b"1765944000000"), Some(Moment::At(secs(1_765_944_000))));
        assert_eq!(Moment::read_retry_after(b"1765944000"), Some(Moment::In(secs(1_765_944_000))));
        assert_eq!(Moment::read(b"-1"), None);
    }

    #[test]
    fn the_date_of_an_unset_clock_is_none() {
        assert_eq!(http_date(b"Thu, 01 Jan 1970 00:00:00 GMT"), None);
        assert!(http_date(b"Thu, 21 Aug 2025 12:41:00 GMT").is_some());
    }

    #[test]
    fn a_date_in_a_sentence_is_read() {
        let day = Duration::from_secs(1_788_220_800);
        assert_eq!(in_a_sentence(b"2026-09-01 at 00:00 UTC."), Some(day));
        assert_eq!(in_a_sentence(b"2026-09-01."), Some(day));
        assert_eq!(in_a_sentence(b"tomorrow"), None);
    }
}
