//! `Rate`: an amount per period, the only way in which a limit says how fast.
//!
//! Everything here is `const` and never fails, so that a rate can stand in a constant. What a rate may not
//! be (zero, too long a period) is checked in one place, when a limiter is built.

use std::fmt;
use std::time::Duration;

/// An amount per period, such as `200 / minute`, and optionally how much of it may be taken at once.
///
/// The amount counts whatever the limit counts: requests, tokens, images. The period is measured by the
/// monotonic clock.
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
    /// In nanoseconds, and so is the burst: errors carry rates, and are to stay small. What is longer than can be counted
    /// so is far longer than what is allowed.
    period: u64,
    burst: u64,
}

/// In place of a burst that was not given.
const DEFAULT: u64 = u64::MAX;

/// In nanoseconds, at most one less than the largest value.
const fn nanos(time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos < DEFAULT as u128 { nanos as u64 } else { DEFAULT - 1 }
}

impl Rate {
    /// `amount` in every `period`, for periods that have no name: Azure, for one, counts requests over ten
    /// seconds. The period may be at most 31 days.
    #[must_use]
    pub const fn new(amount: u64, period: Duration) -> Self {
        Self { amount, period: nanos(period), burst: DEFAULT }
    }

    /// `amount` in every `unit`.
    #[must_use]
    pub const fn per(amount: u64, unit: Unit) -> Self {
        Self::new(amount, unit.0)
    }

    /// `amount` in every second.
    #[must_use]
    pub const fn per_second(amount: u64) -> Self {
        Self::per(amount, Unit::second)
    }

    /// `amount` in every minute.
    #[must_use]
    pub const fn per_minute(amount: u64) -> Self {
        Self::per(amount, Unit::minute)
    }

    /// `amount` in every hour.
    #[must_use]
    pub const fn per_hour(amount: u64) -> Self {
        Self::per(amount, Unit::hour)
    }

    /// `amount` in every 24 hours.
    #[must_use]
    pub const fn per_day(amount: u64) -> Self {
        Self::per(amount, Unit::day)
    }

    /// How much may be taken at once after idleness, given as time: `burst(10 s)` of `60 / minute` is 10.
    ///
    /// The default is one second for periods up to a minute, and the whole amount for longer ones, so that a
    /// daily quota does not pace the day. It may come to less than one call; then calls go out one by one,
    /// evenly.
    #[must_use]
    pub const fn burst(mut self, burst: Duration) -> Self {
        self.burst = nanos(burst);
        self
    }

    /// How much is allowed in every period.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// The period.
    #[must_use]
    pub const fn period(&self) -> Duration {
        Duration::from_nanos(self.period)
    }

    pub(crate) const fn own_burst(&self) -> Option<Duration> {
        if self.burst == DEFAULT { None } else { Some(Duration::from_nanos(self.burst)) }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Unit(self.period()).name() {
            Some(unit) => write!(f, "{} / {unit}", self.amount),
            None => write!(f, "{} / {:?}", self.amount, self.period()),
        }
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

/// The period of a [`Rate`], named as [`limiter!`](crate::limiter) names it: the `minute` of `200 / minute`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unit(Duration);

// Lower case, because `limiter!` turns the word after the slash into `Unit::word`, and rustc then corrects a
// misspelt one by itself ("there is an associated constant `minute` with a similar name").
#[allow(non_upper_case_globals)]
impl Unit {
    /// One second.
    pub const second: Self = Self(Duration::from_secs(1));
    /// 60 seconds.
    pub const minute: Self = Self(Duration::from_secs(60));
    /// 3 600 seconds.
    pub const hour: Self = Self(Duration::from_secs(3_600));
    /// 86 400 seconds, on the monotonic clock: not a calendar day.
    pub const day: Self = Self(Duration::from_secs(86_400));

    fn name(self) -> Option<&'static str> {
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
