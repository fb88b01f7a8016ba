//! Polls a pending call, in a task or on a blocked thread.
//!
//! The usual call, which is admitted at its first poll, runs through one inlined path: `poll` of
//! the future, or `blocking`. All others take the slower functions below it.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::{Acquire, Stage};
use crate::admission::Decided;
use crate::error::AcquireError;
use crate::limiter::Permit;
use crate::limiter::core::Handle;
use crate::limiter::permit::Reserved;
use crate::limiter::seen::{admitted, decided};
use crate::sync::block_on;

impl Future for Acquire {
    type Output = Result<Permit, AcquireError>;

    /// # Panics
    /// Panics if it is polled again after it was ready.
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(Stage::New(handle, few)) = &self.stage else { return self.poll_otherwise(None, context) };
        match handle.core().arrive(few, self.urgency) {
            Decided::Admitted(charge) => {
                let few = *few;
                // The permit takes over the handle. Cloning and dropping it would cost two atomic
                // operations.
                match self.stage.take() {
                    Some(Stage::New(handle, _)) => {
                        Poll::Ready(Ok(admitted(Permit::at_once(handle, few, charge))))
                    }
                    _ => unreachable!("it was new"),
                }
            }
            decision => self.poll_otherwise(Some(decision), context),
        }
    }
}

impl Acquire {
    /// Blocks the current thread until the call is admitted. Needs no runtime.
    ///
    /// Do not call it on a thread that polls async tasks, since it would block all of them. Async
    /// callers `.await` the `Acquire` instead.
    ///
    /// The attribute [`rate_limited`](macro@crate::rate_limited) uses this method in every function
    /// that is not `async` and does not return a future. It recognises a future by the name of its
    /// type. A function whose future hides behind a type alias (`-> MyFuture`) cannot be
    /// recognised, and blocks its thread. Write the type out, or make the function an `async fn`.
    ///
    /// # Errors
    /// The reason why the call was not admitted: see [`Acquire`]. On the threads that call wakers,
    /// a call that would have to wait fails at once with
    /// [`WouldDeadlock`](AcquireError::WouldDeadlock).
    #[inline]
    pub fn blocking(mut self) -> Result<Permit, AcquireError> {
        // Most calls are admitted at once.
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => outcome,
            Poll::Pending => self.block(),
        }
    }

    #[cold]
    #[inline(never)]
    fn block(mut self) -> Result<Permit, AcquireError> {
        block_on(&mut self).unwrap_or_else(|| Err(self.blocks_itself()))
    }

    /// Returns the error of a call that would block the thread that ends its wait.
    #[cold]
    pub(in crate::limiter) fn blocks_itself(&self) -> AcquireError {
        let limiter = match &self.stage {
            Some(Stage::Waiting(handle, _)) => Some(handle.core().plan.name().clone()),
            Some(Stage::Stacked(call)) => call.waits_for(),
            _ => None,
        };
        let Some(limiter) = limiter else { unreachable!("a pending call waits") };
        AcquireError::WouldDeadlock { limiter }
    }

    /// Polls a call that the quick way has not admitted, after the decision about it, if there is
    /// one.
    #[inline(always)]
    fn poll_otherwise(
        &mut self,
        decision: Option<Decided<Box<AcquireError>>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, AcquireError>> {
        // An error is large. As long as it is in its box, a permit is passed on in registers.
        self.poll_seen(decision, context).map_err(|error| *error)
    }

    /// Does the same, and passes the outcome on to `tracing` and `metrics`.
    #[inline(never)]
    fn poll_seen(
        &mut self,
        decision: Option<Decided<Box<AcquireError>>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, Box<AcquireError>>> {
        let outcome = match decision {
            Some(decision) => self.decided(decision, context),
            None => self.poll_slowly(context),
        };
        if let Poll::Ready(outcome) = &outcome {
            decided(outcome.as_ref().map_err(AsRef::as_ref));
        }
        outcome
    }

    /// Polls a call with many amounts, or one that was polled before.
    fn poll_slowly(&mut self, context: &mut Context<'_>) -> Poll<Result<Permit, Box<AcquireError>>> {
        let ready = match self.stage.as_mut().expect("an `Acquire` was polled after it was ready") {
            Stage::New(..) => unreachable!("it takes the quick way"),
            Stage::Boxed(call) => {
                let Reserved { handle, charged } = &mut **call;
                let decision = handle.core().arrive_any(&mut charged.grant, self.urgency);
                return self.decided(decision, context);
            }
            Stage::Waiting(handle, key) => match handle.core().poll(*key, context.waker()) {
                Poll::Ready(outcome) => {
                    outcome.map(|grant| Permit::new(handle.clone(), grant)).map_err(Box::new)
                }
                Poll::Pending => return Poll::Pending,
            },
            Stage::Stacked(call) => match call.poll(self.urgency, context) {
                Poll::Ready(ready) => ready.map_err(Box::new),
                Poll::Pending => return Poll::Pending,
            },
            Stage::Failed(error) => Err(error.clone()),
        };
        self.stage = None;
        Poll::Ready(ready)
    }

    /// Acts on the decision about a new call.
    fn decided(
        &mut self,
        decision: Decided<Box<AcquireError>>,
        context: &mut Context<'_>,
    ) -> Poll<Result<Permit, Box<AcquireError>>> {
        let Some(stage) = self.stage.take() else { unreachable!("it was new") };
        match decision {
            Decided::Admitted(charge) => Poll::Ready(Ok(stage.admitted(charge))),
            Decided::Refused(error) => Poll::Ready(Err(error)),
            Decided::Waits(key) => {
                self.stage = Some(Stage::Waiting(stage.into_handle(), key));
                // Stores its waker, unless it was admitted meanwhile.
                self.poll_slowly(context)
            }
        }
    }
}

impl Stage {
    /// Returns the permit of a new call that was admitted.
    fn admitted(self, charge: u64) -> Permit {
        match self {
            Self::New(handle, few) => Permit::at_once(handle, few, charge),
            Self::Boxed(mut call) => {
                call.charged.grant.charge = charge;
                Permit::boxed(call)
            }
            _ => unreachable!("it was new"),
        }
    }

    /// Returns the limiter of a new call.
    fn into_handle(self) -> Handle {
        match self {
            Self::New(handle, _) => handle,
            Self::Boxed(call) => call.handle.clone(),
            _ => unreachable!("it was new"),
        }
    }
}
