//! Closes a limiter: no call is admitted any more, and what has to be sent to a store is sent.
//!
//! Permits are counted only where the calls in flight are limited, since that costs every call. So
//! only there can it be waited for that all of them have come back.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::Limiter;
use super::core::{Core, Handle};
use super::limiter::unbuilt;
use crate::backend::Buckets as _;
use crate::error::AcquireError;
use crate::limits::Name;
use crate::sync::block_on;
use crate::time::Sleep;

/// The longest wait, unless the caller sets another: 10 s, which is longer than nearly every
/// failover of a store and shorter than the time that a container has to stop.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

impl<K> Limiter<K> {
    /// Closes the limiter: refuses the calls that wait, and every later one, with
    /// [`AcquireError::Closed`]. This happens at once, for all clones, and it is final. To close it
    /// again does nothing.
    ///
    /// Calls that were admitted go on, and their permits can be settled as always. If the limiter
    /// bounds its [`concurrency`](crate::Builder::concurrency), it knows which calls are in flight,
    /// and the returned [`Closing`] waits until they have ended. Any other limiter does not know,
    /// so await the calls themselves.
    ///
    /// If the limits are shared through Redis, only this process is closed. What was settled is
    /// sent as always, after 10 ms. Before a program ends, await the `Closing` when the calls are
    /// over: then everything was sent.
    ///
    /// It never blocks, so it may be called in a callback or in a waker.
    ///
    /// ```
    /// use openlimit::{AcquireError, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_minute(40_000)).build()?;
    /// let permit = limiter.acquire(400).blocking()?;
    /// let closing = limiter.close();
    /// let refusal = limiter.acquire(100).blocking().unwrap_err();
    /// assert!(matches!(refusal, AcquireError::Closed { .. }));
    /// permit.settle(120);
    /// closing.blocking()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) -> Closing {
        let limiter = self.handle().map_err(unbuilt).cloned();
        if let Ok(handle) = &limiter {
            handle.core().close();
        }
        Closing { stage: Stage::New(limiter), timeout: DEFAULT_TIMEOUT }
    }
}

/// A limiter that was closed: `.await` it or call [`blocking`](Closing::blocking) to wait for what
/// is left. Created by [`Limiter::close`](crate::Limiter::close).
///
/// The limiter is closed already. This waits for two things, and works with any runtime and with
/// none:
///
/// 1. If the limiter bounds its [`concurrency`](crate::Builder::concurrency): until no call is in
///    flight any more, or the [`timeout`](Closing::timeout) ends. That is no error.
///    [`Status::in_flight`](crate::Status::in_flight) says how many are.
/// 2. If the limits are shared through Redis: until everything that was settled before is sent, and
///    the reply is there.
///
/// # Errors
///
/// - [`AcquireError::Build`] if the declaration of the limiter is wrong.
/// - [`AcquireError::Store`] if Redis did not accept everything within the
///   [`timeout`](Closing::timeout), or at once for a problem that has to be fixed.
///
/// # Cancel safety
///
/// Dropping it at any point is safe. What is pending is then sent as always.
pub struct Closing {
    stage: Stage,
    timeout: Duration,
}

enum Stage {
    /// Not polled yet.
    New(Result<Handle, AcquireError>),
    Pending(Name, Pin<Box<dyn Future<Output = Result<(), AcquireError>> + Send + Sync>>),
}

impl Closing {
    /// Sets the longest wait, from the first poll on, on the system's clock. Default: 10 seconds.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Blocks the current thread until it is over. Needs no runtime.
    ///
    /// Do not call it on a thread that polls async tasks, since it would block all of them.
    ///
    /// # Errors
    /// The reason why Redis did not accept everything: see [`Closing`]. On a thread that calls
    /// wakers, it fails with [`AcquireError::WouldDeadlock`] if it would have to wait.
    pub fn blocking(mut self) -> Result<(), AcquireError> {
        block_on(&mut self).unwrap_or_else(|| {
            let Stage::Pending(limiter, _) = self.stage else { unreachable!("it was polled") };
            Err(AcquireError::WouldDeadlock { limiter })
        })
    }
}

impl Future for Closing {
    type Output = Result<(), AcquireError>;

    /// # Panics
    /// Panics if it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let timeout = self.timeout;
        if let Stage::New(limiter) = &self.stage {
            let name = match limiter {
                Ok(handle) => handle.core().plan.name().clone(),
                Err(error) => error.limiter().clone(),
            };
            let limiter = limiter.clone();
            let sent = Box::pin(async move {
                let (limiter, begun) = (limiter?, Instant::now());
                limiter.core().land(timeout).await;
                limiter.core().flush(timeout.saturating_sub(begun.elapsed())).await
            });
            self.stage = Stage::Pending(name, sent);
        }
        match &mut self.stage {
            Stage::Pending(_, sent) => sent.as_mut().poll(context),
            Stage::New(_) => unreachable!("it was just replaced"),
        }
    }
}

impl fmt::Debug for Closing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closing").finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn close(&self) {
        self.update(|state, now, _| state.admission.close(now));
    }

    /// Waits until no call is in flight, if they are counted, for at most `within`.
    async fn land(&self, within: Duration) {
        let mut sleep = Sleep::new(within);
        let poll = |context: &mut Context<'_>| {
            // Cloned and dropped without the lock.
            let mut waker = Some(context.waker().clone());
            let has_landed = self.lock().is_none_or(|mut state| state.admission.has_landed(&mut waker));
            if has_landed { Poll::Ready(()) } else { Pin::new(&mut sleep).poll(context) }
        };
        poll_fn(poll).await;
    }

    /// Sends everything that is pending to the store, and waits for its reply for at most `within`.
    pub(super) async fn flush(&self, within: Duration) -> Result<(), AcquireError> {
        let begun = self.time.now();
        let away = || self.lock().and_then(|state| state.admission.backend.store()?.error);
        self.driver.flush(|| self.as_served(), away, within).await.map_err(|error| {
            let waited = Duration::from_nanos(self.time.now().saturating_sub(begun));
            AcquireError::Store { limiter: self.plan.name().clone(), waited, error }
        })
    }
}
