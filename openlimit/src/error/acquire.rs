//! `AcquireError`: the reason why a call was not admitted.
//!
//! One enum serves `acquire`, `try_acquire` and the attribute, so a caller handles a refusal in one
//! place. Each variant carries the limiter's name, since a program often has several limiters.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::duration::short;
use super::{BuildError, ParamsError, StoreError};
use crate::limits::{Dimension, Limit, Name};

/// The error of a call that was not admitted. Nothing was taken from any limit.
///
/// [`limiter`](Self::limiter) and [`limit`](Self::limit) say where the call was refused, and
/// [`retry_after`](Self::retry_after) when the same call may succeed. All durations are on the
/// limiter's clock. Messages round them up.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcquireError {
    /// The call asks for more than the limit ever allows to one call, so it can never be admitted.
    #[error(
        "limiter `{limiter}` can never admit a call of {}: its limit of {limit} allows at most {} for one call; \
         make the request smaller or raise the limit",
        dimension.quantity(*cost),
        dimension.count(*most)
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

    /// The call would have to wait for longer than its [`timeout`](crate::Acquire::timeout), or
    /// until after its [`deadline`](crate::Acquire::deadline).
    ///
    /// It fails as soon as that is known: on arrival, or later if the queue moves back, and at the
    /// latest when the time ends.
    #[error(
        "limiter `{limiter}` cannot admit the call within its timeout of {}: the limit of {limit} requires a \
         wait of at least {}; allow more time or send less",
        short(*timeout),
        short(*wait)
    )]
    Timeout {
        /// The longest wait that the call allowed, from its arrival on.
        timeout: Duration,
        /// The time that it had waited when it was refused; zero if it was refused on arrival.
        waited: Duration,
        /// A lower bound on the whole wait, from arrival to admission.
        wait: Duration,
        /// The limit that the call would wait for.
        limit: Limit,
        /// The limiter's name.
        limiter: Name,
    },

    /// As many calls wait as [`max_waiting`](crate::Builder::max_waiting) allows.
    ///
    /// It fails on arrival, or later if a call that arrives takes its place:
    /// [`Overflow`](crate::Overflow) says which one is refused.
    #[error(
        "limiter `{limiter}` has no place in its queue for the call: {waiting} calls wait, `max_waiting` allows no \
         more, and another one would wait for at least {}; try again after that, or send fewer calls",
        short(*wait)
    )]
    QueueFull {
        /// The number of calls in the queue.
        waiting: usize,
        /// The time that the call had waited when it was refused; zero if it was refused on
        /// arrival.
        waited: Duration,
        /// A lower bound on the wait, from the refusal on, of such a call behind all calls that go
        /// before it.
        wait: Duration,
        /// The limiter's name.
        limiter: Name,
    },

    /// [`try_acquire`](crate::Limiter::try_acquire) found no capacity, or found other calls in the
    /// queue.
    #[error(
        "limiter `{limiter}` has no capacity now: the limit of {limit} requires a wait of at least {}; \
         try again after that, or use `acquire`, which waits",
        short(*wait)
    )]
    WouldWait {
        /// A lower bound on the wait behind all calls that are in the queue already.
        wait: Duration,
        /// The limit that the call would wait for.
        limit: Limit,
        /// The limiter's name.
        limiter: Name,
    },

    /// The limiter is on [hold](crate::Limiter::hold), and the call may not wait for so long.
    #[error(
        "limiter `{limiter}` is on hold, and the call has to wait for at least {}: {reason}; try again after that, or \
         allow more time",
        short(wait.saturating_sub(*waited))
    )]
    Held {
        /// The time that the call had waited when it was refused; zero if it was refused on
        /// arrival.
        waited: Duration,
        /// A lower bound on the whole wait, from arrival to admission.
        wait: Duration,
        /// Why the limiter is on hold.
        reason: Arc<str>,
        /// The limiter's name.
        limiter: Name,
    },

    /// As many calls are in flight as the [concurrency](crate::Builder::concurrency) allows, and
    /// the call may not wait any longer.
    ///
    /// When one of them ends is not known. So a call whose timeout is not zero waits for it, and
    /// fails when the timeout ends.
    ///
    /// If fewer are in flight, the limiter has no limits, and a call of a [`Stack`](crate::Stack)
    /// that waits for another limiter goes first.
    #[error(
        "limiter `{limiter}` cannot admit the call{}: it has {calls} in flight and a concurrency of {most}{}; \
         try again when {}, or allow more time",
        within(*waited),
        if calls < most { ", and a call that waits for another limiter goes first" } else { "" },
        if calls < most { "it has departed" } else { "one has ended" },
    )]
    TooManyInFlight {
        /// The number of calls in flight. It is above `most` after the concurrency has adapted.
        calls: u32,
        /// The most that may be in flight now.
        most: u32,
        /// The time that the call had waited when it was refused; zero if it was refused on
        /// arrival.
        waited: Duration,
        /// The limiter's name.
        limiter: Name,
    },

    /// A quota of the account is used up, such as a budget or an amount per day, so no call is
    /// admitted and none waits.
    ///
    /// The provider said so in a refusal that was passed to
    /// [`Permit::refused`](crate::Permit::refused): that a quota is used up, or that the wait is
    /// longer than [`max_hold`](crate::Builder::max_hold). When the time is over, one call is
    /// admitted to find out if the quota is back. Until its response is known, the others are
    /// refused. If the quota is back earlier, call [`release`](crate::Limiter::release).
    #[error(
        "limiter `{limiter}` admits no calls for another {}: {reason}; raise the quota at the provider and call \
         `release`, or try again after that",
        short(*until)
    )]
    Exhausted {
        /// The time from the refusal until a call may try again.
        until: Duration,
        /// Why the limiter admits no calls.
        reason: Arc<str>,
        /// The limiter's name.
        limiter: Name,
    },

    /// The cost names a dimension that the limiter does not meter.
    ///
    /// An integer as cost names `tokens`.
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

    /// The params cannot be read as a request of the limiter's kind, an integer cost is negative,
    /// or the price of the call in dollars is not known.
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
    /// Calls that find room are still admitted.
    #[error(
        "limiter `{limiter}` cannot queue the call: the timer thread is not running: {error}; \
         a call that needs no wait is still admitted"
    )]
    Timer {
        /// The limiter's name.
        limiter: Name,
        /// The reason.
        error: Arc<io::Error>,
    },

    /// The call would block the thread that ends its wait.
    ///
    /// The timer thread, and for shared limits the driver thread, call the wakers of waiting tasks.
    /// A waker that blocks there would wait for itself, and every other call with it. If it blocks
    /// in another way, with a `block_on` of its own, there is no error, and all calls hang. So a
    /// waker has to return at once.
    #[error(
        "limiter `{limiter}` cannot block the call on this thread, which ends the waits of all calls; \
         await the call, or block on a thread of your own"
    )]
    WouldDeadlock {
        /// The limiter's name.
        limiter: Name,
    },

    /// The limiter was [closed](crate::Limiter::close), and admits no call any more.
    #[error("limiter `{limiter}` is closed and admits no calls any more")]
    Closed {
        /// The limiter's name.
        limiter: Name,
    },

    /// The limits are shared, and the store that holds them (Redis) did not decide about the call.
    #[error("limiter `{limiter}` got no decision{}: {error}", within(*waited))]
    Store {
        /// The limiter's name.
        limiter: Name,
        /// The time that the call waited for the decision; zero if it was refused on arrival.
        waited: Duration,
        /// The reason.
        error: StoreError,
    },

    /// As many keys of a [`Keyed`](crate::Keyed) as its [`max_keys`](crate::Builder::max_keys) are
    /// in use, and the call has another key.
    ///
    /// A key is in use until everything that its calls took has flowed back.
    #[error(
        "limiter `{limiter}` cannot take another key: {max_keys} are in use, which is its `max_keys`; \
         try again when some are idle, or raise `max_keys`"
    )]
    TooManyKeys {
        /// The most keys.
        max_keys: usize,
        /// The limiter's name.
        limiter: Name,
    },

    /// The declared limiter cannot be built. Every acquire returns this error, since the limiter is
    /// not built again; [`init`](crate::Limiter::init) returns it earlier.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl AcquireError {
    /// Returns how long to wait, from the refusal on, before the same call may succeed. An HTTP
    /// server can return it as `Retry-After`.
    ///
    /// It is a lower bound: other calls may take the room first. Returns `None` if waiting does not
    /// help, or if it is not known for how long.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Timeout { wait, waited, .. } | Self::Held { wait, waited, .. } => {
                Some(wait.saturating_sub(*waited))
            }
            Self::WouldWait { wait, .. } | Self::QueueFull { wait, .. } => Some(*wait),
            Self::Exhausted { until, .. } => Some(*until),
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
            | Self::QueueFull { limiter, .. }
            | Self::Held { limiter, .. }
            | Self::TooManyInFlight { limiter, .. }
            | Self::Exhausted { limiter, .. }
            | Self::UnknownDimension { limiter, .. }
            | Self::Params { limiter, .. }
            | Self::Timer { limiter, .. }
            | Self::WouldDeadlock { limiter }
            | Self::Closed { limiter }
            | Self::TooManyKeys { limiter, .. }
            | Self::Store { limiter, .. } => limiter,
            Self::Build(error) => error.name(),
        }
    }

    /// Returns the limit that refused the call, or that could not be built.
    ///
    /// Returns `None` if the error is not about a single limit.
    #[must_use]
    pub fn limit(&self) -> Option<&Limit> {
        match self {
            Self::TooLarge { limit, .. } | Self::Timeout { limit, .. } | Self::WouldWait { limit, .. } => {
                Some(limit)
            }
            Self::Build(error) => error.problem().limit(),
            Self::QueueFull { .. }
            | Self::TooManyInFlight { .. }
            | Self::Held { .. }
            | Self::Exhausted { .. }
            | Self::UnknownDimension { .. }
            | Self::Params { .. }
            | Self::Timer { .. }
            | Self::WouldDeadlock { .. }
            | Self::Closed { .. }
            | Self::TooManyKeys { .. }
            | Self::Store { .. } => None,
        }
    }
}

/// Returns the words for the time that a decision took; none if it took no time.
fn within(waited: Duration) -> String {
    if waited.is_zero() { String::new() } else { format!(" within {}", short(waited)) }
}
