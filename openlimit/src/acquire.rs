//! `Acquire`: a pending admission. Options first, then `.await` or `.blocking()`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use crate::amounts::Amounts;
use crate::handle::Handle;
use crate::queue::Key;
use crate::time::nanos;
use crate::{AcquireError, Cost, Permit, block};

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
    state: State,
    /// The longest wait in nanoseconds; the largest value for no limit.
    timeout: u64,
}

enum State {
    /// Refused before it could ask.
    Failed(Box<AcquireError>),
    /// Not polled yet.
    New(Handle, Amounts),
    /// In the queue, or admitted from it and not told yet.
    Waiting(Handle, Key),
    /// Over.
    Done,
}

impl Acquire {
    #[inline(always)]
    pub(crate) fn new(handle: &Handle, cost: &Cost) -> Self {
        match handle.resolve_few(cost) {
            Some(few) => Self { state: State::New(handle.clone(), Amounts::Few(few)), timeout: u64::MAX },
            None => Self::any(handle, cost),
        }
    }

    /// The same for any cost.
    #[inline(never)]
    fn any(handle: &Handle, cost: &Cost) -> Self {
        match handle.resolve(cost) {
            Ok(amounts) => Self { state: State::New(handle.clone(), amounts), timeout: u64::MAX },
            Err(error) => Self::failed(error),
        }
    }

    #[cold]
    pub(crate) fn failed(error: AcquireError) -> Self {
        Self { state: State::Failed(Box::new(error)), timeout: u64::MAX }
    }

    /// The longest wait, on the limiter's clock, from the first poll on. Default: none.
    ///
    /// Where it is known on arrival that the wait will be longer, the call fails at once and never joins the
    /// queue; otherwise it fails when the time is over. [`AcquireError::Timeout`] says how long it would have
    /// been and which limit it waited for. (A runtime's own time-out works as well, and knows none of this.) A timeout
    /// of zero admits the call at once or not at all.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = nanos(timeout);
        self
    }

    /// Waits for the admission on this thread, without a runtime.
    ///
    /// Do not call it on a thread that polls other tasks: it blocks them. Async callers `.await` instead.
    ///
    /// # Errors
    /// Why the call was not admitted: see [`Acquire`].
    #[inline]
    pub fn blocking(self) -> Result<Permit, AcquireError> {
        block::on(self)
    }
}

impl Future for Acquire {
    type Output = Result<Permit, AcquireError>;

    /// # Panics
    /// When polled again after it was ready, as futures do.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let State::New(handle, Amounts::Few(few)) = &self.state
            && let Some(charge) = handle.take(few)
        {
            let few = *few;
            // The permit takes over the handle: a clone would count one up, and one down again.
            if let State::New(handle, _) = mem::replace(&mut self.state, State::Done) {
                return Poll::Ready(Ok(Permit::at_once(handle, few, charge)));
            }
        }
        self.poll_slowly(context)
    }
}

impl Acquire {
    #[inline(never)]
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, AcquireError>> {
        let this = self;
        let ready = match &this.state {
            State::New(handle, amounts) => match handle.admit(amounts, this.timeout, context.waker()) {
                Ok(outcome) => outcome,
                Err(key) => {
                    this.state = State::Waiting(handle.clone(), key);
                    return Poll::Pending;
                }
            },
            State::Waiting(handle, key) => match handle.poll(*key, context.waker()) {
                Poll::Ready(outcome) => outcome,
                Poll::Pending => return Poll::Pending,
            },
            State::Failed(error) => Err(error.as_ref().clone()),
            State::Done => panic!("an `Acquire` was polled after it was ready"),
        };
        this.state = State::Done;
        Poll::Ready(ready)
    }
}

impl Drop for Acquire {
    #[inline]
    fn drop(&mut self) {
        if let State::Waiting(handle, key) = &self.state {
            handle.leave(*key);
        }
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Failed(_) => "failed",
            State::New(..) => "new",
            State::Waiting(..) => "waiting",
            State::Done => "done",
        };
        f.debug_struct("Acquire").field("state", &state).finish_non_exhaustive()
    }
}
