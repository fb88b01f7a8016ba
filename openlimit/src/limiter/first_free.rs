//! `first_free`: waits for several limiters, and takes the first grant.
//!
//! It is nothing but several [`Acquire`]s, polled by one task. A dropped `Acquire` leaves its queue
//! and gives back what it was granted. So nothing here can lose capacity, and no limiter knows of
//! it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::{Acquire, Permit};
use crate::error::{AcquireError, FirstFreeError};
use crate::sync::block_on;

/// Waits for several limiters at once, and takes the first grant: to fall back to another model,
/// key or provider instead of waiting for one.
///
/// The calls may be of limiters of any types, and of [`Stack`](crate::Stack)s. Each joins the queue
/// of its limiter when the [`FirstFree`] is first awaited, or [`blocking`](FirstFree::blocking) is
/// called. Returns the index of the call that was admitted, and its permit. All others leave their
/// queues and cost nothing. If several are admitted at the same moment, the first one in the list
/// counts, so list them by preference.
///
/// Of stacks that share a limiter, name that one last. A call that waits for a later limiter keeps
/// its place in the earlier ones, and the other calls in the list would wait behind it there.
///
/// A call that fails is left out, and the others go on. To bound the wait, give each call its
/// [`timeout`](Acquire::timeout).
///
/// A call that a full queue refused on arrival ([`QueueFull`](AcquireError::QueueFull)) arrives
/// again once all others have failed, since there may be a place by then. Its timeout counts from
/// its first arrival on. If the timeout has ended by then, it is admitted at once or not at all.
///
/// ```
/// use openlimit::{Cost, RateLimiter, first_free, limiter};
///
/// limiter! {
///     static LARGE: RateLimiter = { tokens: 1_000 / day };
///     static SMALL: RateLimiter = { tokens: 9_000 / day };
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let models = ["large", "small"];
/// for expected in ["large", "small"] {
///     let (index, permit) = first_free([LARGE.acquire(900), SMALL.acquire(900)]).await?;
///     assert_eq!(models[index], expected);
///     drop(permit);
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// [`FirstFreeError`], once it is awaited, if all calls have failed, or if there is none.
pub fn first_free(calls: impl IntoIterator<Item = Acquire>) -> FirstFree {
    FirstFree { calls: calls.into_iter().map(Ok).collect(), has_waited: false }
}

/// Several calls, of which the first that is admitted counts. Created by [`first_free`].
///
/// # Cancel safety
///
/// Dropping it at any point is safe and costs nothing, as for an [`Acquire`].
#[must_use = "nothing is acquired until it is awaited, or `.blocking()` is called"]
pub struct FirstFree {
    /// Each call, or how it failed.
    calls: Vec<Result<Acquire, Failed>>,
    /// True if a call had to wait.
    has_waited: bool,
}

/// A call that failed.
struct Failed {
    error: AcquireError,
    /// The same call anew, if a full queue refused it on arrival.
    again: Option<Acquire>,
}

impl FirstFree {
    /// Blocks the current thread until one of the calls is admitted. Needs no runtime. See
    /// [`Acquire::blocking`] for where not to use it.
    ///
    /// # Errors
    /// [`FirstFreeError`] if all calls have failed, or if there is none. On the threads that call
    /// wakers, calls that would have to wait fail at once with
    /// [`WouldDeadlock`](AcquireError::WouldDeadlock).
    pub fn blocking(mut self) -> Result<(usize, Permit), FirstFreeError> {
        block_on(&mut self).unwrap_or_else(|| {
            let calls = self.calls.drain(..);
            Err(FirstFreeError::new(
                calls
                    .map(|call| call.map_or_else(|failed| failed.error, |call| call.blocks_itself()))
                    .collect(),
            ))
        })
    }

    /// Polls all calls that have not failed. Returns the first one that is admitted.
    fn poll_calls(&mut self, context: &mut Context<'_>) -> Option<(usize, Permit)> {
        for (index, place) in self.calls.iter_mut().enumerate() {
            let Ok(call) = place else { continue };
            let again = call.again().map(Acquire::timed_from_now);
            match Pin::new(call).poll(context) {
                Poll::Ready(Ok(permit)) => return Some((index, permit)),
                Poll::Ready(Err(error)) => {
                    let again = again.filter(|_| matches!(error, AcquireError::QueueFull { .. }));
                    *place = Err(Failed { error, again });
                }
                Poll::Pending => {}
            }
        }
        None
    }

    /// Lets the calls arrive again that full queues refused on arrival.
    fn arrive_again(&mut self) {
        for call in &mut self.calls {
            if let Err(Failed { again, .. }) = call
                && let Some(again) = again.take()
            {
                *call = Ok(again);
            }
        }
    }

    fn waits(&self) -> bool {
        self.calls.iter().any(Result::is_ok)
    }
}

impl Future for FirstFree {
    type Output = Result<(usize, Permit), FirstFreeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut admitted = self.poll_calls(context);
        // If nothing has waited, the queues are as full as they were a moment ago.
        if admitted.is_none() && self.has_waited && !self.waits() {
            self.arrive_again();
            admitted = self.poll_calls(context);
        }
        if let Some(admitted) = admitted {
            // The others leave their queues now, and not when the future is dropped.
            self.calls.clear();
            return Poll::Ready(Ok(admitted));
        }
        if self.waits() {
            self.has_waited = true;
            return Poll::Pending;
        }
        let failed = self.calls.drain(..).filter_map(Result::err);
        Poll::Ready(Err(FirstFreeError::new(failed.map(|failed| failed.error).collect())))
    }
}

impl fmt::Debug for FirstFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let calls: Vec<_> =
            self.calls.iter().map(|call| call.as_ref().map_err(|failed| &failed.error)).collect();
        f.debug_struct("FirstFree").field("calls", &calls).finish()
    }
}
