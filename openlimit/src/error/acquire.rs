//! `AcquireError`: why a call was not admitted. And `FromAcquireError`: how a function returns it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::duration::short;
use super::{BuildError, ParamsError, StoreError};
use crate::limits::{Dimension, Limit, Name};

/// The error of a call that was not admitted. Nothing was taken from any limit.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The call asks for more than the limit gives in a whole period, so it could never be admitted.
    #[error(
        "limiter `{limiter}` can never admit a call of {cost} {dimension}: its limit of {limit} allows at most \
         {most} for one call; make the request smaller or raise the limit"
    )]
    TooLarge {
        /// The dimension that the call asks too much of.
        dimension: Dimension,
        /// The amount that the call asks for.
        cost: u64,
        /// The most that one call may take: the limit's amount, or its burst if that is larger.
        most: u64,
        /// The limit that refused the call.
        limit: Limit,
        /// The limiter's name.
        limiter: Name,
    },

    /// The call would have to wait for longer than its [`timeout`](crate::Acquire::timeout).
    ///
    /// It fails at once if that is known when it arrives, and when the timeout ends otherwise.
    #[error(
        "limiter `{limiter}` cannot admit the call within its timeout of {}: the limit of {limit} asks for a wait \
         of at least {}; allow more time or send less",
        short(*timeout),
        short(*wait)
    )]
    Timeout {
        /// The longest wait that the call allowed.
        timeout: Duration,
        /// The time it had waited when it was refused; zero if it was refused on arrival.
        waited: Duration,
        /// The whole wait, from arrival to admission, that the call would need at least.
        wait: Duration,
        /// The limit that the call would wait for.
        limit: Limit,
        /// The limiter's name.
        limiter: Name,
    },

    /// [`try_acquire`](crate::Limiter::try_acquire) found no capacity, or found other calls waiting
    /// for it.
    #[error(
        "limiter `{limiter}` has no capacity now: the limit of {limit} asks for a wait of at least {}; \
         try again then, or `acquire`, which waits",
        short(*wait)
    )]
    WouldWait {
        /// The wait that the call would need at least, behind all calls that wait already.
        wait: Duration,
        /// The limit that the call would wait for.
        limit: Limit,
        /// The limiter's name.
        limiter: Name,
    },

    /// The cost names a dimension that the limiter does not meter.
    #[error(
        "limiter `{limiter}` has no limit for `{dimension}`; declare one, or leave `{dimension}` out of the cost{}",
        if *dimension == Dimension::Tokens {
            " (an integer counts tokens; `Cost::new()` is one request and nothing else)"
        } else {
            ""
        }
    )]
    UnknownDimension {
        /// The dimension that the cost names.
        dimension: Dimension,
        /// The limiter's name.
        limiter: Name,
    },

    /// The params cannot be read as a request of the limiter's kind.
    #[error("limiter `{limiter}` cannot price the call: {error}")]
    Params {
        /// The limiter's name.
        limiter: Name,
        /// The field that is wrong, and how.
        error: ParamsError,
    },

    /// The call has to wait, and this process has no timer thread.
    ///
    /// The thread could not be started, or it belongs to the process that this one was forked from.
    #[error(
        "limiter `{limiter}` cannot let the call wait, because its timer thread is not running: {error}; \
         a call that need not wait is still admitted"
    )]
    Timer {
        /// The limiter's name.
        limiter: Name,
        /// The reason.
        error: Arc<io::Error>,
    },

    /// The limits are shared, and the store that holds them did not decide.
    #[error("limiter `{limiter}` got no decision within {}: {error}", short(*waited))]
    Store {
        /// The limiter's name.
        limiter: Name,
        /// The time that the call waited for the decision.
        waited: Duration,
        /// The reason.
        error: StoreError,
    },

    /// The limiter could not be built. Every acquire returns this error until the program is fixed.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl AcquireError {
    /// Returns how long to wait from now on before the same call may succeed: the value for an HTTP
    /// `Retry-After`.
    ///
    /// `None` if waiting does not help.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Timeout { wait, waited, .. } => Some(wait.saturating_sub(*waited)),
            Self::WouldWait { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// Returns the name of the limiter that refused the call.
    #[must_use]
    pub fn limiter(&self) -> &Name {
        match self {
            Self::TooLarge { limiter, .. }
            | Self::Timeout { limiter, .. }
            | Self::WouldWait { limiter, .. }
            | Self::UnknownDimension { limiter, .. }
            | Self::Params { limiter, .. }
            | Self::Timer { limiter, .. }
            | Self::Store { limiter, .. } => limiter,
            Self::Build(error) => error.name(),
        }
    }

    /// Returns the limit that refused the call, or that could not be built; `None` if no single
    /// limit did.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Self::TooLarge { limit, .. } | Self::Timeout { limit, .. } | Self::WouldWait { limit, .. } => {
                Some(limit)
            }
            Self::Build(error) => error.problem().limit(),
            Self::UnknownDimension { .. } | Self::Params { .. } | Self::Timer { .. } | Self::Store { .. } => {
                None
            }
        }
    }
}

/// A return type that can carry a refusal.
///
/// A function under `#[rate_limited]` returns what this trait makes of an [`AcquireError`]. It is
/// implemented for every `Result<_, E>` with `E: From<AcquireError>`, which includes `anyhow::Result`
/// and boxed errors. Implement it for a type of your own, such as an HTTP response. `Option` and
/// `()` are left out on purpose: to swallow a refusal, write `on_error = |_| None`.
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
