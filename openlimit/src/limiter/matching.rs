//! Finds the limit that a response describes.
//!
//! Few responses say over which time a limit counts, and one dimension may have several limits. The
//! requests that are left of a day must not be taken for those of a minute. So the time is inferred
//! from the amount, what is left of it, and when all of it is back (`reset`).
//!
//! # The rules
//!
//! In this order, where `used` is the amount less what is left:
//!
//! 1. A response that states the time describes a limit over that time, and no other.
//! 2. If it does not state the amount and what is left, there is nothing to compare. It describes
//!    the first limit of the dimension.
//! 3. If the amount is that of the limit, so is the limit, unless `reset` is far beyond the period:
//!    nothing takes longer than its period to come back. A provider's bucket may hold less than a
//!    period, so how fast it refills says nothing here.
//! 4. If the amounts are about equal, and the provider refills the limit at about its pace, which
//!    is `used / reset`, it is this limit.
//! 5. If the amounts are about equal, and the provider counts in fixed windows, `reset` is the rest
//!    of the window. So the pace looks too slow at its beginning, and too fast at its end. It is
//!    this limit if `reset` is a part of the period, with two exceptions. In the last hundredth of
//!    the period it may be a much shorter window. And if the same numbers are those of a limit that
//!    refills per minute, hour or day, they are of that one.
//! 6. If the pace is about the same, and the time longer than the period, it is this limit in other
//!    units (100 per second as 6 000 per minute). What is left counts, but not the amount. A limit
//!    that resets by the calendar has no other units.
//!
//! "About" is within a factor of ten: accounts have lower or higher tiers than declared, and
//! different limits of one account usually differ by more.
//!
//! If several limits fit, one by an earlier rule goes first (4 and 5 are equal here), and then the
//! one with the nearest pace.
//!
//! # A part does not bound the whole
//!
//! Anthropic limits `input_tokens` and `output_tokens`, and a limiter may declare only `tokens`.
//! Such responses are ignored. What is left of the input would have to be compared with the input
//! that calls took since, and the limiter knows only their `tokens`, which are several times as
//! many. It would stop for most of a minute although half of the input is left. Declare
//! `input_tokens` and `output_tokens` for such a provider.

use std::time::Duration;

use crate::admission::Standing;
use crate::feedback::ObservedLimit;
use crate::limits::Limit;
use crate::time::nanos;

/// The largest factor between two amounts, or two paces, that are about equal, in tenths.
const ABOUT: u128 = 100;

/// The times over which most limits count. Shorter ones are left out: a bucket of a limit per
/// minute often holds a second or ten.
const WINDOWS: [Duration; 3] =
    [Duration::from_secs(60), Duration::from_secs(3_600), Duration::from_secs(86_400)];

/// By how much a description differs from a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Likeness {
    SameAmount,
    OtherAmount,
    OtherUnits,
}

/// Returns the statement of a response about one of the limits, if it describes one.
pub(super) fn standing(limits: &[Limit], observed: &ObservedLimit) -> Option<Standing> {
    let same = |(place, limit): (usize, &Limit)| {
        let is_dimension = limit.dimension() == observed.dimension();
        let (likeness, factor) = is_dimension.then(|| compare(limit, observed))??;
        Some((likeness, factor, place))
    };
    let (likeness, _, place) = limits.iter().enumerate().filter_map(same).min()?;
    let limit = observed.limit().filter(|_| likeness != Likeness::OtherUnits);
    Some(Standing { place, limit, remaining: observed.remaining(), resets_in: observed.reset().map(nanos) })
}

/// Compares a limit with the one that a response describes. Also returns the factor between their
/// paces, or else their amounts, in tenths. `None` if they are different limits.
fn compare(limit: &Limit, observed: &ObservedLimit) -> Option<(Likeness, u128)> {
    let (amount, period) = (u128::from(limit.rate().amount()), limit.rate().period());
    if let Some(window) = observed.window() {
        return (window == period).then_some((Likeness::SameAmount, 0));
    }
    let (Some(of), Some(remaining)) = (observed.limit(), observed.remaining()) else {
        return Some((Likeness::SameAmount, 0));
    };
    let (of, used) = (u128::from(of), u128::from(of.saturating_sub(remaining)));
    let likeness = if of == amount { Likeness::SameAmount } else { Likeness::OtherAmount };
    let amounts = factor(of, amount);
    let Some(reset) = observed.reset().filter(|reset| used > 0 && !reset.is_zero()) else {
        // Nothing is used, or it is not known when it is back: the amounts have to do.
        return (amounts <= ABOUT).then_some((likeness, amounts));
    };
    // Both as amounts per nanosecond, multiplied by both times. The response may state any time.
    let paces = factor(amount.saturating_mul(reset.as_nanos()), used * period.as_nanos());
    // The time in which all of it is back, at this pace.
    let whole = reset.as_nanos().min(u64::MAX.into()) * of / used;
    // Clocks differ, and a debt takes longer, so `reset` may be twice the period.
    if of == amount && reset <= period * 2 {
        Some((Likeness::SameAmount, paces))
    } else if of != amount && amounts <= ABOUT && (paces <= ABOUT || is_part(reset, period, whole)) {
        Some((Likeness::OtherAmount, paces))
    } else if of != amount && paces <= ABOUT && whole >= period.as_nanos() && !limit.rate().has_resets() {
        Some((Likeness::OtherUnits, paces))
    } else {
        None
    }
}

/// Returns true if a reset can be the rest of a fixed window of one period. `whole` is the time in
/// which a limit that refills would be back as a whole.
fn is_part(reset: Duration, period: Duration, whole: u128) -> bool {
    let is_usual = |window: Duration| {
        let window = window.as_nanos();
        (window * 9 / 10..=window * 11 / 10).contains(&whole)
    };
    reset >= period / 100 && reset <= period && !WINDOWS.into_iter().any(is_usual)
}

/// Returns by which factor two numbers differ, in tenths.
fn factor(one: u128, other: u128) -> u128 {
    one.max(other).saturating_mul(10) / one.min(other).max(1)
}

#[cfg(test)]
mod tests {
    use super::standing;
    use crate::feedback::Observation;
    use crate::limits::{Dimension, Limit, Rate};

    const MINUTE: Rate = Rate::per_minute(500);
    const DAY: Rate = Rate::per_day(10_000);

    /// Returns the place of the limit that is described by an amount, what is left, and a reset.
    fn found(rates: &[Rate], of: u64, remaining: u64, reset: &str) -> Option<usize> {
        let limits: Vec<_> = rates.iter().map(|rate| Limit::new(Dimension::Requests, *rate)).collect();
        let (of, remaining) = (of.to_string(), remaining.to_string());
        let headers = [
            ("x-ratelimit-limit-requests", of.as_str()),
            ("x-ratelimit-remaining-requests", remaining.as_str()),
            ("x-ratelimit-reset-requests", reset),
        ];
        let observation = Observation::from_parts(200, headers, b"");
        standing(&limits, observation.limits().next().expect("it describes a limit")).map(|found| found.place)
    }

    #[test]
    fn a_limit_per_day_is_not_taken_for_one_per_minute() {
        for (of, remaining, reset) in [
            (10_000, 9_999, "8.64s"),
            (10_000, 9_000, "2h24m0s"),
            (10_000, 3, "23h59m34s"),
            // As large as the amount of a minute, or smaller.
            (500, 499, "2m52.8s"),
            (200, 199, "7m12s"),
            (2_000, 1_999, "43.2s"),
        ] {
            assert_eq!(found(&[MINUTE], of, remaining, reset), None, "{remaining} of {of}, {reset}");
        }
        assert_eq!(found(&[MINUTE, DAY], 10_000, 9_999, "8.64s"), Some(1));
        assert_eq!(found(&[MINUTE, DAY], 500, 499, "120ms"), Some(0));
        assert_eq!(found(&[DAY, MINUTE], 500, 499, "120ms"), Some(1));
    }

    #[test]
    fn a_limit_per_minute_is_not_taken_for_one_per_day() {
        for (of, remaining, reset) in [(500, 499, "120ms"), (2_000, 1_500, "15s"), (3_000, 200, "40s")] {
            assert_eq!(found(&[DAY], of, remaining, reset), None, "{remaining} of {of}, {reset}");
        }
    }

    #[test]
    fn of_two_limits_with_the_same_amount_the_pace_decides() {
        let both = [Rate::per_day(10_000), Rate::per_minute(10_000)];
        assert_eq!(found(&both, 10_000, 9_900, "600ms"), Some(1));
        assert_eq!(found(&both, 10_000, 9_990, "86.4s"), Some(0));
    }

    #[test]
    fn a_fixed_window_is_found_from_its_beginning_to_its_last_hundredth() {
        // A lower tier than declared, used evenly.
        for second in 0..59 {
            let used = 1 + second * 4;
            let reset = format!("{}s", 60 - second);
            assert_eq!(found(&[MINUTE, DAY], 250, 250 - used, &reset), Some(0), "after {second} s");
        }
        // Everything is used at once.
        for second in 0..59 {
            let reset = format!("{}s", 60 - second);
            assert_eq!(found(&[MINUTE, DAY], 300, 0, &reset), Some(0), "after {second} s");
        }
    }

    #[test]
    fn the_declared_amount_counts_more_than_the_pace() {
        // A fixed window of a minute that has just begun looks as slow as a day.
        assert_eq!(found(&[Rate::per_minute(600), DAY], 600, 595, "59.9s"), Some(0));
        // A provider's bucket that holds a second.
        assert_eq!(found(&[Rate::per_minute(600)], 600, 3, "700ms"), Some(0));
    }

    #[test]
    fn a_limit_in_other_units_is_found_by_its_pace() {
        assert_eq!(found(&[Rate::per_second(100)], 6_000, 1_000, "50s"), Some(0));
        let limits = [Limit::new(Dimension::Requests, Rate::per_hour(100))];
        let headers = [
            ("x-ratelimit-limit-requests", "1200"),
            ("x-ratelimit-remaining-requests", "200"),
            ("x-ratelimit-reset-requests", "20h"),
        ];
        let observation = Observation::from_parts(200, headers, b"");
        let observed = observation.limits().next().expect("it describes a limit");
        let found = standing(&limits, observed).expect("it is this one");
        assert_eq!((found.limit, found.remaining), (None, Some(200)));
    }

    #[test]
    fn a_part_does_not_bound_the_whole() {
        let limits = [Limit::new(Dimension::Tokens, Rate::per_minute(40_000))];
        let headers = [("anthropic-ratelimit-input-tokens-remaining", "0")];
        let observation = Observation::from_parts(200, headers, b"");
        let observed = observation.limits().next().expect("it describes a limit");
        assert_eq!(observed.dimension(), &Dimension::InputTokens);
        assert_eq!(standing(&limits, observed).map(|found| found.place), None);
    }
}
