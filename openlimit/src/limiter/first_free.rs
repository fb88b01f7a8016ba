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
    FirstFree { calls: calls.into_iter().map(Ok).collect() }
}

/// Several calls, of which the first that is admitted counts. Created by [`first_free`].
///
/// # Cancel safety
///
/// Dropping it at any point is safe and costs nothing, as for an [`Acquire`].
#[must_use = "nothing is acquired until it is awaited, or `.blocking()` is called"]
pub struct FirstFree {
    /// Each call, or the error with which it failed.
    calls: Vec<Result<Acquire, AcquireError>>,
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
                calls.map(|call| call.map_or_else(|error| error, |call| call.blocks_itself())).collect(),
            ))
        })
    }
}

impl Future for FirstFree {
    type Output = Result<(usize, Permit), FirstFreeError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut waits = false;
        for index in 0..self.calls.len() {
            let Ok(call) = &mut self.calls[index] else { continue };
            match Pin::new(call).poll(context) {
                Poll::Ready(Ok(permit)) => {
                    // The others leave their queues now, and not when the future is dropped.
                    self.calls.clear();
                    return Poll::Ready(Ok((index, permit)));
                }
                Poll::Ready(Err(error)) => self.calls[index] = Err(error),
                Poll::Pending => waits = true,
            }
        }
        if waits {
            return Poll::Pending;
        }
        Poll::Ready(Err(FirstFreeError::new(self.calls.drain(..).filter_map(Result::err).collect())))
    }
}

impl fmt::Debug for FirstFree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstFree").field("calls", &self.calls).finish()
    }
}
