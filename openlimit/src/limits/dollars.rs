//! `Dollars`: an amount of money. And `Budget`: dollars per time.
//!
//! Money is counted in millionths of a dollar, an integer, so that a limit on it is as exact as any
//! other. A budget is a type of its own, because `10 / day` would be ten millionths.

use std::fmt;
use std::ops::Div;
use std::time::Duration;

use super::{Rate, Unit};

/// Millionths of a dollar in one.
const MICROS: u64 = 1_000_000;

/// An amount of money, in millionths of a US dollar.
///
/// `Dollars(10)` is ten dollars. Divided by a [`Unit`] or a [`Duration`], it is a [`Budget`].
///
/// ```
/// use openlimit::Dollars;
///
/// assert_eq!(Dollars(10).to_string(), "$10");
/// assert_eq!(Dollars::from_cents(25).to_string(), "$0.25");
/// assert_eq!(Dollars::try_from(0.000_123)?.micros(), 123);
/// # Ok::<(), openlimit::NotDollars>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dollars {
    micros: u64,
}

/// Returns so many whole dollars, as a literal: `Dollars(10)`. At most 18.4 trillion.
#[must_use]
#[allow(non_snake_case, reason = "it reads as the amount that it makes")]
pub const fn Dollars(dollars: u64) -> Dollars {
    Dollars::from_micros(dollars.saturating_mul(MICROS))
}

impl Dollars {
    /// Returns an amount in millionths of a dollar.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Returns an amount in hundredths of a dollar.
    #[must_use]
    pub const fn from_cents(cents: u64) -> Self {
        Self::from_micros(cents.saturating_mul(MICROS / 100))
    }

    /// Returns the amount in millionths of a dollar.
    #[must_use]
    pub const fn micros(self) -> u64 {
        self.micros
    }

    /// Reads an amount such as `$10` or `$0.25`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = |text: &str| text.chars().all(|digit| digit.is_ascii_digit() || digit == '_');
        let (whole, part) = text.strip_prefix('$')?.split_once('.').unwrap_or((&text[1..], "0"));
        let is_number = whole.starts_with(|first: char| first.is_ascii_digit()) && digits(whole);
        let is_part = (1..=6).contains(&part.len()) && part.chars().all(|digit| digit.is_ascii_digit());
        if !is_number || !is_part {
            return None;
        }
        let whole: u64 = whole.replace('_', "").parse().ok()?;
        let part: u64 = format!("{part:0<6}").parse().ok()?;
        Some(Self::from_micros(whole.checked_mul(MICROS)?.checked_add(part)?))
    }
}

/// Converts a number of dollars, and rounds it up to a millionth.
///
/// # Errors
/// The number is negative, infinite or NaN, or above 18.4 trillion.
impl TryFrom<f64> for Dollars {
    type Error = NotDollars;

    fn try_from(dollars: f64) -> Result<Self, NotDollars> {
        // Binary fractions are inexact, so 0.07 is a little above 70 000 millionths.
        let micros = (dollars * MICROS as f64 - 1e-6).ceil();
        // Above the largest integer, a cast would saturate.
        if dollars >= 0.0 && micros < u64::MAX as f64 {
            Ok(Self::from_micros(micros.max(0.0) as u64))
        } else {
            Err(NotDollars(dollars))
        }
    }
}

/// Shows at most six digits after the point: `$10`, `$0.25`, `$0.000125`.
impl fmt::Display for Dollars {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.micros / MICROS, self.micros % MICROS);
        match part {
            0 => write!(f, "${whole}"),
            _ if part % (MICROS / 100) == 0 => write!(f, "${whole}.{:02}", part / (MICROS / 100)),
            _ => write!(f, "${whole}.{}", format!("{part:06}").trim_end_matches('0')),
        }
    }
}

/// The error of a number that is no amount of dollars.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("expected an amount of dollars, found {0:?}: give a number from 0 to 18.4 trillion")]
pub struct NotDollars(f64);

/// An amount of money per time, for a limit on what calls cost:
/// [`Builder::spend`](crate::Builder::spend).
///
/// ```
/// use openlimit::{Budget, Dollars, Unit};
/// use std::time::Duration;
///
/// let minutes = Duration::from_secs(60);
/// assert_eq!((Dollars(10) / Unit::day).to_string(), "$10 / day");
/// assert_eq!(Dollars(10) / (10 * minutes), Budget::new(Dollars(10), Duration::from_secs(600)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget(Rate);

impl Budget {
    /// Creates a budget of so many dollars per period, which may be at most 31 days.
    #[must_use]
    pub const fn new(dollars: Dollars, period: Duration) -> Self {
        Self(Rate::new(dollars.micros, period))
    }

    /// Sets how much may be spent at once after an idle time: see [`Rate::burst`].
    #[must_use]
    pub const fn burst(self, burst: Duration) -> Self {
        Self(self.0.burst(burst))
    }

    /// Counts by the calendar: at a time of day in a time zone, the whole budget is back. See
    /// [`Rate::resets_at`]. A budget per month resets at 00:00 UTC if nothing else is said.
    ///
    /// ```
    /// use openlimit::{Dollars, Unit};
    ///
    /// let budget = (Dollars(5) / Unit::day).resets_at("09:00", "UTC");
    /// assert_eq!(budget.to_string(), "$5 / day, resets at 09:00 UTC");
    /// assert_eq!((Dollars(100) / Unit::month).to_string(), "$100 / month, resets at 00:00 UTC");
    /// ```
    #[must_use]
    pub fn resets_at(self, time: &str, zone: &str) -> Self {
        Self(self.0.resets_at(time, zone))
    }

    /// Creates the budget of a rate of millionths of a dollar.
    pub(super) const fn of(rate: Rate) -> Self {
        Self(rate)
    }

    /// Returns the budget as a rate of millionths of a dollar.
    #[must_use]
    pub const fn rate(self) -> Rate {
        self.0
    }
}

impl Div<Unit> for Dollars {
    type Output = Budget;

    fn div(self, unit: Unit) -> Budget {
        Budget(Rate::per(self.micros, unit))
    }
}

impl Div<Duration> for Dollars {
    type Output = Budget;

    fn div(self, period: Duration) -> Budget {
        Budget::new(self, period)
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", Dollars::from_micros(self.0.amount()), self.0.over())?;
        self.0.resets().map_or(Ok(()), |resets| write!(f, ", {resets}"))
    }
}

#[cfg(test)]
mod tests {
    use super::Dollars;

    #[test]
    fn numbers_of_dollars_are_rounded_up_to_a_millionth() {
        for (dollars, micros) in [
            (0.0, 0),
            (-0.0, 0),
            (0.07, 70_000),
            (0.29, 290_000),
            (1e-9, 1),
            (0.000_000_5, 1),
            (2.5e-6, 3),
            (3.0, 3_000_000),
        ] {
            assert_eq!(Dollars::try_from(dollars).map(Dollars::micros), Ok(micros), "{dollars}");
        }
    }

    #[test]
    fn what_is_no_amount_is_an_error() {
        for dollars in [-1.0, -1e-9, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
            let error = Dollars::try_from(dollars).unwrap_err().to_string();
            assert!(error.contains(&format!("found {dollars:?}: ")), "{error}");
        }
    }

    #[test]
    fn text_is_read_as_it_is_shown() {
        for text in ["$10", "$0.25", "$0.000125", "$1.50", "$0"] {
            assert_eq!(Dollars::parse(text).map(|dollars| dollars.to_string()).as_deref(), Some(text));
        }
        for text in ["10", "$", "$1.", "$.5", "$-1", "$1e3", "$1.2345678", "$99999999999999999999", "$é"] {
            assert_eq!(Dollars::parse(text), None, "{text}");
        }
    }
}
