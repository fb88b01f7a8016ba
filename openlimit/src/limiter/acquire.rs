//! `Acquire`: a pending admission. Options first, then `.await` or `.blocking()`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::Permit;
use super::core::Handle;
use super::decide::Decision;
use crate::error::AcquireError;
use crate::limits::{Amounts, Cost};
use crate::queue::Key;
use crate::sync::block_on;
use crate::time::nanos;

/// A call that asks to be admitted: add options, then `.await` it or call [`blocking`](Acquire::blocking).
///
/// It borrows nothing, and nothing happens before it is first polled: then it is admitted at once or takes its
/// place in the queue. It needs no particular runtime, nor any.
///
/// # Errors
///
/// Awaited or blocked on, it ends in a [`Permit`] or in an [`AcquireError`]. At its first poll, without a wait, come
///
/// - [`TooLarge`](AcquireError::TooLarge) and [`UnknownDimension`](AcquireError::UnknownDimension) for a cost that this
///   limiter can never admit, [`Params`](AcquireError::Params) for a request that cannot be priced;
/// - [`Build`](AcquireError::Build) where the declaration of the limiter is wrong;
/// - [`Timeout`](AcquireError::Timeout) where the wait is known to be longer than the [`timeout`](Acquire::timeout);
/// - [`Timer`](AcquireError::Timer) where it would have to wait and there is no thread to time it.
///
/// After a wait come `Timeout`, where the wait became longer, and `AcquireError::Store` (feature `redis`), where the
/// limits are shared and what holds them did not decide.
///
/// # Cancel safety
///
/// Dropping it at any point leaves the queue and gives back whatever had been granted: it costs nothing.
#[must_use = "nothing is acquired until it is awaited, or `.blocking()` is called"]
pub struct Acquire {
    stage: Stage,
    /// The longest wait in nanoseconds; the largest value for no limit.
    timeout: u64,
}

enum Stage {
    /// Refused before it could ask.
    Failed(Box<AcquireError>),
    /// Not polled yet.
    New(Handle, Amounts),
    /// In the queue, or admitted from it and not polled since.
    Waiting(Handle, Key),
    /// Over.
    Done,
}

impl Acquire {
    #[inline(always)]
    pub(super) fn new(handle: &Handle, cost: &Cost) -> Self {
        match handle.core().plan.resolve_few(cost) {
            Some(few) => Self { stage: Stage::New(handle.clone(), Amounts::Few(few)), timeout: u64::MAX },
            None => Self::any(handle, cost),
        }
    }

    /// The same for any cost.
    #[inline(never)]
    fn any(handle: &Handle, cost: &Cost) -> Self {
        match handle.core().plan.resolve(cost) {
            Ok(amounts) => Self { stage: Stage::New(handle.clone(), amounts), timeout: u64::MAX },
            Err(error) => Self::failed(error),
        }
    }

    #[cold]
    pub(super) fn failed(error: AcquireError) -> Self {
        Self { stage: Stage::Failed(Box::new(error)), timeout: u64::MAX }
    }

    /// Sets the longest wait, on the limiter's clock, from the first poll on. Default: none.
    ///
    /// If it is known on arrival that the wait will be longer, the call fails at once and never
    /// joins the queue. Otherwise it fails when the timeout ends. [`AcquireError::Timeout`] says how
    /// long the wait would have been, and for which limit. A runtime's own timeout works as well,
    /// and knows none of this. A timeout of zero admits the call at once or not at all.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = nanos(timeout);
        self
    }

    /// Waits for the admission on this thread, without a runtime.
    ///
    /// Do not call it on a thread that polls other tasks: it blocks them. Async callers `.await`
    /// instead.
    ///
    /// # Errors
    /// The reason why the call was not admitted: see [`Acquire`].
    #[inline]
    pub fn blocking(self) -> Result<Permit, AcquireError> {
        block_on(self)
    }
}

impl Future for Acquire {
    type Output = Result<Permit, AcquireError>;

    /// # Panics
    /// When polled again after it was ready, as futures do.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Stage::New(handle, Amounts::Few(few)) = &self.stage else { return self.poll_slowly(context) };
        match handle.core().arrive(few, self.timeout) {
            Decision::Admitted(charge) => {
                let few = *few;
                // The permit takes over the handle: a clone would count one up, and one down again.
                match mem::replace(&mut self.stage, Stage::Done) {
                    Stage::New(handle, _) => Poll::Ready(Ok(Permit::at_once(handle, few, charge))),
                    _ => unreachable!("it was new"),
                }
            }
            decision => self.decided(decision, context),
        }
    }
}

impl Acquire {
    /// Polls a call whose amounts are many, or which was polled before.
    #[inline(never)]
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, AcquireError>> {
        let ready = match &self.stage {
            Stage::New(handle, amounts) => {
                let decision = handle.core().arrive_any(amounts, self.timeout);
                return self.decided(decision, context);
            }
            Stage::Waiting(handle, key) => match handle.core().poll(*key, context.waker()) {
                Poll::Ready(outcome) => outcome.map(|grant| Permit::from_queue(handle.clone(), grant)),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Failed(error) => Err(error.as_ref().clone()),
            Stage::Done => panic!("an `Acquire` was polled after it was ready"),
        };
        self.stage = Stage::Done;
        Poll::Ready(ready)
    }

    /// Acts on the decision about a call that was new.
    #[inline(never)]
    fn decided(
        &mut self,
        decision: Decision,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, AcquireError>> {
        let Stage::New(handle, amounts) = mem::replace(&mut self.stage, Stage::Done) else {
            unreachable!("it was new")
        };
        match decision {
            Decision::Admitted(charge) => Poll::Ready(Ok(Permit::new(handle, amounts, charge))),
            Decision::Refused(error) => Poll::Ready(Err(*error)),
            Decision::Waits(key) => {
                self.stage = Stage::Waiting(handle, key);
                // Leaves its waker, unless it was admitted meanwhile.
                self.poll_slowly(context)
            }
        }
    }
}

impl Drop for Acquire {
    #[inline]
    fn drop(&mut self) {
        if let Stage::Waiting(handle, key) = &self.stage {
            handle.core().leave(*key);
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match &self.stage {
            Stage::Failed(_) => "failed",
            Stage::New(..) => "new",
            Stage::Waiting(..) => "waiting",
            Stage::Done => "done",
        };
        f.debug_struct("Acquire").field("state", &stage).finish_non_exhaustive()
    }
}
