//! `Builder`: every option of a limiter, and the one place where they are checked.
//!
//! The setters take anything and never fail; `build` looks at the whole and names what is wrong.

#[cfg(feature = "redis")]
pub(crate) mod shared;

use std::marker::PhantomData;
use std::time::Duration;

use crate::bucket::Bucket;
use crate::core::Core;
use crate::error::BuildProblem;
use crate::handle::Handle;
use crate::pricing::PriceOptions;
#[cfg(feature = "redis")]
use crate::redis::Redis;
use crate::time::Time;
use crate::{BuildError, Dimension, Limit, Limiter, Name, Rate};

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
    name: Name,
    limits: Vec<Limit>,
    burst: Option<Duration>,
    jitter: Duration,
    headroom: Option<Percent>,
    refunds: bool,
    pricing: PriceOptions,
    time: Option<Time>,
    #[cfg(feature = "redis")]
    redis: Option<Redis>,
    /// Whether the name was given, and is not just where the limiter is declared.
    #[cfg(feature = "redis")]
    is_named: bool,
    kind: PhantomData<fn() -> K>,
}

/// So many hundredths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Percent(pub u8);

impl<K> Builder<K> {
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name: name.into(),
            limits: Vec::new(),
            burst: None,
            jitter: Duration::from_millis(50),
            headroom: None,
            refunds: true,
            pricing: PriceOptions::default(),
            time: None,
            #[cfg(feature = "redis")]
            redis: None,
            #[cfg(feature = "redis")]
            is_named: false,
            kind: PhantomData,
        }
    }

    /// The name that errors and `Debug` show. A declared limiter's default is the path of its static. Limiters that are shared
    /// are shared by it, and have to be given one.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Name::from(name.into());
        #[cfg(feature = "redis")]
        {
            self.is_named = !self.name.is_empty();
        }
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
    #[cfg(feature = "testing")]
    pub fn clock(mut self, clock: &crate::testing::ManualClock) -> Self {
        self.time = Some(Time::Manual(clock.clone()));
        self
    }

    /// Shares the limits with every limiter of the same [name](Self::name) on the same Redis, in whatever process and on
    /// whatever host. They must have the same limits, in any order. Takes a URL (`redis://host:port`, `rediss://..`,
    /// `unix://..`), or a [`Redis`] that says more.
    ///
    /// Everything else is as it is in memory, but that [`try_acquire`](crate::Limiter::try_acquire) admits nothing without a
    /// [lease](Redis::lease). No more than 8 limits can be shared, and at least 10 ms are kept back for [jitter](Self::jitter).
    /// [`flush`](crate::Limiter::flush) checks at start-up that the server is there, and tells it everything before the end.
    #[cfg(feature = "redis")]
    pub fn redis(mut self, redis: impl Into<Redis>) -> Self {
        self.redis = Some(redis.into());
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
        Ok(Limiter::built(Handle::shared(self.build_core()?)))
    }

    pub(crate) fn build_core(self) -> Result<Core, BuildError> {
        let name = self.name.clone();
        self.try_build().map_err(|problem| BuildError::new(name, problem))
    }

    fn try_build(self) -> Result<Core, BuildProblem> {
        #[cfg(feature = "redis")]
        if let Some(redis) = self.redis.clone() {
            return self.try_build_shared(&redis);
        }
        let buckets = self.buckets()?;
        let time = self.time.clone().unwrap_or_else(Time::detect);
        Ok(self.core(buckets, time))
    }

    fn core(self, buckets: Vec<Bucket>, time: Time) -> Core {
        Core::new(self.name, self.limits, buckets, self.jitter, self.refunds, self.pricing, time)
    }

    fn kept_back(&self) -> Result<(u64, u64), BuildProblem> {
        match self.headroom {
            // 0.02 %
            None => Ok((1, 5_000)),
            Some(Percent(percent @ 0..100)) => Ok((u64::from(percent), 100)),
            Some(Percent(percent)) => Err(BuildProblem::Headroom(percent)),
        }
    }

    fn buckets(&self) -> Result<Vec<Bucket>, BuildProblem> {
        let headroom = self.kept_back()?;
        match self.limits.len() {
            0 => Err(BuildProblem::NoLimits),
            1..=64 if self.burst.is_some() && !self.limits.iter().any(takes_burst) => {
                Err(BuildProblem::UnusedBurst(self.burst.unwrap_or_default()))
            }
            1..=64 => self.limits.iter().map(|limit| self.bucket(limit, headroom)).collect(),
            many => Err(BuildProblem::TooManyLimits(many)),
        }
    }

    fn bucket(&self, limit: &Limit, headroom: (u64, u64)) -> Result<Bucket, BuildProblem> {
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
        if rate.period().is_zero() || rate.period() > LONGEST {
            return Err(BuildProblem::Period(limit.clone()));
        }
        let burst = self.burst_of(rate);
        if burst.is_zero() || burst > LONGEST {
            return Err(BuildProblem::Burst { limit: limit.clone(), burst });
        }
        #[cfg(feature = "redis")]
        let rate = self.redis.as_ref().map_or(rate, |redis| redis.part(rate));
        Ok(Bucket::new(rate, burst, self.jitter, headroom))
    }

    fn burst_of(&self, rate: Rate) -> Duration {
        match rate.own_burst() {
            Some(burst) => burst,
            None if is_short(rate) => self.burst.unwrap_or(Duration::from_secs(1)),
            None => rate.period(),
        }
    }
}

/// The longest period, and the longest burst: see `bucket`.
const LONGEST: Duration = Duration::from_secs(31 * 86_400);

/// Whether the limiter's burst is this limit's.
fn takes_burst(limit: &Limit) -> bool {
    limit.rate().own_burst().is_none() && is_short(limit.rate())
}

fn is_short(rate: Rate) -> bool {
    rate.period() <= Duration::from_secs(60)
}
