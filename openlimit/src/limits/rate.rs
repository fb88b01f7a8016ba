//! `Rate`: an amount per period, and optionally its burst, or when it resets.
//!
//! No constructor fails, and nearly all are `const`, so a rate can be a constant. The builder
//! checks all rates in one place: an amount of zero or a period that is too long fails there.

use std::fmt;
use std::time::Duration;

use super::resets::Resets;
use super::unit::Unit;

/// An amount per period, such as `200 / minute`, and optionally how much of it may be taken at
/// once.
///
/// The amount is in the unit of the limit's [`Dimension`](crate::Dimension): requests, tokens,
/// images. The period is measured on the monotonic clock, so a day is 24 hours and starts at no
/// particular time. The amount flows back continuously: `60 / minute` gives back one per second,
/// not 60 at the full minute.
///
/// A rate that [resets](Self::resets_at) counts by the calendar instead, and so does every rate per
/// month: the whole amount is back at once when a new day or month begins.
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
    /// The burst; or, from [`RESETS`] on, when the rate resets.
    burst: u64,
}

/// The largest amount of a rate: 2^63 - 1. The page of `bucket` derives from it that no sum
/// overflows.
pub(crate) const MOST_AMOUNT: u64 = i64::MAX as u64;

/// Stands for a burst that was not given.
const DEFAULT: u64 = u64::MAX;

/// Stands for a rate that resets. The number of its [`Resets`] is added.
const RESETS: u64 = 1 << 63;

/// Is added to it if a burst was given, too, which is a mistake.
const AND_BURST: u64 = 1 << 62;

/// Returns a time in nanoseconds, at most 292 years.
const fn nanos(time: Duration) -> u64 {
    let nanos = time.as_nanos();
    if nanos < RESETS as u128 { nanos as u64 } else { RESETS - 1 }
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
        let burst = if unit.resets() { RESETS + Resets::MIDNIGHT as u64 } else { DEFAULT };
        Self { burst, ..Self::new(amount, unit.period()) }
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

    /// Creates a rate of `amount` per calendar month.
    ///
    /// Months differ in length, so such a rate always resets: on the first at 00:00 UTC, or [at
    /// another time](Self::resets_at).
    ///
    /// ```
    /// use openlimit::Rate;
    ///
    /// let rate = Rate::per_month(10_000);
    /// assert_eq!(rate.to_string(), "10000 / month, resets at 00:00 UTC");
    /// ```
    #[must_use]
    pub const fn per_month(amount: u64) -> Self {
        Self::per(amount, Unit::month)
    }

    /// Counts by the calendar: at a time of day in a time zone, all of the amount is back at once.
    /// Between two resets, at most the amount is taken.
    ///
    /// `time` is `HH:MM` or `HH:MM:SS`. `zone` is a name of the IANA time zone database, which
    /// needs the feature `time-zones`, or `UTC`, which does not.
    ///
    /// ```
    /// # #[cfg(feature = "time-zones")] {
    /// use openlimit::{Rate, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static GEMINI: RateLimiter = {
    ///         requests: 10 / minute,
    ///         requests: Rate::per_day(250).resets_at("00:00", "America/Los_Angeles"),
    ///     };
    /// }
    /// # GEMINI.init().unwrap();
    /// # }
    /// ```
    ///
    /// # Periods
    ///
    /// - A day, which has 23 or 25 hours where the clocks change. A time of day that they skip is
    ///   as much later as they skip: 02:30 is 03:30. If they show it twice, the first time counts.
    /// - A [month](Self::per_month): on the first.
    /// - A part of a day, such as an hour: in UTC only, at this time of day and every period before
    ///   and after it.
    ///
    /// # What it guarantees
    ///
    /// From one reset to the next, at most the amount is admitted, however it is spread. So it has
    /// no burst, and the option [`counting`](crate::Builder::counting) does not apply to it. By
    /// default it has no [headroom](crate::Builder::headroom): each window is counted anew, so it
    /// does not matter if one clock runs faster than another.
    ///
    /// No call departs in the last [`jitter`](crate::Builder::jitter) before a reset. It waits for
    /// the reset, since it could reach the provider in the next window. So the provider counts each
    /// call in the same window as the limiter, if the clocks agree and calls arrive within the
    /// jitter. Clocks that NTP keeps in step differ by less than that. Otherwise:
    ///
    /// - If this machine's clock is behind the provider's, what departs in the difference counts in
    ///   the provider's next window, beside the whole amount of the next window here. A longer
    ///   jitter covers the difference.
    /// - If it is ahead, the provider may refuse calls that depart just after a reset, because it
    ///   still counts them in the last window. A reset some seconds after the provider's covers
    ///   that.
    ///
    /// # With permits and other options
    ///
    /// - A call that uses more than it had reserved counts when it is settled. What a window has
    ///   used beyond the amount is taken from the next one. If the amount has changed meanwhile,
    ///   the highest one counts.
    /// - A call that uses less gives it back in the window in which it was admitted, and not later.
    /// - While the limiter is on [hold](crate::Limiter::hold), resets go on.
    /// - An [update](crate::Limiter::update) changes the amount. What was taken stays taken. If
    ///   that is more than a lower amount, nothing is left of this window. At the reset, the whole
    ///   lower amount is back.
    ///
    /// # Clocks
    ///
    /// Windows follow the system's wall clock, which is read for every call of such a limit (some
    /// 50 ns), and once a minute while calls wait. So a window ends in time if the clock was set,
    /// or if the machine was suspended. While the clock is wrong, so are the windows. If it is set
    /// back beyond a reset, what was taken after the reset counts in the window before it, and the
    /// reset comes again.
    ///
    /// After a restart of the program, a limit in memory counts anew.
    ///
    /// # Shared through Redis
    ///
    /// The processes share each window. It follows the clock of the Redis server alone, so that of
    /// a process may be wrong by any time. If the server's clock is set back beyond a reset, what
    /// was taken stays taken, and the reset does not come again.
    ///
    /// - No call departs in the last jitter before a reset. There it is 10 ms at least.
    /// - A call that waits for a reset is asked for when it comes, and until then once a second,
    ///   since other processes may give back what they took. After the reset, the processes take
    ///   what they ask for, in no particular order. So a call for most of a window may be overtaken
    ///   by small calls of other processes, in each window anew.
    /// - If the server loses its data, the processes restore what they have seen of the window.
    /// - What a process takes [alone](crate::OnOutage::Local) counts in the window in which it took
    ///   it.
    /// - The amount and the largest call together must not be above 2^52.
    ///
    /// All processes should have the same rules of the time zone, which come with the program. If
    /// they differ, the windows are those of the process that begins them.
    ///
    /// # Memory
    ///
    /// Each pair of a time and a zone is kept for the life of the program. So they should be those
    /// of a program or of its configuration, and not of its users.
    #[must_use]
    pub fn resets_at(self, time: &str, zone: &str) -> Self {
        let number = u64::from(Resets::number(time, zone));
        let has_burst = self.own_burst().is_some() || self.has_both();
        let and_burst = if has_burst { AND_BURST } else { 0 };
        Self { burst: RESETS + number + and_burst, ..self }
    }

    /// Sets how much may be taken at once after an idle time, given as time of the rate: a burst of
    /// 10 seconds of `60 / minute` is 10.
    ///
    /// For periods up to a minute, the default is [`Builder::burst`](crate::Builder::burst): one
    /// second, unless it is set. For longer periods it is the whole amount, so that a daily quota
    /// does not spread the calls over the day. Limits that are counted in windows have [other
    /// defaults](crate::Builder::counting). A burst of less than one call is allowed: calls then
    /// leave one by one, evenly spaced. A rate that [resets](Self::resets_at) has none.
    ///
    /// With a longer burst, more calls leave together. A provider may refuse some of them if it
    /// enforces its limits over shorter windows than it states. OpenAI's help centre says that a
    /// limit of 60 000 requests per minute may be enforced as 1 000 per second.
    #[must_use]
    pub const fn burst(mut self, burst: Duration) -> Self {
        self.burst = if self.has_resets() { self.burst | AND_BURST } else { nanos(burst) };
        self
    }

    /// Returns the amount that is allowed per period.
    #[must_use]
    pub const fn amount(&self) -> u64 {
        self.amount
    }

    /// Returns the period: of a month, 31 days.
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
        match Unit::name_of(self.period(), self.has_resets()) {
            Some(unit) => format!("/ {unit}"),
            None => format!("/ {:?}", self.period()),
        }
    }

    /// Returns the burst, if the rate states one.
    pub(crate) const fn own_burst(&self) -> Option<Duration> {
        if self.burst >= RESETS { None } else { Some(Duration::from_nanos(self.burst)) }
    }

    /// Returns when the rate resets, if it does.
    pub(crate) fn resets(&self) -> Option<Resets> {
        self.has_resets().then(|| Resets::of(self.burst as u32))
    }

    /// Returns true if the rate resets.
    pub(crate) const fn has_resets(&self) -> bool {
        self.burst >= RESETS && self.burst != DEFAULT
    }

    /// Returns true if the rate resets, and was given a burst, too.
    pub(crate) const fn has_both(&self) -> bool {
        self.has_resets() && self.burst & AND_BURST > 0
    }

    /// Returns true if both count over the same time: the same period, and the same resets.
    pub(crate) fn has_same_windows(&self, other: &Self) -> bool {
        self.period == other.period && self.resets() == other.resets()
    }

    /// Returns the same rate with another amount.
    pub(crate) const fn with_amount(self, amount: u64) -> Self {
        Self { amount, ..self }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount, self.over())?;
        self.resets().map_or(Ok(()), |resets| write!(f, ", {resets}"))
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
