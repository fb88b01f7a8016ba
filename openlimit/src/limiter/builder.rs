//! `Builder`: every option of a limiter, and the one place where they are checked.
//!
//! The setters take anything and never fail; `build` looks at the whole and names what is wrong.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use super::Limiter;
use super::core::{Core, Handle};
use crate::admission::{Admission, Plan};
use crate::backend::{Choice, Starting};
use crate::bucket::{LONGEST_PERIOD, Metering};
use crate::error::{BuildError, BuildProblem};
use crate::limits::{Dimension, Limit, Name, Percent, Rate};
use crate::pricing::PriceOptions;
use crate::queue::{Queue, by_arrival};
use crate::time::{Time, nanos};

/// Options of a [`Limiter`]. Each is also a key of [`limiter!`](crate::limiter).
///
/// Naming a dimension again adds a limit to it: a limit per day beside one per minute.
///
/// ```
/// use openlimit::{Percent, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder()
///     .requests(Rate::per_minute(200))
///     .requests(Rate::per_day(10_000))
///     .tokens(Rate::per_minute(40_000))
///     .burst(Duration::from_secs(10))
///     .headroom(Percent(5))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<K> {
    /// The name that the program gave.
    name: Option<Name>,
    /// The name if it gave none: where the limiter is declared.
    path: Name,
    limits: Vec<Limit>,
    burst: Option<Duration>,
    jitter: Duration,
    headroom: Option<Percent>,
    refunds: bool,
    pricing: PriceOptions,
    time: Option<Time>,
    pub(super) backend: Choice,
    kind: PhantomData<fn() -> K>,
}

impl<K> Builder<K> {
    pub(super) fn named(path: &'static str) -> Self {
        Self {
            name: None,
            path: path.into(),
            limits: Vec::new(),
            burst: None,
            jitter: Duration::from_millis(50),
            headroom: None,
            refunds: true,
            pricing: PriceOptions::default(),
            time: None,
            backend: Choice::default(),
            kind: PhantomData,
        }
    }

    /// Sets the name that errors and `Debug` show. Default: the path of a declared limiter's static.
    ///
    /// A shared limiter is identified by its name and must have one.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into().into());
        self
    }

    /// A limit on requests.
    pub fn requests(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Requests, rate))
    }

    /// A limit on tokens, input and output together.
    pub fn tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Tokens, rate))
    }

    /// A limit on input tokens.
    pub fn input_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::InputTokens, rate))
    }

    /// A limit on output tokens.
    pub fn output_tokens(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::OutputTokens, rate))
    }

    /// A limit on images that are asked for. Only [`Cost::images`](crate::Cost::images) takes from it: the images in the
    /// prompt of a request count as tokens.
    pub fn images(self, rate: Rate) -> Self {
        self.limit(Limit::new(Dimension::Images, rate))
    }

    /// A limit on any dimension: `limit: Limit::new("audio_seconds", Rate::per_hour(7_200))`.
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limits.push(limit);
        self
    }

    /// How much may be taken at once after idleness, given as time, for every limit with a period of up to a
    /// minute whose rate does not [say it itself](Rate::burst). Default: one second. A limit per hour or day gives
    /// its whole amount, unless its rate says otherwise: `requests: Rate::per_hour(1_000).burst(..)`.
    pub fn burst(mut self, burst: Duration) -> Self {
        self.burst = Some(burst);
        self
    }

    /// How much of the burst is kept back, given as time, because calls that leave in time arrive bunched.
    /// Never more than the burst; zero turns it off. The rate is not touched. Default: 50 ms.
    ///
    /// It also covers what a program cannot know of its own time: the clock that admits a call may be read some
    /// 0.1 ms before the call departs.
    pub fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// The part of every rate that is left to others who use the same quota. Default: 0.02 %, which covers the
    /// difference between two machines' clocks.
    pub fn headroom(mut self, headroom: Percent) -> Self {
        self.headroom = Some(headroom);
        self
    }

    /// Whether [`settle`](crate::Permit::settle) gives back what was reserved and not used. Default: `true`.
    /// With `false` it only adds what was used beyond the reservation, for providers that charge by it.
    pub fn refunds(mut self, refunds: bool) -> Self {
        self.refunds = refunds;
        self
    }

    /// Output tokens to reserve for a request that names no maximum. Default: 16.
    #[cfg(feature = "tokenizers")]
    pub fn default_output(mut self, tokens: u64) -> Self {
        self.pricing.default_output = tokens;
        self
    }

    /// Counts the texts of requests by this [`Tokenizer`](crate::tokens::Tokenizer). Default: this library's own
    /// counter, by the [`Encoding`](crate::tokens::Encoding) of each request's model.
    #[cfg(feature = "tokenizers")]
    pub fn tokenizer(mut self, tokenizer: impl crate::tokens::Tokenizer + 'static) -> Self {
        self.pricing.tokenizer = Some(crate::tokenizer::Plugged::new(tokenizer));
        self
    }

    /// What a request takes of a limit on tokens before its usage is known. Default: [`Charge::Sum`](crate::Charge),
    /// the prompt and the largest output.
    #[cfg(feature = "tokenizers")]
    pub fn admission(mut self, charge: crate::Charge) -> Self {
        self.pricing.charge = charge;
        self
    }

    /// Runs the limiter on a clock that tests move by hand.
    #[cfg(any(feature = "testing", openlimit_loom))]
    pub fn clock(mut self, clock: &crate::time::ManualClock) -> Self {
        self.time = Some(Time::Manual(clock.clone()));
        self
    }

    /// Builds the limiter.
    ///
    /// # Errors
    /// No limits, or more than 64; a rate of zero, or above 2^63 - 1; a period or burst of zero, or above 31 days; a burst
    /// that no limit uses; a headroom of everything; a dimension without a name. [`BuildProblem`] says which.
    ///
    /// For a limiter that is shared through Redis also: no name; a manual clock; more than 8 limits; a limit at which
    /// the largest call takes more than 52 days; a URL or settings that cannot be used.
    pub fn build(self) -> Result<Limiter<K>, BuildError> {
        Ok(Limiter::built(Handle::Shared(self.build_core()?)))
    }

    pub(super) fn build_core(self) -> Result<Arc<Core>, BuildError> {
        let name = self.name.clone().unwrap_or_else(|| self.path.clone());
        self.try_build(name.clone()).map_err(|problem| BuildError::new(name, problem))
    }

    fn try_build(self, name: Name) -> Result<Arc<Core>, BuildProblem> {
        let meterings = self.meterings()?;
        let time = match self.time {
            Some(time) => time,
            None if self.backend.has_clock() => Time::System,
            None => Time::detect(),
        };
        let plan = Plan::new(name, self.limits, &meterings, self.refunds, self.pricing);
        let given = self.name.filter(|name| !name.is_empty());
        let (backend, driver) = self.backend.open(&Starting {
            name: given.as_deref(),
            limits: plan.limits(),
            meterings: &meterings,
            dimensions: plan.dimensions(),
            on_system_time: matches!(time, Time::System),
        })?;
        // Half of what is kept back for jitter: the other half is still there for the network.
        let grace = nanos(self.jitter / 2);
        let admission = Admission::new(backend, Queue::new(plan.width(), by_arrival), grace);
        let kept_back = meterings.iter().map(Metering::kept_back).min().unwrap_or(0);
        Ok(Core::new(Arc::new(plan), admission, driver, time, kept_back))
    }

    /// Checks the limits, and says how each is metered.
    fn meterings(&self) -> Result<Vec<Metering>, BuildProblem> {
        let headroom = match self.headroom {
            None => DEFAULT_HEADROOM,
            Some(Percent(percent @ 0..100)) => (u64::from(percent), 100),
            Some(Percent(percent)) => return Err(BuildProblem::Headroom(percent)),
        };
        match self.limits.len() {
            0 => Err(BuildProblem::NoLimits),
            1..=MOST_LIMITS if self.burst.is_some() && !self.limits.iter().any(takes_burst) => {
                Err(BuildProblem::UnusedBurst(self.burst.unwrap_or_default()))
            }
            1..=MOST_LIMITS => self.limits.iter().map(|limit| self.metering(limit, headroom)).collect(),
            many => Err(BuildProblem::TooManyLimits(many)),
        }
    }

    fn metering(&self, limit: &Limit, headroom: (u64, u64)) -> Result<Metering, BuildProblem> {
        let rate = limit.rate();
        if limit.dimension().name().is_empty() {
            return Err(BuildProblem::NamelessDimension(rate));
        }
        if rate.amount() == 0 {
            return Err(BuildProblem::ZeroRate(limit.clone()));
        }
        if rate.amount() > i64::MAX as u64 {
            return Err(BuildProblem::RateTooLarge(limit.clone()));
        }
        if rate.period().is_zero() || rate.period() > LONGEST_PERIOD {
            return Err(BuildProblem::Period(limit.clone()));
        }
        let burst = self.burst_of(rate);
        if burst.is_zero() || burst > LONGEST_PERIOD {
            return Err(BuildProblem::Burst { limit: limit.clone(), burst });
        }
        Ok(Metering { rate, burst, jitter: self.jitter, headroom })
    }

    fn burst_of(&self, rate: Rate) -> Duration {
        match rate.own_burst() {
            Some(burst) => burst,
            None if is_short(rate) => self.burst.unwrap_or(Duration::from_secs(1)),
            None => rate.period(),
        }
    }
}

/// 0.02 %, as a fraction: more than two machines' clocks differ while NTP keeps them.
const DEFAULT_HEADROOM: (u64, u64) = (1, 5_000);

/// The most limits of one limiter. Every call looks at each, so many more would be slow.
const MOST_LIMITS: usize = 64;

/// Whether the limiter's burst is this limit's.
fn takes_burst(limit: &Limit) -> bool {
    limit.rate().own_burst().is_none() && is_short(limit.rate())
}

fn is_short(rate: Rate) -> bool {
    rate.period() <= Duration::from_secs(60)
}
