//! `Forecast`: how long a list of calls takes, what binds it, and what would halve it.
//!
//! Nobody can see from two rates and a list of sizes which of them matters. `plan` prices the list,
//! `rehearsal` runs it, and this file turns what came out into answers. `lines` shows them.

mod lines;
mod plan;
mod rehearsal;

use std::sync::Arc;
use std::time::Duration;

pub use self::plan::ForecastError;
use self::rehearsal::{AtOnce, Cause, Outlook, Rehearsal};
use super::plans::Planned;
use crate::limits::{Amounts, Limit, Rate};
use crate::time::nanos;

/// How long a list of calls takes, and why. Returned by [`Limiter::plan`](crate::Limiter::plan).
///
/// `Display` shows it in a few lines:
///
/// ```
/// use openlimit::{Rate, RateLimiter};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder()
///     .name("chat")
///     .requests(Rate::per_minute(200))
///     .tokens(Rate::per_minute(40_000))
///     .burst(Duration::from_secs(10))
///     .build()?;
/// assert_eq!(
///     limiter.plan(vec![900; 1_000])?.to_string(),
///     "chat: 1000 calls take 22m 21s\n\
///      200 requests / minute    1000 taken  binds   0 % of the time\n\
///      40000 tokens / minute  900000 taken  binds 100 % of the time\n\
///      half the time: 80000 tokens / minute"
/// );
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Forecast {
    plan: Arc<Planned>,
    calls: Vec<Amounts>,
    in_flight: Option<AtOnce>,
    /// The date at the start, in nanoseconds since 1970.
    start: i64,
    outlook: Outlook,
    limits: Vec<LimitForecast>,
}

/// What a limit does to the calls of a [`Forecast`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LimitForecast {
    /// The limit.
    pub limit: Limit,
    /// The amount that all calls take together; at most 2^64 - 1.
    pub taken: u64,
    /// For how long calls wait for this limit. At each moment, at most one limit binds.
    pub bound: Duration,
}

/// A way to halve the time of a [`Forecast`]. Returned by [`Forecast::halved_by`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Doubling {
    /// The limits to double, with their new rates. All others stay.
    pub limits: Vec<Limit>,
    /// How many calls have to be in flight, if that has to be doubled, too.
    pub in_flight: Option<usize>,
    /// The time that the calls then take.
    pub time: Duration,
}

impl Forecast {
    fn new(plan: Arc<Planned>, calls: Vec<Amounts>, in_flight: Option<AtOnce>, start: i64) -> Self {
        let outlook = Rehearsal::new(&plan, in_flight, start).run(&calls);
        let limits = plan.limits().iter().zip(plan.dimensions()).zip(&outlook.for_limits);
        let limits = limits.map(|((limit, dimension), bound)| LimitForecast {
            limit: limit.clone(),
            taken: calls
                .iter()
                .fold(0, |taken, amounts| taken.saturating_add(amounts.as_slice()[*dimension])),
            bound: Duration::from_nanos(*bound),
        });
        let limits = limits.collect();
        Self { plan, calls, in_flight, start, outlook, limits }
    }

    /// Returns the forecast for at most `calls` calls at once, each of which takes `time`, from its
    /// departure to its reply. Without this, the number of calls at once has no bound, and the
    /// forecast ends with the last departure.
    ///
    /// Zero calls at once count as one.
    #[must_use]
    pub fn in_flight(self, calls: usize, time: Duration) -> Self {
        let at_once = AtOnce { calls: calls.max(1), time: nanos(time) };
        Self::new(self.plan, self.calls, Some(at_once), self.start)
    }

    /// Returns the number of calls.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Returns the time from the start until the last call departs or, with
    /// [`in_flight`](Self::in_flight), until it ends; at most 584 years.
    #[must_use]
    pub fn time(&self) -> Duration {
        Duration::from_nanos(self.outlook.end)
    }

    /// Returns what each limit does, in the order of their declaration.
    #[must_use]
    pub fn limits(&self) -> &[LimitForecast] {
        &self.limits
    }

    /// Returns for how long the calls wait for others to end; zero without
    /// [`in_flight`](Self::in_flight).
    #[must_use]
    pub fn bound_in_flight(&self) -> Duration {
        Duration::from_nanos(self.outlook.for_calls)
    }

    /// Returns when each call departs, since the start, in the order of the calls.
    #[must_use]
    pub fn departures(&self) -> impl ExactSizeIterator<Item = Duration> + '_ {
        self.outlook.departures.iter().map(|departure| Duration::from_nanos(*departure))
    }

    /// Returns what has to be doubled to halve the time, up to 1 % of it. `None` if no call waits,
    /// or if that is not enough, because a part of the time is that of the calls themselves.
    ///
    /// It runs the calls again with what bound them doubled: first the limit that they waited for
    /// the most, then, if that is not enough, also what they wait for the most in that run.
    #[must_use]
    pub fn halved_by(&self) -> Option<Doubling> {
        let mut run = Rehearsal::new(&self.plan, self.in_flight, self.start);
        let mut doubled = Vec::new();
        let mut outlook = self.outlook.clone();
        loop {
            let cause = outlook.binding(&doubled)?;
            doubled.push(cause);
            run.double(cause);
            outlook = run.run(&self.calls);
            if is_half(outlook.end, self.outlook.end) {
                let limits = self.plan.limits().iter().enumerate();
                let limits = limits.filter(|(place, _)| doubled.contains(&Cause::Limit(*place)));
                return Some(Doubling {
                    limits: limits.map(|(place, limit)| with_rate(limit, run.rate(place))).collect(),
                    in_flight: run.in_flight().filter(|_| doubled.contains(&Cause::InFlight)),
                    time: Duration::from_nanos(outlook.end),
                });
            }
        }
    }
}

/// Returns whether a time is half of the whole, or up to 1 % of the whole more.
fn is_half(time: u64, whole: u64) -> bool {
    u128::from(time) * 100 <= u128::from(whole) * 51
}

fn with_rate(limit: &Limit, rate: Rate) -> Limit {
    Limit::new(limit.dimension().clone(), rate)
}
