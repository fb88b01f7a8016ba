//! `Forecast`: how long a list of calls takes, what binds it, and what would halve it.
//!
//! Nobody can see from two rates and a list of sizes which of them matters. [`rehearsal`] runs the
//! list, and this file turns what came out into answers.
//!
//! [`rehearsal`]: super::rehearsal

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use super::limiter::unbuilt;
use super::plans::Planned;
use super::rehearsal::{AtOnce, Cause, Outlook, Rehearsal};
use crate::error::{AcquireError, short};
use crate::limits::{Amounts, Limit, Rate};
use crate::pricing::kind::Price;
use crate::time::nanos;

impl<K> Limiter<K> {
    /// Returns how long a list of calls takes under the declared limits, without making them.
    ///
    /// It runs the limiter's own rules on virtual time, as if all calls were waiting and nothing
    /// had been taken yet. Limits that [reset](Rate::resets_at) do so by the date of now. The
    /// limiter itself does not change. A million costs take about a second. Requests also have to
    /// be priced, as for a call.
    ///
    /// Each call takes what it would reserve if nothing had been learned, and gives nothing back.
    /// Other users of the quota, and the waits for Redis, are not part of it. Neither is a
    /// [concurrency](crate::Builder::concurrency), since nobody knows how long the calls take:
    /// [`in_flight`](Forecast::in_flight) takes both.
    ///
    /// For calls of a [`Stack`](crate::Stack), plan each of its limiters with the calls that it
    /// gets. None of them takes less time than its own plan, so the longest is a lower bound.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder()
    ///     .name("chat")
    ///     .requests(Rate::per_minute(600))
    ///     .tokens(Rate::per_minute(40_000))
    ///     .burst(Duration::from_secs(10))
    ///     .build()?;
    /// let forecast = limiter.plan((0..1_000).map(|_| Cost::new().tokens(900)))?;
    /// assert_eq!(forecast.time().as_secs(), 1_340);
    /// let binding = forecast.limits().iter().max_by_key(|limit| limit.bound).unwrap();
    /// assert_eq!(binding.limit.to_string(), "40000 tokens / minute");
    /// assert_eq!(forecast.halved_by().unwrap().limits[0].to_string(), "80000 tokens / minute");
    ///
    /// // At most 8 calls at once, each of which takes 12 seconds.
    /// let forecast = forecast.in_flight(8, Duration::from_secs(12));
    /// assert_eq!(forecast.time().as_secs(), 1_500);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The error that [`acquire`](Self::acquire) would return for one of the calls, such as
    /// [`TooLarge`](AcquireError::TooLarge), with the place of that call; or the problem with the
    /// limiter's declaration.
    pub fn plan<P: Price<K>>(&self, calls: impl IntoIterator<Item = P>) -> Result<Forecast, ForecastError> {
        let handle = self.handle().map_err(|error| ForecastError::new(None, unbuilt(error)))?;
        let plan = handle.core().plan.now();
        let amounts = |price: P| match price.cost(plan.pricing()) {
            Ok(cost) => plan.resolve(cost.borrow()),
            Err(error) => Err(plan.unpriced(error)),
        };
        let calls = calls
            .into_iter()
            .zip(1..)
            .map(|(price, row)| amounts(price).map_err(|error| ForecastError::new(Some(row), error)));
        let calls = calls.collect::<Result<_, _>>()?;
        Ok(Forecast::new(plan.shared(), calls, None, handle.core().time.date()))
    }
}

/// The error of a list of calls that cannot be planned. Returned by [`Limiter::plan`].
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{error}", match row { Some(row) => format!("call {row} of the list: "), None => String::new() })]
pub struct ForecastError {
    row: Option<usize>,
    error: Box<AcquireError>,
}

impl ForecastError {
    fn new(row: Option<usize>, error: AcquireError) -> Self {
        Self { row, error: Box::new(error) }
    }

    /// Returns the place of the call in the list, from 1 on; `None` if the limiter cannot be built.
    #[must_use]
    pub fn row(&self) -> Option<usize> {
        self.row
    }

    /// Returns the error that the call would get.
    #[must_use]
    pub fn error(&self) -> &AcquireError {
        &self.error
    }
}

/// How long a list of calls takes, and why. Returned by [`Limiter::plan`].
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

    /// Returns what has to be doubled to halve the time, up to 1 % of it. `None` if nothing would,
    /// because the calls hardly wait.
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

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} calls take {}", self.plan.name(), self.calls(), short(self.time()))?;
        let share = |bound: Duration| match self.time().as_nanos() {
            0 => 0,
            whole => (bound.as_nanos() * 100 + whole / 2) / whole,
        };
        let limits = self.limits.iter();
        let mut rows: Vec<_> = limits
            .map(|limit| {
                (
                    limit.limit.to_string(),
                    format!("{} taken", limit.limit.dimension().count(limit.taken)),
                    share(limit.bound),
                )
            })
            .collect();
        if let Some(AtOnce { calls, time }) = self.in_flight {
            let time = short(Duration::from_nanos(time));
            rows.push((
                format!("{calls} calls at once"),
                format!("{time} each"),
                share(self.bound_in_flight()),
            ));
        }
        let width = |text: fn(&(String, String, u128)) -> &String| {
            rows.iter().map(|row| text(row).chars().count()).max().unwrap_or(0)
        };
        let (name, taken) = (width(|row| &row.0), width(|row| &row.1));
        for (limit, amount, share) in &rows {
            write!(f, "\n{limit:name$}  {amount:>taken$}  binds {share:>3} % of the time")?;
        }
        self.halved_by().map_or(Ok(()), |doubling| write!(f, "\nhalf the time: {doubling}"))
    }
}

impl fmt::Display for Doubling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = self.limits.iter().map(ToString::to_string);
        let in_flight = self.in_flight.map(|calls| format!("{calls} calls at once"));
        f.write_str(&limits.chain(in_flight).collect::<Vec<_>>().join(", "))
    }
}

/// Leaves out the calls, of which there may be millions.
impl fmt::Debug for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut forecast = f.debug_struct("Forecast");
        forecast.field("limiter", self.plan.name()).field("calls", &self.calls()).field("time", &self.time());
        forecast.field("limits", &self.limits).finish_non_exhaustive()
    }
}
