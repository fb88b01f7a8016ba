//! Reads a [`Rate`] from text, `200 / minute`, and a [`Budget`], `$10 / day`.
//!
//! Configuration and environment variables are text. It is read as `limiter!` spells a rate, so
//! that a rate looks the same wherever it is written.

use std::fmt;
use std::str::FromStr;

use super::{Budget, Calendar, Dollars, NO_WINDOWS, NoCalendar, Rate, UNKNOWN_ZONE, Unit, duration};

/// Reads an amount and a unit as in [`limiter!`](crate::limiter): `200 / minute`. The unit may also
/// be a time, and a burst may follow, or when it [resets](Rate::resets_at).
///
/// ```
/// use openlimit::Rate;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), openlimit::ParseRateError> {
/// assert_eq!("40_000 / minute".parse::<Rate>()?, Rate::per_minute(40_000));
/// assert_eq!("30/10s".parse::<Rate>()?, Rate::new(30, Duration::from_secs(10)));
/// let rate = "1_000 / hour, burst 30 s".parse::<Rate>()?;
/// assert_eq!(rate, Rate::per_hour(1_000).burst(Duration::from_secs(30)));
/// let rate = "1_000 / day, resets at 00:00 UTC".parse::<Rate>()?;
/// assert_eq!(rate, Rate::per_day(1_000).resets_at("00:00", "UTC"));
/// # Ok(())
/// # }
/// ```
impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let wrong = |problem| ParseRateError { text: text.into(), problem };
        let (rate, more) = match text.split_once(',') {
            Some((rate, more)) => (rate, Some(more.trim())),
            None => (text, None),
        };
        let (amount, period) = rate.split_once('/').ok_or_else(|| wrong(Problem::NoUnit))?;
        let amount = integer(amount.trim()).ok_or_else(|| wrong(Problem::Amount))?;
        let rate = per(amount, period.trim()).ok_or_else(|| wrong(Problem::Unit))?;
        let Some(more) = more else { return Ok(rate) };
        if let Some(resets) = more.strip_prefix("resets at ") {
            return resetting(rate, resets).map_err(wrong);
        }
        let burst = more.strip_prefix("burst").map(str::trim);
        let burst = burst.and_then(|burst| duration::with_units(burst.as_bytes()));
        burst.map(|burst| rate.burst(burst)).ok_or_else(|| wrong(Problem::More))
    }
}

/// Reads dollars and a unit: `$10 / day`, `$0.25 / 10 m`. A burst may follow, or when it resets, as
/// in a [`Rate`].
///
/// ```
/// use openlimit::{Budget, Dollars, Unit};
///
/// assert_eq!("$2.50 / hour".parse::<Budget>()?, Dollars::from_cents(250) / Unit::hour);
/// # Ok::<(), openlimit::ParseRateError>(())
/// ```
impl FromStr for Budget {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let wrong = |problem| ParseRateError { text: text.into(), problem };
        let (dollars, period) = text.split_once('/').ok_or_else(|| wrong(Problem::NoUnit))?;
        let dollars = Dollars::parse(dollars.trim()).ok_or_else(|| wrong(Problem::Dollars))?;
        let rate = format!("{} /{period}", dollars.micros()).parse::<Rate>();
        rate.map(Self::of).map_err(|ParseRateError { problem, .. }| wrong(problem))
    }
}

/// Reads an integer, which may have underscores between its digits.
fn integer(text: &str) -> Option<u64> {
    let is_integer = text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|digit| digit.is_ascii_digit() || digit == '_');
    if is_integer { text.replace('_', "").parse().ok() } else { None }
}

/// Returns the rate of an amount per unit, which is a name or a time.
fn per(amount: u64, unit: &str) -> Option<Rate> {
    let units = [Unit::second, Unit::minute, Unit::hour, Unit::day, Unit::month];
    let named = units.into_iter().find(|named| named.name() == Some(unit));
    let time = || duration::with_units(unit.as_bytes()).map(|period| Rate::new(amount, period));
    named.map(|unit| Rate::per(amount, unit)).or_else(time)
}

/// Reads a time of day and a zone. They are checked here, since each text is kept for ever.
fn resetting(rate: Rate, resets: &str) -> Result<Rate, Problem> {
    let (time, zone) = resets.trim().split_once(' ').ok_or(Problem::More)?;
    Calendar::check(rate, time, zone.trim()).map_err(Problem::Resets)?;
    Ok(rate.resets_at(time, zone.trim()))
}

/// The error of a text that is no rate. Returned by `str::parse`.
///
/// ```
/// use openlimit::Rate;
///
/// let error = "200 / min".parse::<Rate>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "expected a rate such as `200 / minute`, found \"200 / min\": the unit must be `second`, \
///      `minute`, `hour`, `day`, `month`, or a time such as `10 s`"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseRateError {
    text: Box<str>,
    problem: Problem,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NoUnit,
    Amount,
    Dollars,
    Unit,
    More,
    Resets(NoCalendar),
}

impl fmt::Display for ParseRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::NoUnit => "a slash and a unit must follow the amount",
            Problem::Amount => "the amount must be a non-negative integer below 2^64",
            Problem::Dollars => "a budget begins with dollars, such as `$10` or `$0.25`",
            Problem::Unit => {
                "the unit must be `second`, `minute`, `hour`, `day`, `month`, or a time such as `10 s`"
            }
            Problem::More => {
                "only a burst may follow the comma, such as `200 / minute, burst 10 s`, or a reset, such as \
                 `1_000 / day, resets at 00:00 UTC`"
            }
            Problem::Resets(NoCalendar::Time) => "the time of day must be hours and minutes such as `00:00`",
            Problem::Resets(NoCalendar::Zone) => UNKNOWN_ZONE,
            Problem::Resets(NoCalendar::Period) => NO_WINDOWS,
        };
        let example = if self.problem == Problem::Dollars { "$10 / day" } else { "200 / minute" };
        write!(f, "expected a rate such as `{example}`, found {:?}: {problem}", self.text)
    }
}

impl std::error::Error for ParseRateError {}
