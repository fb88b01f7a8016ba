//! `BuildProblem`: the mistakes in a limiter's options, each with its message.
//!
//! Each message continues "limiter `name` cannot be built: ..", and says what to change. Problems
//! are data, so that programs and tests can tell them apart.

#[cfg(feature = "redis")]
use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::duration::short;
use crate::limits::{Concurrency, Limit, MOST_AMOUNT, MOST_LIMITS, NO_WINDOWS, Rate, UNKNOWN_ZONE};

/// The most limits of a shared limiter, together with the shares of lower priorities. A Lua
/// function may have 200 local variables and 250 values at once, and the script reads eight for
/// each limit at once.
#[cfg(feature = "redis")]
pub(crate) const MOST_SHARED: usize = 16;

/// The problem with a limiter that cannot be built or updated.
///
/// Its message continues "limiter `name` cannot be built: ..".
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// The limiter has no limits. One that bounds its concurrency needs none, unless it is shared:
    /// the calls in flight are counted in each process.
    #[error("it has no limits; give it at least one, such as `requests: 200 / minute`")]
    NoLimits,

    /// The concurrency admits no call: it is zero, or of an empty range.
    #[error(
        "a concurrency of {} would never admit a call; give at least 1, or a range that begins at 1 or above, such \
         as `Concurrency::Adaptive(1..=64)`",
        in_words(.0)
    )]
    Concurrency(Concurrency),

    /// The limiter has more than 64 limits.
    #[error("it has {0} limits; give it at most {MOST_LIMITS}")]
    TooManyLimits(usize),

    /// The amount of a rate is zero.
    #[error(
        "the limit of {0} would never admit a call; give an amount of at least 1, or leave the dimension out if it \
         is not limited"
    )]
    ZeroRate(Limit),

    /// The amount of a rate is above 2^63 - 1.
    #[error("the amount of the limit of {0} is too large; give at most {MOST_AMOUNT}")]
    RateTooLarge(Limit),

    /// The period of a rate is zero, or above 31 days.
    #[error("the period of the limit of {0} is out of range; give from 1 ns to 31 days")]
    Period(Limit),

    /// The burst of a limit is zero, or above 31 days.
    #[error(
        "the burst of {} for the limit of {limit} is out of range; give from 1 ns to 31 days, or leave it out \
         for the default",
        short(*burst)
    )]
    Burst {
        /// The limit.
        limit: Limit,
        /// The burst, as time.
        burst: Duration,
    },

    /// A limit [resets](crate::Rate::resets_at) at what is no time of day.
    #[error(
        "the limit of {0} resets at what is no time of day; give hours and minutes, from `00:00` to `23:59`"
    )]
    ResetTime(Limit),

    /// A limit [resets](crate::Rate::resets_at) in a time zone that is not known.
    #[error("the limit of {0} resets in a time zone that is not known; {UNKNOWN_ZONE}")]
    ResetZone(Limit),

    /// A limit [resets](crate::Rate::resets_at), and its period has no windows in the calendar.
    #[error("the limit of {0} has a period without a beginning in the calendar; {NO_WINDOWS}")]
    ResetPeriod(Limit),

    /// A limit [resets](crate::Rate::resets_at), and its rate has a burst.
    #[error(
        "the limit of {0} has a burst, which a limit that resets cannot have: all of it may be taken at once; \
         leave the burst out"
    )]
    ResetBurst(Limit),

    /// A limit [resets](crate::Rate::resets_at), and the [jitter](crate::Builder::jitter), in which
    /// no call departs before a reset, is more than half of its period.
    #[error(
        "the jitter of {} is above half of the period of the limit of {limit}, and no call departs for so long \
         before it resets; give a shorter one",
        short(*jitter)
    )]
    ResetJitter {
        /// The limit.
        limit: Limit,
        /// The jitter.
        jitter: Duration,
    },

    /// Two limits have the same dimension and period, so an [update](crate::Limiter::update) could
    /// not tell them apart. Two that [reset](crate::Rate::resets_at) at different times, or one of
    /// which does not, are no such limits.
    #[error(
        "a limit is declared twice, as {limit} and as {}; keep one of them, since both have the same dimension and \
         period",
        limit.of_amount(*again)
    )]
    DeclaredTwice {
        /// The limit that was declared first.
        limit: Limit,
        /// The amount of the other one.
        again: u64,
    },

    /// An [`overflow`](crate::Builder::overflow) is set, but any number of calls may wait.
    #[error("its `overflow` changes nothing, because any number of calls may wait; set `max_waiting`, too")]
    UnusedOverflow,

    /// The burst of a limit that is counted in windows is above half of its period. What is left
    /// would then refill more slowly than half of the rate.
    #[error(
        "the burst of {} for the limit of {limit} is above half of its period, and a limit that is counted in \
         windows refills only what the burst leaves of it; give a shorter one, or leave it out for the default",
        short(*burst)
    )]
    WindowBurst {
        /// The limit.
        limit: Limit,
        /// The burst, as time.
        burst: Duration,
    },

    /// The limiter's burst applies to none of its limits: all have a period above a minute, or a
    /// burst of their own.
    #[error(
        "its burst of {} has no effect: it applies to limits with a period of up to a minute that state no \
         burst of their own, and there are none; give it to the rate: `Rate::per_hour(1_000).burst(..)`",
        short(*.0)
    )]
    UnusedBurst(Duration),

    /// The limiter learns what calls put out, and none of its limits could make use of it.
    #[error(
        "`output: Learned` has no effect: it needs a limit on `output_tokens`, one on `tokens` that takes the \
         sum of prompt and output (`admission: Charge::Sum`), or one on `spend` with prices"
    )]
    UnusedOutput,

    /// The part that is [reserved](crate::Builder::reserve) is nothing, or everything.
    #[error(
        "a reserve of {} % {}; give from 1 to 99",
        .0,
        why_not(*.0)
    )]
    ReservedPart(u8),

    /// A part is [reserved](crate::Builder::reserve) for calls of low and higher priorities, which
    /// are all calls.
    #[error(
        "a reserve for low priorities and above changes nothing, because no priority is lower; give \
         `Priority::High` or `Priority::Normal`"
    )]
    ReservedForAll,

    /// A part of every rate is [reserved](crate::Builder::reserve), and there is none.
    #[error("its `reserve` has no effect: it keeps a part of every rate, and there is none; add a limit")]
    UnusedReserve,

    /// The limiter has a price for calls, and no limit on money.
    #[error(
        "its price has no effect, because it has no limit on money; give it one: `spend: Dollars(10) / day`"
    )]
    UnusedPrice,

    /// The headroom is 100 % or more.
    #[error("a headroom of {0} % leaves nothing of the rate; give less than 100")]
    Headroom(u8),

    /// The input factor is below 0.01 or above 100, or not a number.
    #[error("an input factor of {0} is out of range; give from 0.01 to 100")]
    InputFactor(f64),

    /// An [update](crate::Limiter::update) names a limit that the limiter does not have.
    #[error(
        "it has no limit of {0} to change: an update replaces the limit with the same dimension and period, and \
         adds none; build another limiter for other limits"
    )]
    NoSuchLimit(Limit),

    /// An [update](crate::Limiter::update) sets the concurrency of a limiter that has none. Nothing
    /// counts its calls in flight.
    #[error(
        "it has no concurrency to change, so its calls in flight are not counted; build it with one, which may be as \
         large as `u32::MAX`"
    )]
    NoConcurrency,

    /// The value of a key uses the limiter that it declares, itself or through another one.
    #[error(
        "a value of its declaration uses the limiter itself, which is not built yet; take the value from elsewhere"
    )]
    Recursive,

    /// This process was forked while another thread used the limiter, so its lock is held for ever.
    #[error("it was in use in another thread when this process was forked; fork before the first call")]
    Forked,

    /// [`max_keys`](crate::Builder::max_keys) is zero.
    #[error(
        "with `max_keys` of zero it could never admit a call; give the number of keys that may be in use at a time"
    )]
    NoKeys,

    /// A config sets [`max_keys`](crate::Builder::max_keys) for a limiter that is not
    /// [`Keyed`](crate::Keyed).
    #[error(
        "its `max_keys` of {0} has no effect, because it is no limiter for each key; leave it out, or declare a \
         `Keyed<TenantId, ..>`"
    )]
    UnusedMaxKeys(usize),

    /// The limits of each key are shared, and nothing says how all processes name a key.
    #[error(
        "limits of each key that are shared through redis need a text for each key, the same in all processes; \
         add `key_name: |key| key.to_string()`"
    )]
    NamelessKeys,

    /// As many keys as [`max_keys`](crate::Builder::max_keys) are in use, and this would be another
    /// one.
    #[error(
        "{0} keys are in use, which is its `max_keys`; try again when some are idle, or raise `max_keys`"
    )]
    TooManyKeys(usize),

    /// The function that returns the [`limits`](crate::Builder::limits) of a key panicked.
    #[error("the function `limits` panicked for this key; return the limits that it was given to keep them")]
    LimitsPanicked,

    /// The function that returns the [text of a key](crate::Builder::key_name) panicked.
    #[error("the function `key_name` panicked for this key; return a text for every key")]
    KeyNamePanicked,

    /// The name of a dimension is empty.
    #[error(
        "the limit of {0} has a dimension without a name; name it: \
         `Limit::new(\"audio_seconds\", Rate::per_hour(7_200))`"
    )]
    NamelessDimension(Rate),

    /// The limits are shared, and the limiter has no name of its own.
    #[cfg(feature = "redis")]
    #[error("it is shared through redis by its name, and has none; give it one: `name: \"prod-chat\"`")]
    SharedNameless,

    /// The limits are shared, and the limiter runs on a manual clock.
    #[cfg(feature = "redis")]
    #[error("limits shared through redis run on the server's clock; leave the manual clock out")]
    SharedClock,

    /// The limits are shared, and there are more than 16. Or more than 8, of which a part is
    /// [reserved](crate::Builder::reserve). One script of Redis decides about all of them, and has
    /// at most 200 variables.
    #[cfg(feature = "redis")]
    #[error(
        "it has {limits} limits, and at most {most} can be shared through redis{}, where a script has at most 200 \
         variables; leave some out, or give them a limiter of their own in a stack",
        if *most < MOST_SHARED { " with a `reserve`" } else { "" }
    )]
    TooManyShared {
        /// The number of limits.
        limits: usize,
        /// How many there may be.
        most: usize,
    },

    /// A shared limit is so slow that its burst and its largest call together would take more than
    /// 52 days to flow back. Redis' scripts count such times in doubles, which would no longer be
    /// exact.
    #[cfg(feature = "redis")]
    #[error(
        "the limit of {limit} is too slow to be shared through redis: its burst and its largest call, of {most} \
         {}, would together take 52 days or more to flow back; shorten the period or the burst. In windows, the \
         period may be 24 days at most",
        limit.dimension()
    )]
    TooSlowToShare {
        /// The limit.
        limit: Limit,
        /// The largest call, in units of the limit's dimension.
        most: u64,
    },

    /// A shared limit that [resets](crate::Rate::resets_at) is so large that its amount and its
    /// largest call together are above 2^52. Redis' scripts count in doubles, which would no longer
    /// be exact.
    #[cfg(feature = "redis")]
    #[error(
        "the limit of {limit} is too large to be shared through redis: its amount and its largest call, of \
         {most} {}, are together above 2^52; lower the amount, or leave `adopt_limits` out, by which a call may be \
         larger than declared",
        limit.dimension()
    )]
    TooLargeToShare {
        /// The limit.
        limit: Limit,
        /// The largest call, in units of the limit's dimension.
        most: u64,
    },

    /// The settings of the limiter's Redis cannot be used.
    #[cfg(feature = "redis")]
    #[error("its redis cannot be used: {0}")]
    Redis(Cow<'static, str>),

    /// An expression in the declaration failed, for example because an environment variable is not
    /// set.
    #[error("the value of `{key}` failed: {error}")]
    Declaration {
        /// The key that the expression is the value of.
        key: &'static str,
        /// The error of the expression.
        error: Arc<dyn Error + Send + Sync>,
    },
}

impl BuildProblem {
    /// Returns the limit that is wrong; `None` if the problem is not about a single limit.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Self::ZeroRate(limit)
            | Self::RateTooLarge(limit)
            | Self::Period(limit)
            | Self::NoSuchLimit(limit)
            | Self::DeclaredTwice { limit, .. }
            | Self::ResetTime(limit)
            | Self::ResetZone(limit)
            | Self::ResetPeriod(limit)
            | Self::ResetBurst(limit)
            | Self::ResetJitter { limit, .. }
            | Self::Burst { limit, .. }
            | Self::WindowBurst { limit, .. } => Some(limit),
            #[cfg(feature = "redis")]
            Self::TooSlowToShare { limit, .. } | Self::TooLargeToShare { limit, .. } => Some(limit),
            _ => None,
        }
    }
}

/// Returns a concurrency as a number or a range.
fn in_words(concurrency: &Concurrency) -> String {
    match concurrency {
        Concurrency::Fixed(calls) => calls.to_string(),
        Concurrency::Adaptive(range) => format!("{}..={}", range.start(), range.end()),
    }
}

/// Returns why so many percent cannot be reserved.
fn why_not(percent: u8) -> &'static str {
    if percent == 0 { "keeps nothing" } else { "leaves nothing to lower priorities" }
}
