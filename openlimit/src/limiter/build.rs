//! `build`: checks the options of a limiter and builds it.
//!
//! All options are checked here, apart from those that only a backend knows. So every value behind
//! this point is in range, and no other module has to check again.

use std::sync::Arc;
use std::time::Duration;

use super::core::{Core, Handle};
use super::hold_times::HoldTimes;
use super::{Builder, Burst, Limiter};
use crate::admission::{Admission, Cap, Plan, Raises};
use crate::backend::{Choice, Starting};
use crate::bucket::{LONGEST_PERIOD, Metering};
use crate::error::{BuildError, BuildProblem};
use crate::learning::{Learning, Output};
use crate::limits::{
    Concurrency, Counting, Dimension, Limit, MOST_AMOUNT, MOST_LIMITS, Name, Percent, Priority, Rate,
};
use crate::queue::Queue;
use crate::time::{Time, nanos};

impl<K> Builder<K> {
    /// Builds the limiter. Connects to nothing.
    ///
    /// # Errors
    /// The [`BuildProblem`] says what is wrong. For every limiter:
    ///
    /// - no limits and no [`concurrency`](Self::concurrency), or more than 64 limits;
    /// - a concurrency of zero, or of an empty range;
    /// - an amount of zero, or above 2^63 - 1;
    /// - a period or burst of zero, or above 31 days;
    /// - a [`burst`](Self::burst) that applies to no limit;
    /// - a burst above half of the period, for a limit that is [counted in
    ///   windows](Self::counting);
    /// - a headroom of 100 % or more;
    /// - an [`output`](Self::output) that is learned and could change nothing;
    /// - a [`reserve`](Self::reserve) of 0 or 100 %, for [`Priority::Low`], or without a limit;
    /// - an [`overflow`](Self::overflow) without [`max_waiting`](Self::max_waiting);
    /// - a dimension with an empty name;
    /// - an `input_factor` below 0.01 or above 100.
    ///
    /// For a limiter that is shared through Redis also:
    ///
    /// - no name, or an empty one;
    /// - a manual clock;
    /// - a [`reserve`](Self::reserve);
    /// - no limits, or more than 8;
    /// - a limit so slow that its burst and its largest call together take more than 52 days to
    ///   flow back;
    /// - a URL or settings that cannot be used.
    pub fn build(self) -> Result<Limiter<K>, BuildError> {
        Ok(Limiter::built(Handle::Counted(self.build_core()?)))
    }

    /// Checks all options and builds the core.
    pub(super) fn build_core(self) -> Result<Arc<Core>, BuildError> {
        let name = self.shown_name();
        let core = self.check().and_then(|checked| checked.core());
        core.map_err(|problem| BuildError::new(name, problem))
    }

    /// Checks all options.
    pub(super) fn check(self) -> Result<Checked, BuildProblem> {
        let this = self.with_start();
        let mut meterings = this.meterings()?;
        let widening = this.widening();
        if this.output == Output::Learned && !this.limits.iter().any(|limit| this.counts_output(limit)) {
            return Err(BuildProblem::UnusedOutput);
        }
        this.pricing.check()?;
        this.check_concurrency()?;
        let cap = this.cap()?;
        let reserve = this.checked_reserve()?;
        let raises = this.raises();
        if raises > Raises::Never {
            meterings = meterings.into_iter().map(Metering::open).collect();
        }
        let time = match &this.time {
            Some(time) => time.clone(),
            None if this.backend.has_clock() => Time::System,
            None => Time::detect(),
        };
        let name = this.shown_name();
        let plan = Plan::new(name, this.limits, &meterings, this.refunds, this.pricing).raising(raises);
        let plan = if this.concurrency.is_some() { plan.bounding_in_flight() } else { plan };
        let plan = reserve.into_iter().fold(plan, |plan, (priority, part)| plan.reserving(priority, part));
        Ok(Checked {
            learning: Learning::new(this.output, this.input, plan.token_limits(&meterings)),
            plan: Arc::new(plan),
            widening,
            cap,
            concurrency: this.concurrency,
            // Half of the jitter. The other half is left to the network.
            grace: nanos(this.jitter / 2),
            max_hold: nanos(this.max_hold),
            counting: this.counting,
            time,
            given: this.name.filter(|name| !name.is_empty()),
            backend: this.backend,
        })
    }

    /// Checks the bound of the queue, and returns it.
    fn cap(&self) -> Result<Cap, BuildProblem> {
        match (self.max_waiting, self.overflow) {
            (None, None) => Ok(Cap::default()),
            (None, Some(_)) => Err(BuildProblem::UnusedOverflow),
            (Some(most), overflow) => Ok(Cap { most, overflow: overflow.unwrap_or_default() }),
        }
    }

    /// Checks what is kept for a priority, and returns it.
    fn checked_reserve(&self) -> Result<Option<(Priority, Percent)>, BuildProblem> {
        match self.reserve {
            None => Ok(None),
            Some((_, Percent(percent @ (0 | 100..)))) => Err(BuildProblem::ReservedPart(percent)),
            Some((Priority::Low, _)) => Err(BuildProblem::ReservedForAll),
            Some(_) if self.limits.is_empty() => Err(BuildProblem::UnusedReserve),
            Some(_) if self.backend.is_store() => Err(BuildProblem::SharedReserve),
            reserve => Ok(reserve),
        }
    }

    /// Returns true if what is learned about the output of a call can change what it takes.
    fn counts_output(&self, limit: &Limit) -> bool {
        match limit.dimension() {
            Dimension::OutputTokens => true,
            Dimension::Tokens => self.pricing.sums(),
            _ => false,
        }
    }

    /// Checks the limits, and returns the metering of each.
    fn meterings(&self) -> Result<Vec<Metering>, BuildProblem> {
        let headroom = match self.headroom {
            None => DEFAULT_HEADROOM,
            Some(Percent(percent @ 0..100)) => (u64::from(percent), 100),
            Some(Percent(percent)) => return Err(BuildProblem::Headroom(percent)),
        };
        match self.limits.len() {
            0 if self.concurrency.is_none() => Err(BuildProblem::NoLimits),
            0..=MOST_LIMITS if self.burst.is_some() && !self.limits.iter().any(takes_burst) => {
                Err(BuildProblem::UnusedBurst(self.burst_time().unwrap_or(DEFAULT_BURST)))
            }
            0..=MOST_LIMITS => self.limits.iter().map(|limit| self.metering(limit, headroom)).collect(),
            many => Err(BuildProblem::TooManyLimits(many)),
        }
    }

    /// Checks a limit, and returns its metering.
    fn metering(&self, limit: &Limit, headroom: (u64, u64)) -> Result<Metering, BuildProblem> {
        let rate = limit.rate();
        if limit.dimension().name().is_empty() {
            return Err(BuildProblem::NamelessDimension(rate));
        }
        if rate.amount() == 0 {
            return Err(BuildProblem::ZeroRate(limit.clone()));
        }
        if rate.amount() > MOST_AMOUNT {
            return Err(BuildProblem::RateTooLarge(limit.clone()));
        }
        if rate.period().is_zero() || rate.period() > LONGEST_PERIOD {
            return Err(BuildProblem::Period(limit.clone()));
        }
        let burst = self.burst_of(limit);
        if burst.is_zero() || burst > LONGEST_PERIOD {
            return Err(BuildProblem::Burst { limit: limit.clone(), burst });
        }
        if self.counting == Counting::InWindows && burst > rate.period() / 2 && rate.amount() > 1 {
            return Err(BuildProblem::WindowBurst { limit: limit.clone(), burst });
        }
        let metering = Metering::new(rate, burst, self.jitter, headroom);
        Ok(Metering { counting: self.counting, ..metering })
    }

    /// Returns the burst of a limit: its own, or the limiter's, or the default.
    fn burst_of(&self, limit: &Limit) -> Duration {
        let rate = limit.rate();
        let given = rate.own_burst().or(self.burst_time().filter(|_| is_short(rate)));
        given.unwrap_or_else(|| match self.counting {
            Counting::InWindows => burst_in_windows(limit),
            Counting::Refilling if is_short(rate) => DEFAULT_BURST,
            Counting::Refilling => rate.period(),
        })
    }

    /// Returns the limiter's burst, if it is given as a time. [`Burst::Observed`] begins with the
    /// default.
    fn burst_time(&self) -> Option<Duration> {
        match self.burst {
            Some(Burst::Time(burst)) => Some(burst),
            Some(Burst::Observed) | None => None,
        }
    }

    /// Returns a bit for each limit whose burst follows what the provider's bucket holds.
    fn widening(&self) -> u64 {
        // In windows the whole amount may leave at once, so nothing would be gained.
        let is_observed = self.burst == Some(Burst::Observed) && self.counting == Counting::Refilling;
        let limits = self.limits.iter().enumerate().filter(|(_, limit)| is_observed && takes_burst(limit));
        limits.fold(0, |bits, (place, _)| bits | 1 << place)
    }
}

/// Options that were checked. Any number of limiters can be made of them, one for each key.
pub(super) struct Checked {
    pub(super) plan: Arc<Plan>,
    learning: Learning,
    widening: u64,
    cap: Cap,
    concurrency: Option<Concurrency>,
    grace: u64,
    max_hold: u64,
    counting: Counting,
    pub(super) time: Time,
    /// The name that the program gave.
    given: Option<Name>,
    backend: Choice,
}

impl Checked {
    /// Makes a limiter.
    ///
    /// # Errors
    /// Returns the problem if it cannot be made on this backend.
    pub(super) fn core(&self) -> Result<Arc<Core>, BuildProblem> {
        let plan = &self.plan;
        let (backend, driver) = self.backend.open(&Starting {
            name: self.given.as_deref(),
            limits: plan.limits(),
            meterings: plan.meterings(),
            dimensions: plan.dimensions(),
            max_hold: self.max_hold,
            on_system_time: matches!(self.time, Time::System),
        })?;
        let queue = Queue::new(plan.width());
        let admission = Admission::new(backend, queue, self.grace, self.max_hold)
            .learns(self.learning.of_another())
            .reserving(plan.reserve())
            .capped(self.cap)
            .widens(self.widening)
            .bounds_in_flight(self.concurrency.as_ref());
        let jitter = plan.meterings().iter().map(Metering::lateness).min().unwrap_or(0);
        let hold_times = HoldTimes::new(self.max_hold, self.given.as_deref(), &self.time);
        let time = self.time.clone();
        Ok(Core::new(Arc::clone(plan), admission, driver, time, jitter, hold_times, self.counting))
    }
}

/// 0.02 %, as a fraction: the paces of two clocks that NTP keeps in step differ by less.
const DEFAULT_HEADROOM: (u64, u64) = (1, 5_000);

/// One second, as in the Python library that this one replaces (`bucket_size_in_seconds`).
const DEFAULT_BURST: Duration = Duration::from_secs(1);

/// The longest period whose default burst is `DEFAULT_BURST`. Longer ones are quotas, of which the
/// whole amount may be used at once.
const LONGEST_SHORT_PERIOD: Duration = Duration::from_secs(60);

/// Returns the default burst of a limit that is counted in windows. What the limit loses depends on
/// it, as the page of `bucket/windows` says.
///
/// Nearly every call is one request, so a burst of one loses nothing. It would pace a quota per day
/// from the first call on, so there it is a twentieth, as for tokens. With that, a stream of calls
/// that each cost a part of the amount between 0.2 and 10 % (all equally likely on a logarithmic
/// scale) uses 91.5 % on average. The best burst, 7.5 %, uses 91.7 %, and one of a second 83.5 %.
fn burst_in_windows(limit: &Limit) -> Duration {
    let rate = limit.rate();
    if *limit.dimension() == Dimension::Requests && is_short(rate) {
        let one = rate.period().as_nanos().div_ceil(rate.amount().into());
        return Duration::from_nanos(u64::try_from(one).unwrap_or(u64::MAX)).min(rate.period() / 2);
    }
    (rate.period() / 20).max(Duration::from_nanos(1))
}

/// Returns whether the limiter's burst applies to this limit.
fn takes_burst(limit: &Limit) -> bool {
    limit.rate().own_burst().is_none() && is_short(limit.rate())
}

fn is_short(rate: Rate) -> bool {
    rate.period() <= LONGEST_SHORT_PERIOD
}
