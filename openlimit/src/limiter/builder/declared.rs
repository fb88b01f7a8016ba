//! `Declared`: the limits of a limiter, and its other options that an update may change.
//!
//! All of them are checked here, when a limiter is built and when it is updated. So every value
//! behind this point is in range, and no other module has to check again.

use std::time::Duration;

use super::Burst;
use crate::admission::{Cap, Raises};
use crate::bucket::{LONGEST_PERIOD, Metering};
use crate::error::BuildProblem;
use crate::limits::{
    Calendar, Concurrency, Counting, Dimension, Limit, MOST_AMOUNT, MOST_LIMITS, NoCalendar, Percent, Rate,
};
use crate::queue::Overflow;
use crate::time::nanos;

/// The limits as they were declared or updated.
#[derive(Clone, Debug, Default)]
pub(in crate::limiter) struct Declared {
    pub(in crate::limiter) limits: Vec<Limit>,
    pub(in crate::limiter) burst: Option<Burst>,
    pub(in crate::limiter) jitter: Duration,
    pub(in crate::limiter) headroom: Option<Percent>,
    pub(in crate::limiter) counting: Counting,
    pub(in crate::limiter) raises: Raises,
    /// How many calls may be in flight, if that is limited. Then no other limits are needed.
    pub(in crate::limiter) concurrency: Option<Concurrency>,
    /// How many calls may wait, and what happens to others.
    pub(in crate::limiter) max_waiting: Option<usize>,
    pub(in crate::limiter) overflow: Option<Overflow>,
}

impl Declared {
    /// Checks the limits, and returns the metering of each.
    pub(in crate::limiter) fn meterings(&self) -> Result<Vec<Metering>, BuildProblem> {
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
            0..=MOST_LIMITS => {
                let metering = |limit| Ok(self.opened(limit, self.metering(limit, headroom)?));
                let meterings = self.limits.iter().map(metering).collect::<Result<_, _>>()?;
                self.check_different()?;
                Ok(meterings)
            }
            many => Err(BuildProblem::TooManyLimits(many)),
        }
    }

    /// Checks that an update could tell all limits apart.
    fn check_different(&self) -> Result<(), BuildProblem> {
        for (place, second) in self.limits.iter().enumerate() {
            if let Some(first) = self.limits[..place].iter().find(|first| first.is_same(second)) {
                let again = second.rate().amount();
                return Err(BuildProblem::DeclaredTwice { limit: first.clone(), again });
            }
        }
        Ok(())
    }

    /// Checks that the concurrency allows at least one call.
    pub(in crate::limiter) fn check_concurrency(&self) -> Result<(), BuildProblem> {
        let Some(concurrency) = &self.concurrency else { return Ok(()) };
        match concurrency.ends() {
            (least, most) if least == 0 || most < least => {
                Err(BuildProblem::Concurrency(concurrency.clone()))
            }
            _ => Ok(()),
        }
    }

    /// Checks the bound of the queue, and returns it.
    pub(in crate::limiter) fn cap(&self) -> Result<Cap, BuildProblem> {
        match (self.max_waiting, self.overflow) {
            (None, None) => Ok(Cap::default()),
            (None, Some(_)) => Err(BuildProblem::UnusedOverflow),
            (Some(most), overflow) => Ok(Cap { most, overflow: overflow.unwrap_or_default() }),
        }
    }

    /// Returns the longest time by which a charge is dated back, in nanoseconds: half of the
    /// jitter. The other half is left to the network.
    pub(in crate::limiter) fn grace(&self) -> u64 {
        nanos(self.jitter / 2)
    }

    /// Opens a limit that may be raised.
    fn opened(&self, limit: &Limit, metering: Metering) -> Metering {
        if self.raises > Raises::Never && !is_ours(limit) { metering.open() } else { metering }
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
        if rate.has_resets() {
            return self.resetting(limit);
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

    /// Checks a limit that resets, and returns its metering. It is counted in its own windows, and
    /// has no burst but all of it. Two clocks do not drift apart in a window, so there is no
    /// headroom unless the user asks for one.
    fn resetting(&self, limit: &Limit) -> Result<Metering, BuildProblem> {
        let rate = limit.rate();
        if let Err(problem) = Calendar::of(rate) {
            let limit = limit.clone();
            return Err(match problem {
                NoCalendar::Time => BuildProblem::ResetTime(limit),
                NoCalendar::Zone => BuildProblem::ResetZone(limit),
                NoCalendar::Period => BuildProblem::ResetPeriod(limit),
            });
        }
        if rate.has_both() {
            return Err(BuildProblem::ResetBurst(limit.clone()));
        }
        if self.jitter > rate.period() / 2 {
            return Err(BuildProblem::ResetJitter { limit: limit.clone(), jitter: self.jitter });
        }
        let headroom = self.headroom.map_or((0, 100), |Percent(percent)| (u64::from(percent), 100));
        Ok(Metering::new(rate, rate.period(), self.jitter, headroom))
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

    /// Returns these limits with the amounts and bursts that another process has updated them to.
    ///
    /// If all limits that take the limiter's burst have another one in common, then that is the
    /// limiter's from now on. A burst that still differs becomes the limit's own.
    pub(in crate::limiter) fn updated_to(&self, newer: &[(u64, Duration)]) -> Self {
        let mut updated = self.clone();
        for (limit, (amount, _)) in updated.limits.iter_mut().zip(newer) {
            *limit = limit.of_amount(*amount);
        }
        let takes = updated.limits.iter().zip(newer).filter(|(limit, _)| takes_burst(limit));
        let differs = takes.clone().any(|(limit, (_, burst))| updated.burst_of(limit) != *burst);
        let mut bursts = takes.map(|(_, (_, burst))| *burst);
        if differs
            && let Some(burst) = bursts.next()
            && bursts.all(|other| other == burst)
        {
            updated.burst = Some(Burst::Time(burst));
        }
        let with_burst = |(limit, (_, burst)): (&Limit, &(u64, Duration))| {
            // One that resets has no burst.
            if limit.rate().has_resets() || updated.burst_of(limit) == *burst {
                return limit.clone();
            }
            Limit::new(limit.dimension().clone(), limit.rate().burst(*burst))
        };
        updated.limits = updated.limits.iter().zip(newer).map(with_burst).collect();
        updated.burst = updated.burst.filter(|_| updated.limits.iter().any(takes_burst));
        updated
    }

    /// Returns a bit for each limit whose burst follows what the provider's bucket holds.
    pub(in crate::limiter) fn widening(&self) -> u64 {
        // In windows the whole amount may leave at once, so nothing would be gained.
        let is_observed = self.burst == Some(Burst::Observed) && self.counting == Counting::Refilling;
        let limits = self.limits.iter().enumerate().filter(|(_, limit)| is_observed && takes_burst(limit));
        limits.fold(0, |bits, (place, _)| bits | 1 << place)
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

/// Returns true for a limit on money, which is the user's own. No provider raises it.
pub(super) fn is_ours(limit: &Limit) -> bool {
    *limit.dimension() == Dimension::Spend
}

/// Returns whether the limiter's burst applies to this limit.
fn takes_burst(limit: &Limit) -> bool {
    let rate = limit.rate();
    rate.own_burst().is_none() && !rate.has_resets() && is_short(rate)
}

fn is_short(rate: Rate) -> bool {
    rate.period() <= LONGEST_SHORT_PERIOD
}

/// Returns the least time by which departures may be late, of all limits, in nanoseconds.
pub(in crate::limiter) fn least_lateness(meterings: &[Metering]) -> u64 {
    meterings.iter().map(Metering::lateness).min().unwrap_or(0)
}
