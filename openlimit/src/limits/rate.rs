//! `Rate`: an amount per period, and optionally its burst.
//!
//! All constructors are `const` and never fail, so a rate can be a constant. The builder checks all
//! rates in one place: an amount of zero or a period that is too long fails there.

use std::fmt;
use std::time::Duration;

/// An amount per period, such as `200 / minute`, and optionally how much of it may be taken at
/// once.
///
/// The amount is in the unit of the limit's [`Dimension`](crate::Dimension): requests, tokens,
/// images. The period is measured on the monotonic clock, so a day is 24 hours and starts at no
/// particular time. The amount flows back continuously: `60 / minute` gives back one per second,
/// not 60 at the full minute.
///
/// It is read from text as it is written in [`limiter!`](crate::limiter): `"200 / minute".parse()`.
///
/// No constructor fails. [`Builder::build`](crate::Builder::build) refuses an amount of zero or
/// above 2^63 - 1, and a period or burst of zero or above 31 days.
///
/// ```
/// use openlimit::Rate;
/// use std::time::Duration;
///
/// let rate = Rate::per_minute(40_000).burst(Duration::from_secs(10));
/// assert_eq!(rate.to_string(), "40000 / minute");
/// assert_eq!(rate.amount(), 40_000);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    amount: u64,
    /// In nanoseconds, like the burst. Errors carry rates and should stay small, and a `Duration`
    /// takes twice the space. The 584 years that fit are far above the 31 days that are allowed.
    period: u64,
    burst: u64,
}

/// The largest amount of a rate: 2^63 - 1. The page of `bucket` derives from it that no sum
/// overflows.
pub(crate) const MOST_AMOUNT: u64 = i64::MAX as u64;

/// Stands for a burst that was not given.
const DEFAULT: u64 = u64::MAX;

/// Returns a time in nanoseconds, at most one less than `DEFAULT`.
const fn nanos(time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos < DEFAULT as u128 { nanos as u64 } else { DEFAULT - 1 }
}

impl Rate {
    /// Creates a rate of `amount` per `period`, for periods that have no [`Unit`]. Azure, for
    /// example, counts requests over ten seconds.
    ///
    /// The period may be at most 31 days.
    #[must_use]
    pub const fn new(amount: u64, period: Duration) -> Self {
        Self { amount, period: nanos(period), burst: DEFAULT }
    }

    /// Creates a rate of `amount` per `unit`.
    #[must_use]
    pub const fn per(amount: u64, unit: Unit) -> Self {
        Self::new(amount, unit.0)
    }

    /// Creates a rate of `amount` per second.
    #[must_use]
    pub const fn per_second(amount: u64) -> Self {
        Self::per(amount, Unit::second)
    }

    /// Creates a rate of `amount` per minute.
    #[must_use]
    pub const fn per_minute(amount: u64) -> Self {
        Self::per(amount, Unit::minute)
    }

    /// Creates a rate of `amount` per hour.
    #[must_use]
    pub const fn per_hour(amount: u64) -> Self {
        Self::per(amount, Unit::hour)
    }

    /// Creates a rate of `amount` per 24 hours.
    #[must_use]
    pub const fn per_day(amount: u64) -> Self {
        Self::per(amount, Unit::day)
    }

    /// Sets how much may be taken at once after an idle time, given as time of the rate: a burst of
    /// 10 seconds of `60 / minute` is 10.
    ///
    /// For periods up to a minute, the default is [`Builder::burst`](crate::Builder::burst): one
    /// second, unless it is set. For longer periods it is the whole amount, so that a daily quota
    /// does not spread the calls over the day. Limits that are counted in windows have [other
    /// defaults](crate::Builder::counting). A burst of less than one call is allowed: calls then
    /// leave one by one, evenly spaced.
    ///
    /// With a longer burst, more calls leave together. A provider may refuse some of them if it
    /// enforces its limits over shorter windows than it states. OpenAI's help centre says that a
    /// limit of 60 000 requests per minute may be enforced as 1 000 per second.
    #[must_use]
    pub const fn burst(mut self, burst: Duration) -> Self {
        self.burst = nanos(burst);
        self
    }

    /// Returns the amount that is allowed per period.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// Returns the period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    /// Returns the amount that it allows in a time, rounded down. The period is not zero.
    pub(crate) fn amount_in(&self, time: Duration) -> u64 {
        let amount = time.as_nanos() * u128::from(self.amount) / u128::from(self.period);
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    /// Shows the period as it follows an amount: `/ minute`.
    pub(super) fn over(&self) -> impl fmt::Display {
        match Unit(self.period()).name() {
            Some(unit) => format!("/ {unit}"),
            None => format!("/ {:?}", self.period()),
        }
    }

    /// Returns the burst, if the rate states one.
    pub(crate) const fn own_burst(&self) -> Option<Duration> {
        if self.burst == DEFAULT { None } else { Some(Duration::from_nanos(self.burst)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.over())
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rate({self}")?;
        if let Some(burst) = self.own_burst() {
            write!(f, ", burst {burst:?}")?;
        }
        f.write_str(")")
    }
}

/// The period of a [`Rate`], named as in [`limiter!`](crate::limiter): the `minute` of
/// `200 / minute`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit(Duration);

// Lower case, because `limiter!` turns the word after the slash into `Unit::word`.
#[allow(non_upper_case_globals)]
impl Unit {
    /// One second.
    pub const second: Self = Self(Duration::from_secs(1));
    /// 60 seconds.
    pub const minute: Self = Self(Duration::from_secs(60));
    /// 3 600 seconds.
    pub const hour: Self = Self(Duration::from_secs(3_600));
    /// 86 400 seconds on the monotonic clock, not a calendar day.
    pub const day: Self = Self(Duration::from_secs(86_400));

    /// Returns the unit as a period.
    pub(super) const fn period(self) -> Duration {
        self.0
    }

    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::second => Some("second"),
            Self::minute => Some("minute"),
            Self::hour => Some("hour"),
            Self::day => Some("day"),
            _ => None,
        }
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "Unit::{name}"),
            None => write!(f, "Unit({:?})", self.0),
        }
    }
}
