//! Durations as providers and users write them: `7`, `12.5`, `17ms`, `1m42.653s`, `37 seconds`,
//! `02:10:15`.
//!
//! Exact integers, because a float turns 8.64 s into slightly less, and a call that leaves slightly
//! too early is refused again. What does not fit is cut at the longest duration that there is, so
//! that an absurd wait never becomes a short one.

use std::time::Duration;

/// Nanoseconds of a second.
const SECOND: u64 = 1_000_000_000;

/// A non-negative decimal number. Each part saturates.
#[derive(Clone, Copy)]
struct Decimal {
    whole: u64,
    /// The part after the point, in 10^-9, rounded up.
    nano: u64,
}

impl Decimal {
    /// Reads the number at the start of `text`. Returns it and its length.
    fn read(text: &[u8]) -> Option<(Self, usize)> {
        let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let end = digits(0);
        if end == 0 {
            return None;
        }
        let whole = text[..end]
            .iter()
            .fold(0_u64, |whole, digit| whole.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        if text.get(end) != Some(&b'.') {
            return Some((Self { whole, nano: 0 }, end));
        }
        let places = digits(end + 1);
        if places == 0 {
            return Some((Self { whole, nano: 0 }, end));
        }
        let fraction = &text[end + 1..end + 1 + places];
        let (kept, cut) = fraction.split_at(places.min(9));
        let nano = (0..9)
            .fold(0, |nano, place| nano * 10 + kept.get(place).map_or(0, |digit| u64::from(digit - b'0')));
        let above = u64::from(cut.iter().any(|digit| *digit != b'0'));
        Some((Self { whole, nano: nano + above }, end + 1 + places))
    }

    /// Returns this many units of `unit` nanoseconds, rounded up to a nanosecond.
    fn of(self, unit: u64) -> Duration {
        let unit = u128::from(unit);
        // At most 2^64 * 2^47.
        let nanos = u128::from(self.whole) * unit + (u128::from(self.nano) * unit).div_ceil(SECOND.into());
        let secs = u64::try_from(nanos / u128::from(SECOND)).unwrap_or(u64::MAX);
        Duration::new(secs, u32::try_from(nanos % u128::from(SECOND)).unwrap_or(0))
    }
}

/// Reads a number of seconds: `7` or `12.5`.
pub(crate) fn seconds(text: &[u8]) -> Option<Duration> {
    number(text).map(|number| number.of(SECOND))
}

/// Reads a number of milliseconds: `1500` or `0.5`.
pub(crate) fn millis(text: &[u8]) -> Option<Duration> {
    number(text).map(|number| number.of(SECOND / 1_000))
}

/// Reads a count: `60000` or `60000.0`. Returns `None` if it is negative or does not fit.
pub(crate) fn count(text: &[u8]) -> Option<u64> {
    number(text).map(|number| number.whole).filter(|count| *count < u64::MAX)
}

/// Reads a share: `0.25` is 250 000 millionths. Rounds up.
pub(crate) fn millionths(text: &[u8]) -> Option<u64> {
    let number = number(text)?;
    Some(number.whole.saturating_mul(1_000_000).saturating_add(number.nano.div_ceil(1_000)))
}

fn number(text: &[u8]) -> Option<Decimal> {
    Decimal::read(text).filter(|(_, length)| *length == text.len()).map(|(number, _)| number)
}

/// Reads a duration with units, and nothing else: `6m0s`, `8.64s`, `1 minute`.
pub(crate) fn with_units(text: &[u8]) -> Option<Duration> {
    leading(text).filter(|(_, length)| *length == text.len()).map(|(duration, _)| duration)
}

/// Reads the duration with units at the start of `text`. Returns it and its length.
///
/// The parts may be apart by a space, as in `1 hour 5 minutes`.
pub(crate) fn leading(text: &[u8]) -> Option<(Duration, usize)> {
    let mut total = None::<Duration>;
    let mut end = 0;
    let mut at = 0;
    while let Some((number, digits)) = Decimal::read(&text[at..]) {
        let mut unit = at + digits;
        if text.get(unit) == Some(&b' ') {
            unit += 1;
        }
        let letters = text[unit..].iter().take_while(|byte| is_letter(**byte)).count();
        let Some(nanos) = unit_of(&text[unit..unit + letters]) else { break };
        total = Some(total.unwrap_or_default().saturating_add(number.of(nanos)));
        end = unit + letters;
        at = end + usize::from(text.get(end) == Some(&b' '));
    }
    total.map(|total| (total, end))
}

/// Reads `02:10:15` at the start of `text`: hours, minutes and seconds.
pub(crate) fn clock(text: &[u8]) -> Option<Duration> {
    let mut at = 0;
    let mut total = Duration::ZERO;
    for (unit, follows) in [(3_600 * SECOND, true), (60 * SECOND, true), (SECOND, false)] {
        let (number, length) = Decimal::read(&text[at..])?;
        total = total.saturating_add(number.of(unit));
        at += length;
        if follows && text.get(at) != Some(&b':') {
            return None;
        }
        at += 1;
    }
    Some(total)
}

/// The letters of units, and the bytes of both signs for micro.
fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// Returns the nanoseconds of a unit.
fn unit_of(name: &[u8]) -> Option<u64> {
    Some(match name {
        b"ns" => 1,
        b"us" | b"\xc2\xb5s" | b"\xce\xbcs" => 1_000,
        b"ms" | b"msec" | b"millisecond" | b"milliseconds" => SECOND / 1_000,
        b"s" | b"sec" | b"secs" | b"second" | b"seconds" => SECOND,
        b"m" | b"min" | b"mins" | b"minute" | b"minutes" => 60 * SECOND,
        b"h" | b"hr" | b"hrs" | b"hour" | b"hours" => 3_600 * SECOND,
        b"d" | b"day" | b"days" => 86_400 * SECOND,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nanos(nanos: u64) -> Option<Duration> {
        Some(Duration::from_nanos(nanos))
    }

    #[test]
    fn durations_of_go_are_read_to_the_nanosecond() {
        for (text, expected) in [
            ("0s", 0),
            ("1ns", 1),
            ("1.5us", 1_500),
            ("2µs", 2_000),
            ("2μs", 2_000),
            ("17ms", 17_000_000),
            ("8.64s", 8_640_000_000),
            ("6m0s", 360_000_000_000),
            ("1m42.653s", 102_653_000_000),
            ("4m12.172s", 252_172_000_000),
            ("2m59.56s", 179_560_000_000),
            ("23h18m29.144s", 83_909_144_000_000),
            ("37 seconds", 37_000_000_000),
            ("1 hour 5 minutes", 3_900_000_000_000),
            ("10.689924287s", 10_689_924_287),
            ("0.0000000001s", 1),
        ] {
            assert_eq!(with_units(text.as_bytes()), nanos(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_none() {
        for text in
            ["", "s", "-1s", "1", "1x", "1s!", "1.s", ".5s", "1e3s", "NaN", "1s2", "+1s", "1 fortnight"]
        {
            assert_eq!(with_units(text.as_bytes()), None, "{text}");
        }
        for text in ["", "-1", "1s", "1e9", "inf", ".5", "1.", "0x10", "1 2"] {
            assert_eq!(seconds(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_duration_is_never_rounded_down() {
        assert_eq!(seconds(b"11.382867097854614"), nanos(11_382_867_098));
        assert_eq!(seconds(b"33011.382867097855"), nanos(33_011_382_867_098));
        assert_eq!(seconds(b"0.0001"), nanos(100_000));
        assert_eq!(seconds(b"0.0000000000000001"), nanos(1));
        assert_eq!(millis(b"0.5"), nanos(500_000));
    }

    #[test]
    fn what_does_not_fit_is_the_longest_duration() {
        let digits = "9".repeat(400);
        assert_eq!(seconds(digits.as_bytes()).map(|wait| wait.as_secs()), Some(u64::MAX));
        assert!(millis(digits.as_bytes()).is_some_and(|wait| wait.as_secs() > 1 << 50));
        let sum = format!("{digits}h{digits}h{digits}s");
        assert_eq!(with_units(sum.as_bytes()), Some(Duration::MAX));
        assert_eq!(count(digits.as_bytes()), None);
        assert_eq!(millionths(digits.as_bytes()), Some(u64::MAX));
    }

    #[test]
    fn a_clock_is_read() {
        assert_eq!(clock(b"02:10:15."), Some(Duration::from_secs(7_815)));
        assert_eq!(clock(b"02:10"), None);
        assert_eq!(clock(b"2 hours"), None);
    }
}
