//! Durations in messages: short, and rounded up.
//!
//! A message that says "requires a wait of 1.24s" must be safe to follow, so every duration is
//! rounded up. Three significant digits, or two units, are enough to act on.

use std::time::Duration;

/// Shows a duration with three significant digits, or from one minute on in its two largest units.
/// Rounds up.
pub(crate) fn short(time: Duration) -> String {
    const UNITS: [(u128, &str); 3] = [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")];
    let nanos = time.as_nanos();
    if nanos < 1_000 {
        return format!("{nanos}ns");
    }
    // The value of the third digit.
    let step = 10_u128.pow(nanos.ilog10() - 2);
    let nanos = nanos.div_ceil(step) * step;
    if nanos >= 60 * 1_000_000_000 {
        return in_words(time);
    }
    let (unit, name) = UNITS.into_iter().find(|(unit, _)| nanos >= *unit).unwrap_or(UNITS[2]);
    let digits = format!("{}.{:03}", nanos / unit, nanos % unit * 1_000 / unit);
    format!("{}{name}", digits.trim_end_matches('0').trim_end_matches('.'))
}

/// Shows a time in its two largest units, rounded up: `5h 3m`.
pub(super) fn in_words(time: Duration) -> String {
    const UNITS: [(u128, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
    let secs = time.as_nanos().div_ceil(1_000_000_000);
    let largest = UNITS.iter().position(|(unit, _)| secs >= *unit).unwrap_or(UNITS.len() - 1);
    let (unit, name) = UNITS[largest];
    let Some((part, name_of_part)) = UNITS.get(largest + 1) else { return format!("{secs}{name}") };
    let (parts, of) = (secs.div_ceil(*part), unit / part);
    match parts % of {
        0 => format!("{}{name}", parts / of),
        rest => format!("{}{name} {rest}{name_of_part}", parts / of),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{in_words, short};

    #[test]
    fn a_time_is_told_in_its_two_largest_units_rounded_up() {
        for (secs, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (61, "1m 1s"),
            (3_599, "59m 59s"),
            (3_600, "1h"),
            (3_601, "1h 1m"),
            (5 * 3_600 + 3 * 60, "5h 3m"),
            (86_399, "24h"),
            (86_401, "1d 1h"),
            (52 * 86_400, "52d"),
        ] {
            assert_eq!(in_words(Duration::from_secs(secs)), words);
        }
        assert_eq!(in_words(Duration::from_nanos(1)), "1s");
        assert_eq!(in_words(Duration::from_micros(59_000_001)), "1m");
        assert_eq!(in_words(Duration::MAX), "213503982334601d 8h");
    }

    #[test]
    fn a_short_time_has_three_significant_digits_rounded_up() {
        for (nanos, shown) in [
            (0, "0ns"),
            (999, "999ns"),
            (1_000, "1µs"),
            (1_001, "1.01µs"),
            (123_456, "124µs"),
            (999_001, "1ms"),
            (50_000_000, "50ms"),
            (1_500_000_000, "1.5s"),
            (1_234_000_001, "1.24s"),
            (12_340_000_000, "12.4s"),
            (59_900_000_000, "59.9s"),
            (59_900_000_001, "1m"),
            (60_000_000_000, "1m"),
            (61_000_000_000, "1m 1s"),
            (5 * 3_600_000_000_000, "5h"),
        ] {
            assert_eq!(short(Duration::from_nanos(nanos)).to_string(), shown, "{nanos} ns");
        }
        assert_eq!(short(Duration::MAX).to_string(), "213503982334601d 8h");
    }
}
