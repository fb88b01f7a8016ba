//! `BuildError`: why a limiter cannot be built.

#[cfg(feature = "redis")]
use std::borrow::Cow;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use super::duration::short;
use crate::limits::{Limit, Name, Rate};

/// The error of a limiter that cannot be built: its name, and the problem.
#[derive(Clone, Debug, thiserror::Error)]
#[error("limiter `{limiter}` cannot be built: {problem}")]
pub struct BuildError {
    limiter: Name,
    problem: BuildProblem,
}

impl BuildError {
    pub(crate) fn new(limiter: Name, problem: BuildProblem) -> Self {
        Self { limiter, problem }
    }

    /// Creates the error of a declaration whose value for `key` failed. A `BuildError` stays itself.
    pub(crate) fn declared(
        limiter: &'static str,
        key: &'static str,
        error: Box<dyn Error + Send + Sync>,
    ) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => {
                Self::new(limiter.into(), BuildProblem::Declaration { key, error: Arc::from(error) })
            }
        }
    }

    /// Returns the limiter's name.
    #[must_use]
    pub fn limiter(&self) -> &str {
        &self.limiter
    }

    pub(super) fn name(&self) -> &Name {
        &self.limiter
    }

    /// Returns the problem.
    #[must_use]
    pub fn problem(&self) -> &BuildProblem {
        &self.problem
    }
}

/// The problem with a limiter that cannot be built.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// It has no limits, so it would limit nothing.
    #[error("it has no limits; give it at least one, such as `requests: 200 / minute`")]
    NoLimits,

    /// It has more than 64 limits.
    #[error("it has {0} limits; the most is 64")]
    TooManyLimits(usize),

    /// A rate of zero.
    #[error("the limit of {0} would never admit a call; leave the dimension out if it is not limited")]
    ZeroRate(Limit),

    /// An amount above 2^63 - 1.
    #[error("the amount of the limit of {0} is too large; the most is {max}", max = i64::MAX)]
    RateTooLarge(Limit),

    /// A period of zero, or above 31 days.
    #[error("the period of the limit of {0} is out of range; give from 1 ns to 31 days")]
    Period(Limit),

    /// A burst of zero, or above 31 days.
    #[error(
        "the burst of {} for the limit of {limit} is out of range; give from 1 ns to 31 days, or leave it out for \
         the default",
        short(*burst)
    )]
    Burst {
        /// The limit.
        limit: Limit,
        /// The burst, as time.
        burst: Duration,
    },

    /// A burst for limits with a period of up to a minute, of which there are none.
    #[error(
        "its burst of {} has no effect: it applies to limits per minute or shorter that state no burst of their \
         own, and there are none; give it to the rate: `Rate::per_hour(1_000).burst(..)`",
        short(*.0)
    )]
    UnusedBurst(Duration),

    /// A headroom of 100 % or more.
    #[error("a headroom of {0} % leaves nothing of the rate; give less than 100")]
    Headroom(u8),

    /// A dimension without a name.
    #[error("the limit of {0} counts a dimension without a name; name it: `Limit::new(\"images\", ..)`")]
    NamelessDimension(Rate),

    /// The limits are shared through Redis, and the limiter has no name.
    #[cfg(feature = "redis")]
    #[error("it is shared through redis by its name, and has none; give it one: `name: \"prod-chat\"`")]
    SharedNameless,

    /// The limits are shared through Redis, and the limiter is set to a manual clock.
    #[cfg(feature = "redis")]
    #[error("limits shared through redis run on the server's clock; leave the manual clock out")]
    SharedClock,

    /// The limits are shared through Redis, and there are more than 8.
    #[cfg(feature = "redis")]
    #[error("it has {0} limits, and at most 8 can be shared through redis; leave some out")]
    TooManyShared(usize),

    /// A shared limit for which the largest call would take more than 52 days.
    #[cfg(feature = "redis")]
    #[error(
        "the limit of {0} is too slow to be shared through redis: its largest call would take more than 52 days; \
         shorten the period or the burst"
    )]
    TooSlowToShare(Limit),

    /// The settings of the limiter's Redis are wrong.
    #[cfg(feature = "redis")]
    #[error("its redis cannot be used: {0}")]
    Redis(Cow<'static, str>),

    /// An expression of the declaration failed, for example because an environment variable is not
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
    /// Returns the limit that is wrong, if it is a single one.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Self::ZeroRate(limit)
            | Self::RateTooLarge(limit)
            | Self::Period(limit)
            | Self::Burst { limit, .. } => Some(limit),
            #[cfg(feature = "redis")]
            Self::TooSlowToShare(limit) => Some(limit),
            _ => None,
        }
    }
}
