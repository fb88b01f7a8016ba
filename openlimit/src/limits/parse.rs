//! Reads a [`Rate`] from text, `200 / minute`, and a [`Budget`], `$10 / day`.
//!
//! Configuration and environment variables are text. It is read as `limiter!` spells a rate, so
//! that a rate looks the same wherever it is written.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{Budget, Dollars, Rate, Unit, duration};

/// Reads an amount and a unit as in [`limiter!`](crate::limiter): `200 / minute`. The unit may also
/// be a time, and a burst may follow.
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
/// # Ok(())
/// # }
/// ```
impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let wrong = |problem| ParseRateError { text: text.into(), problem };
        let (rate, burst) = match text.split_once(',') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let (amount, period) = rate.split_once('/').ok_or_else(|| wrong(Problem::NoUnit))?;
        let amount = integer(amount.trim()).ok_or_else(|| wrong(Problem::Amount))?;
        let period = self::period(period.trim()).ok_or_else(|| wrong(Problem::Unit))?;
        let rate = Self::new(amount, period);
        let Some(burst) = burst else { return Ok(rate) };
        let burst = burst.trim().strip_prefix("burst").map(str::trim);
        let burst = burst.and_then(|burst| duration::with_units(burst.as_bytes()));
        burst.map(|burst| rate.burst(burst)).ok_or_else(|| wrong(Problem::Burst))
    }
}

/// Reads dollars and a unit: `$10 / day`, `$0.25 / 10 m`. A burst may follow, as in a [`Rate`].
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
        let rate = rate.map_err(|ParseRateError { problem, .. }| wrong(problem))?;
        let budget = Self::new(dollars, rate.period());
        Ok(rate.own_burst().map_or(budget, |burst| budget.burst(burst)))
    }
}

/// Reads an integer, which may have underscores between its digits.
fn integer(text: &str) -> Option<u64> {
    let is_integer = text.starts_with(|first: char| first.is_ascii_digit())
        && text.chars().all(|digit| digit.is_ascii_digit() || digit == '_');
    if is_integer { text.replace('_', "").parse().ok() } else { None }
}

/// Reads the name of a unit, or a time.
fn period(text: &str) -> Option<Duration> {
    let units = [Unit::second, Unit::minute, Unit::hour, Unit::day];
    let unit = units.into_iter().find(|unit| unit.name() == Some(text));
    unit.map(Unit::period).or_else(|| duration::with_units(text.as_bytes()))
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
///      `minute`, `hour`, `day`, or a time such as `10 s`"
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
    Burst,
}

impl fmt::Display for ParseRateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            Problem::NoUnit => "a slash and a unit must follow the amount",
            Problem::Amount => "the amount must be a non-negative integer below 2^64",
            Problem::Dollars => "a budget begins with dollars, such as `$10` or `$0.25`",
            Problem::Unit => "the unit must be `second`, `minute`, `hour`, `day`, or a time such as `10 s`",
            Problem::Burst => "only a burst may follow the comma, such as `200 / minute, burst 10 s`",
        };
        let example = if self.problem == Problem::Dollars { "$10 / day" } else { "200 / minute" };
        write!(f, "expected a rate such as `{example}`, found {:?}: {problem}", self.text)
    }
}

impl std::error::Error for ParseRateError {}
