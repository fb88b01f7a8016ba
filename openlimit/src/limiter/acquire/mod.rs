//! `Acquire`: a pending admission. Options first, then `.await` or `.blocking()`.
//!
//! It is a future without a generic parameter, so it can be stored and returned.
//!
//! This file has the call before its first poll. `options` has its options, and `poll` what happens
//! then.

mod options;
mod poll;

use std::fmt;

use super::core::Handle;
use super::permit::Reserved;
use super::stack::Stacked;
use crate::error::AcquireError;
use crate::limits::{Amounts, Cost};
use crate::queue::{Key, Urgency};

/// A pending admission: set options, then `.await` it or call [`blocking`](Acquire::blocking).
/// Created by [`Limiter::acquire`](crate::Limiter::acquire).
///
/// Nothing happens before it is first polled. The first poll, the call's *arrival*, admits the
/// call, refuses it, or adds it to the limiter's queue. Calls are admitted in the order of their
/// [priority](Acquire::priority), then of their arrival. The cost is read when the `Acquire` is
/// created, and it borrows nothing.
///
/// It works with any runtime and with none. A call in the queue is admitted when it is due, even if
/// its task is not polled, and the [`Permit`](crate::Permit) is kept for it.
///
/// # Errors
///
/// At the first poll, without a wait:
///
/// - [`TooLarge`](AcquireError::TooLarge) if the cost is more than a limit ever allows to one call.
/// - [`UnknownDimension`](AcquireError::UnknownDimension) if the cost names a dimension that the
///   limiter does not meter.
/// - [`Params`](AcquireError::Params) if the request cannot be priced, or an integer cost is
///   negative.
/// - [`Timeout`](AcquireError::Timeout) if the wait is known to be longer than the
///   [`timeout`](Acquire::timeout), or to end after the [`deadline`](Acquire::deadline).
/// - [`Timer`](AcquireError::Timer) if the call has to wait and the timer thread is not running.
/// - [`Held`](AcquireError::Held) if the limiter is on hold for longer than the timeout.
/// - [`TooManyKeys`](AcquireError::TooManyKeys) if it is of a new key of a
///   [`Keyed`](crate::Keyed), and too many keys are in use.
/// - [`Build`](AcquireError::Build) if the declaration of the limiter is wrong.
///
/// After a wait:
///
/// - [`Timeout`](AcquireError::Timeout) if the timeout ended, or if the wait has become longer than
///   it.
/// - [`TooManyInFlight`](AcquireError::TooManyInFlight) if the timeout ended and as many calls are
///   in flight as the [concurrency](crate::Builder::concurrency) allows.
///
/// On arrival or after a wait:
///
/// - [`Closed`](AcquireError::Closed) if the limiter was [closed](crate::Limiter::close).
/// - [`TooLarge`](AcquireError::TooLarge) if a limit was [updated](crate::Limiter::update), and the
///   call can never fit any more.
/// - [`QueueFull`](AcquireError::QueueFull) if too many calls wait:
///   [`max_waiting`](crate::Builder::max_waiting).
/// - [`Exhausted`](AcquireError::Exhausted) if the provider said that a quota is used up.
///
/// The same, for limits that are shared through Redis:
///
/// - [`Store`](AcquireError::Store) if Redis did not decide about the call.
///
/// # Cancel safety
///
/// Dropping it at any point is safe and costs nothing. The call leaves the queue, and if it had
/// been admitted already, what it was granted is given back. So it can be used in `tokio::select!`
/// or under a runtime's own timeout. A new `Acquire` starts at the end of the queue.
///
/// # Examples
///
/// ```
/// use openlimit::{Cost, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder().tokens(Rate::per_minute(40_000)).build()?;
/// let permit = limiter
///     .acquire(Cost::new().tokens(900))
///     .timeout(Duration::from_secs(5))
///     .await?;
/// drop(permit);
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is acquired until it is awaited, or `.blocking()` is called"]
pub struct Acquire {
    /// `None` once it is ready. Nearly every call is ready when it is dropped, and then one
    /// comparison is all that its end takes.
    stage: Option<Stage>,
    urgency: Urgency,
}

/// How far a call is.
enum Stage {
    /// Refused before it was polled.
    Failed(Box<AcquireError>),
    /// Not polled yet. It has few amounts and takes the quick way.
    New(Handle, [u64; Amounts::FEW]),
    /// Not polled yet, and does not take the quick way. The box becomes the permit.
    Boxed(Box<Reserved>),
    /// In the queue, or admitted from it and not polled since.
    Waiting(Handle, Key),
    /// Of several limiters.
    Stacked(Stacked),
}

impl Acquire {
    /// Creates a call of this cost.
    #[inline(always)]
    pub(super) fn new(handle: &Handle, cost: &Cost) -> Self {
        Self::at(match handle.core().plan.resolve_few(cost) {
            Some(few) => Stage::New(handle.clone(), few),
            None => match any(handle, cost) {
                Ok(call) => Stage::Boxed(call),
                Err(error) => Stage::Failed(error),
            },
        })
    }

    #[inline(always)]
    fn at(stage: Stage) -> Self {
        Self { stage: Some(stage), urgency: Urgency::default() }
    }

    /// Creates a call of several limiters.
    pub(super) fn stacked(call: Stacked) -> Self {
        Self::at(Stage::Stacked(call))
    }

    /// Creates another call of the same cost and options. Returns `None` if this one is refused or
    /// was polled.
    pub(crate) fn again(&self) -> Option<Self> {
        let stage = match self.stage.as_ref()? {
            Stage::New(handle, few) => Stage::New(handle.clone(), *few),
            Stage::Boxed(call) => Stage::Boxed(Reserved::of(call.handle.clone(), call.charged.grant.clone())),
            Stage::Stacked(Stacked::New(levels)) => Stage::Stacked(Stacked::New(levels.clone())),
            Stage::Failed(_) | Stage::Waiting(..) | Stage::Stacked(_) => return None,
        };
        Some(Self { stage: Some(stage), urgency: self.urgency })
    }

    /// Creates a call that is refused at its first poll.
    #[inline(always)]
    pub(super) fn failed(error: AcquireError) -> Self {
        Self::at(Stage::Failed(boxed(error)))
    }
}

/// Prepares a call of any cost.
#[inline(never)]
fn any(handle: &Handle, cost: &Cost) -> Result<Box<Reserved>, Box<AcquireError>> {
    let plan = &handle.core().plan;
    let grant = plan.grant(plan.now().resolve(cost)?, cost);
    Ok(Reserved::of(handle.clone(), grant))
}

#[cold]
#[inline(never)]
fn boxed(error: AcquireError) -> Box<AcquireError> {
    Box::new(error)
}

impl Drop for Acquire {
    #[inline]
    fn drop(&mut self) {
        if let Some(Stage::Waiting(handle, key)) = &self.stage {
            handle.core().leave(*key);
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Some(Stage::Failed(_)) => "failed",
            Some(Stage::New(..) | Stage::Boxed(..) | Stage::Stacked(Stacked::New(_))) => "new",
            Some(Stage::Waiting(..) | Stage::Stacked(Stacked::Waiting(_))) => "waiting",
            Some(Stage::Stacked(Stacked::Done)) | None => "done",
        };
        f.debug_struct("Acquire").field("state", &stage).finish_non_exhaustive()
    }
}
