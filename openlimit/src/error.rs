//! The two errors: `AcquireError`, why a call was not admitted, and `BuildError`, why a limiter cannot be.
//!
//! Each names what was wrong, the value, the limit, and what to do about it.

use std::borrow::Cow;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::{Dimension, Limit, Name, Rate};

/// Why a call was not admitted. Nothing was taken from any limit.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The call asks for more than the limit gives in a whole period, so it could never be admitted.
    #[error(
        "limiter `{limiter}` can never admit a call of {cost} {dimension}: its limit of {limit} allows one of {most} \
         at the most; make the request smaller or raise the limit"
    )]
    TooLarge {
        /// What it asks too much of.
        dimension: Dimension,
        /// How much it asks for.
        cost: u64,
        /// The most that one call may take: the limit's amount, or its burst where that is larger.
        most: u64,
        /// The limit that allows no more.
        limit: Limit,
        /// The limiter that refused it.
        limiter: Name,
    },

    /// The call had to wait longer than its [`timeout`](crate::Acquire::timeout): either that much was known
    /// when it arrived, and it failed at once, or the time is over.
    #[error(
        "limiter `{limiter}` cannot admit the call within the timeout of {timeout:?}: its limit of {limit} asks \
         for a wait of at least {wait:?}; allow more time or send less"
    )]
    Timeout {
        /// The longest wait that the call allowed.
        timeout: Duration,
        /// How long it had waited when it was refused: nothing, if it was refused when it arrived.
        waited: Duration,
        /// How long it would have to wait altogether, from its arrival on, at least, as far as could be told then.
        wait: Duration,
        /// The limit that it waits for.
        limit: Limit,
        /// The limiter that refused it.
        limiter: Name,
    },

    /// [`try_acquire`](crate::Limiter::try_acquire) found no capacity, or others waiting for it.
    #[error(
        "limiter `{limiter}` has no capacity now: its limit of {limit} asks for a wait of at least {wait:?}"
    )]
    WouldWait {
        /// How long the call would have to wait, at least. Those who wait already are taken into account.
        wait: Duration,
        /// The limit that it would wait for.
        limit: Limit,
        /// The limiter that refused it.
        limiter: Name,
    },

    /// The cost names a dimension that the limiter does not meter.
    #[error(
        "limiter `{limiter}` has no limit for `{dimension}`; declare one, or leave `{dimension}` out of the cost"
    )]
    UnknownDimension {
        /// What the cost names.
        dimension: Dimension,
        /// The limiter's name.
        limiter: Name,
    },

    /// The params cannot be read as a request of the limiter's kind.
    #[error("limiter `{limiter}` cannot price the call: {error}")]
    Params {
        /// The limiter's name.
        limiter: Name,
        /// What is wrong with them.
        error: ParamsError,
    },

    /// The thread that times the waits could not be started, or did not come along when the process was forked, so the call
    /// cannot wait.
    #[error(
        "limiter `{limiter}` has no thread that times the waits: {error}; a call that need not wait is still admitted"
    )]
    Timer {
        /// The limiter's name.
        limiter: Name,
        /// Why not.
        error: Arc<io::Error>,
    },

    /// The limits are shared, and what holds them did not decide.
    #[cfg(feature = "redis")]
    #[error("limiter `{limiter}` has no decision after {waited:.1?}: {error}")]
    Store {
        /// The limiter's name.
        limiter: Name,
        /// How long the call waited for it.
        waited: Duration,
        /// Why there is none.
        error: crate::StoreError,
    },

    /// The limiter itself could not be built; every acquire says so until the program is mended.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl AcquireError {
    /// How long to wait from now on before the same call may succeed, where more time would help: what a web service
    /// puts into `Retry-After`. `None` for an error that time does not mend.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Timeout { wait, waited, .. } => Some(wait.saturating_sub(*waited)),
            Self::WouldWait { wait, .. } => Some(*wait),
            _ => None,
        }
    }
}

/// Params that are not a request which the limiter can price.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read `{field}` of the params: {problem}")]
pub struct ParamsError {
    field: Cow<'static, str>,
    problem: Cow<'static, str>,
}

impl ParamsError {
    #[cfg_attr(not(feature = "tokenizers"), allow(dead_code, reason = "only requests are priced"))]
    pub(crate) fn new(field: impl Into<Cow<'static, str>>, problem: impl Into<Cow<'static, str>>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }

    /// The field that is missing or of the wrong shape.
    #[must_use]
    pub fn field(&self) -> &str {
        &self.field
    }
}

/// Why a limiter cannot be built.
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

    /// What a declaration's own expression failed with, or the build it led to.
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

    /// The limiter's name.
    #[must_use]
    pub fn limiter(&self) -> &str {
        &self.limiter
    }

    /// What is wrong with it.
    #[must_use]
    pub fn problem(&self) -> &BuildProblem {
        &self.problem
    }
}

/// What is wrong with a limiter.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildProblem {
    /// It has no limits, so it would limit nothing.
    #[error("it has no limits; give it at least one, such as `requests: 200 / minute`")]
    NoLimits,

    /// It has more limits than the 64 that a limiter may have.
    #[error("it has {0} limits, and 64 is the most")]
    TooManyLimits(usize),

    /// A rate of zero.
    #[error("the limit of {0} would never admit a call; leave the dimension out if it is not limited")]
    ZeroRate(Limit),

    /// An amount above 2^63 - 1.
    #[error("the limit of {0} is above {max}, the largest amount", max = i64::MAX)]
    RateTooLarge(Limit),

    /// A period of nothing, or of more than 31 days.
    #[error("the limit of {0} has a period outside of 1 ns to 31 days")]
    Period(Limit),

    /// A burst of nothing, or of more than 31 days.
    #[error(
        "a burst of {burst:?} for the limit of {limit} is outside of 1 ns to 31 days; \
         leave it out for the default"
    )]
    Burst {
        /// The limit.
        limit: Limit,
        /// The burst, as time.
        burst: Duration,
    },

    /// A burst for limits with a period of up to a minute, of which there are none.
    #[error(
        "its burst of {0:?} is for limits per minute or less, and it has none that does not state its own; \
         give it to the rate: `Rate::per_hour(1_000).burst(..)`"
    )]
    UnusedBurst(Duration),

    /// A headroom of everything or more.
    #[error("a headroom of {0} % leaves nothing of the rate; give less than 100")]
    Headroom(u8),

    /// A dimension without a name.
    #[error("the limit of {0} counts something without a name")]
    NamelessDimension(Rate),

    /// Its limits are shared, and it has no name of its own.
    #[cfg(feature = "redis")]
    #[error("it is shared through redis by its name, and has none; give it one: `name: \"prod-chat\"`")]
    SharedNameless,

    /// Its limits are shared, and its clock is moved by hand.
    #[cfg(feature = "redis")]
    #[error("it is shared through redis, which has a clock of its own, and cannot run on a manual clock")]
    SharedClock,

    /// It has more limits than the 8 that a shared limiter may have.
    #[cfg(feature = "redis")]
    #[error("it has {0} limits, and 8 is the most for one that is shared through redis")]
    TooManyShared(usize),

    /// A shared limit at which the largest call takes more than 52 days.
    #[cfg(feature = "redis")]
    #[error(
        "the limit of {0} is too slow to be shared through redis: its largest call would take more than 52 days"
    )]
    TooSlowToShare(Limit),

    /// Its Redis cannot be used as it is given.
    #[cfg(feature = "redis")]
    #[error("its redis cannot be used: {0}")]
    Redis(Cow<'static, str>),

    /// An expression of the declaration failed, say because an environment variable is not set.
    #[error("the value of `{key}` failed: {error}")]
    Declaration {
        /// The key whose value it is.
        key: &'static str,
        /// What the expression failed with.
        error: Arc<dyn Error + Send + Sync>,
    },
}

/// A return type that has a place for a refusal.
///
/// A function under `#[rate_limited]` returns what this trait makes of an [`AcquireError`]. It is implemented
/// for every `Result<_, E>` with `E: From<AcquireError>` (so for `anyhow::Result`, and for a boxed error), and
/// can be implemented for a type of your own, such as an HTTP response. `Option` and `()` are left out on
/// purpose: to swallow a refusal, say so with `on_error = |_| None`.
#[diagnostic::on_unimplemented(
    message = "a refused call cannot be returned as `{Self}`",
    label = "this return type has no place for an `openlimit::AcquireError`",
    note = "return a `Result<_, E>` whose error implements `From<openlimit::AcquireError>`",
    note = "or say what to return instead: `on_error = |error| ..`"
)]
pub trait FromAcquireError {
    /// Turns the refusal into the function's result.
    fn from_acquire_error(error: AcquireError) -> Self;
}

// Not recommended, so that rustc reports an error type without the `From` as above.
#[diagnostic::do_not_recommend]
impl<T, E: From<AcquireError>> FromAcquireError for Result<T, E> {
    fn from_acquire_error(error: AcquireError) -> Self {
        Err(E::from(error))
    }
}
