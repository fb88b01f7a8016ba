//! `Flush`: a pending round trip that takes along all there is to tell. And `Flushes`, by which a session knows who waits for one.
//!
//! A batch that is under way when somebody comes says nothing of what was settled since it was begun; so it is the next one
//! that counts.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot::{Receiver, Sender, channel};

use super::StoreError;
use crate::admission::shared::undecided;
use crate::handle::Handle;
use crate::{AcquireError, block};

/// A limiter that is about to tell its Redis all there is to tell: `.await` it or call [`blocking`](Flush::blocking). See
/// [`Limiter::flush`](crate::Limiter::flush).
///
/// It borrows nothing, and nothing happens before it is first polled. It needs no particular runtime, nor any.
///
/// # Errors
///
/// - [`AcquireError::Build`] where the declaration of the limiter is wrong;
/// - [`AcquireError::Store`] where Redis did not decide: as soon as that is known to be for a reason that does not pass by
///   itself, and else when the time is over. It names the server, and what was wrong last.
///
/// # Cancel safety
///
/// Dropping it at any point is safe, and loses nothing: what there is to tell is then told as without it.
#[must_use = "nothing is told until it is awaited, or `.blocking()` is called"]
pub struct Flush(Pin<Box<dyn Future<Output = Result<(), AcquireError>> + Send + Sync>>);

impl Flush {
    pub(crate) fn new(limiter: Result<&Handle, AcquireError>, within: Duration) -> Self {
        let limiter = limiter.cloned();
        Self(Box::pin(async move {
            let limiter = limiter?;
            let Some(session) = &limiter.session else { return Ok(()) };
            let begun = limiter.time.now();
            session.flush(&limiter, within).await.map_err(|error| {
                let waited = limiter.time.now().saturating_sub(begun);
                undecided(limiter.name(), waited, &error)
            })
        }))
    }

    /// Waits on this thread, without a runtime.
    ///
    /// Do not call it on a thread that polls other tasks: it blocks them. Async callers `.await` instead.
    ///
    /// # Errors
    /// Why Redis was not told: see [`Flush`].
    pub fn blocking(self) -> Result<(), AcquireError> {
        block::on(self)
    }
}

impl Future for Flush {
    type Output = Result<(), AcquireError>;

    /// # Panics
    /// When polled again after it was ready, as futures do.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.as_mut().poll(context)
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").finish_non_exhaustive()
    }
}

/// Those who wait for a batch that was begun after they came.
#[derive(Default)]
pub(super) struct Flushes(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    /// For the next one.
    next: Vec<Sender<Result<(), StoreError>>>,
    /// For the one that is under way.
    under_way: Vec<Sender<Result<(), StoreError>>>,
}

impl Flushes {
    /// Somebody comes.
    pub(super) fn join(&self) -> Receiver<Result<(), StoreError>> {
        let (sender, receiver) = channel();
        self.0.lock().next.push(sender);
        receiver
    }

    /// Whether somebody waits who has not left.
    pub(super) fn any(&self) -> bool {
        let waiting = self.0.lock();
        waiting.next.iter().chain(&waiting.under_way).any(|sender| !sender.is_closed())
    }

    /// A batch is about to be begun. Says whether somebody waits for it.
    pub(super) fn begin(&self) -> bool {
        let waiting = &mut *self.0.lock();
        waiting.under_way.append(&mut waiting.next);
        waiting.under_way.retain(|sender| !sender.is_closed());
        !waiting.under_way.is_empty()
    }

    /// The batch was decided.
    pub(super) fn decided(&self) {
        let told = mem::take(&mut self.0.lock().under_way);
        told.into_iter().for_each(|sender| _ = sender.send(Ok(())));
    }

    /// Neither that batch nor, for now, any other will be.
    pub(super) fn failed(&self, error: &StoreError) {
        let waiting = mem::take(&mut *self.0.lock());
        let told = waiting.next.into_iter().chain(waiting.under_way);
        told.for_each(|sender| _ = sender.send(Err(error.clone())));
    }
}
