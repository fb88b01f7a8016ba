//! `Flush`: a pending round trip to the store. And the option that shares a limiter through Redis.
//!
//! Everything that a limiter has for Redis alone is in this file, so that the feature has one
//! entrance into the module.

use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::core::Handle;
use super::keyed::Keyed;
use super::limiter::unbuilt;
use super::{Builder, Limiter};
use crate::backend::{Choice, Redis};
use crate::error::AcquireError;
use crate::limits::Name;
use crate::sync::block_on;

impl<K, Keys> Builder<K, Keys> {
    /// Shares the limits with every limiter of the same [name](Self::name) on the same Redis, in
    /// any process on any host. All of them must have the same limits, in any order, or those that
    /// one of them was [updated](crate::Limiter::update) to.
    ///
    /// Takes a URL (`redis://host:port`, `rediss://..`, `unix://..`), or a [`Redis`] with more
    /// options.
    ///
    /// A shared limiter is used like one in memory, with these differences:
    ///
    /// - [`try_acquire`](crate::Limiter::try_acquire) admits nothing without a
    ///   [lease](Redis::lease).
    /// - It has at most 16 limits, or 8 with a [reserve](Self::reserve). A [jitter](Self::jitter)
    ///   below 10 ms is raised to 10 ms.
    /// - Calls can fail with [`AcquireError::Store`].
    /// - [`flush`](crate::Limiter::flush) checks at start-up that the server answers, and sends it
    ///   everything before the program ends.
    pub fn redis(mut self, redis: impl Into<Redis>) -> Self {
        self.options.backend = Choice::Redis(redis.into());
        self
    }
}

impl<K> Limiter<K> {
    /// Prepares to send all pending refunds and debts to Redis. Nothing is sent until the [`Flush`]
    /// is awaited or [`blocking`](Flush::blocking) is called. It then waits for the reply, for at
    /// most `timeout` on the system's clock.
    ///
    /// Refunds and debts come from calls that were settled, cancelled or dropped. They are sent
    /// with the next calls, or after 10 ms. A program that ends earlier loses them, unless it
    /// flushes when its calls are over. On `Ok`, Redis has everything that any thread had settled
    /// before. [Leases](Redis::lease) are given back too, unless a call waits. A limiter in memory
    /// has nothing to send.
    ///
    /// A flush makes at least one round trip, even if there is nothing to send. So at start-up it
    /// checks that Redis answers, accepts the login, and has the same limits under the limiter's
    /// name. [`init`](Self::init) does not connect.
    ///
    /// ```no_run
    /// use openlimit::{RateLimiter, limiter};
    /// use std::time::Duration;
    ///
    /// limiter! {
    ///     static CHAT: RateLimiter = {
    ///         requests: 200 / minute,
    ///         tokens: 40_000 / minute,
    ///         redis: "redis://localhost:6379",
    ///         name: "prod-chat",
    ///     };
    /// }
    ///
    /// fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///     CHAT.flush(Duration::from_secs(2)).blocking()?;
    ///     CHAT.acquire(900).blocking()?.cancel();
    ///     CHAT.flush(Duration::from_secs(2)).blocking()?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    /// Those of [`Flush`], once it is awaited.
    pub fn flush(&self, timeout: Duration) -> Flush {
        Flush::new(self.handle().map_err(unbuilt), timeout)
    }
}

impl<P, K> Keyed<K, Limiter<P>> {
    /// Prepares to send all pending refunds and debts of all keys to Redis, before the program
    /// ends. All keys are flushed at the same time, within `timeout`: see [`Limiter::flush`].
    ///
    /// Keys that have nothing to send make no round trip. To check at start-up that Redis answers,
    /// flush the limiter of one key.
    ///
    /// # Errors
    /// Those of [`Flush`], once it is awaited: the first of them. The other keys are flushed all
    /// the same.
    pub fn flush(&self, timeout: Duration) -> Flush {
        let cores = match self.cores() {
            Ok(cores) => cores,
            Err(error) => return Flush::new(Err(unbuilt(error)), timeout),
        };
        let flushes = cores.in_use().into_iter().map(|core| Flush::new(Ok(&Handle::Counted(core)), timeout));
        Flush { limiter: cores.name().clone(), pending: Box::pin(all(flushes.collect())) }
    }
}

/// Runs flushes at the same time. Returns the first error.
async fn all(mut flushes: Vec<Flush>) -> Result<(), AcquireError> {
    let mut result = Ok(());
    // Each begins when it is first polled, and needs no more polls to go on.
    poll_fn(|context| {
        flushes.retain_mut(|flush| match Pin::new(flush).poll(context) {
            Poll::Ready(ended) => {
                result = mem::replace(&mut result, Ok(())).and(ended);
                false
            }
            Poll::Pending => true,
        });
        Poll::Ready(())
    })
    .await;
    for flush in flushes {
        let ended = flush.await;
        result = result.and(ended);
    }
    result
}

/// A pending flush: `.await` it or call [`blocking`](Flush::blocking). Created by
/// [`Limiter::flush`](crate::Limiter::flush) and [`Keyed::flush`](crate::Keyed::flush).
///
/// Nothing happens before it is first polled, and it borrows nothing. It works with any runtime and
/// with none.
///
/// # Errors
///
/// - [`AcquireError::Build`] if the declaration of the limiter is wrong.
/// - [`AcquireError::Store`] if Redis did not accept everything: at once for a problem that has to
///   be fixed, and otherwise when the timeout ends. It names the server and the last problem.
///
/// # Cancel safety
///
/// Dropping it at any point is safe. Refunds and debts are then sent as they would be without a
/// flush.
#[must_use = "nothing is sent until it is awaited, or `.blocking()` is called"]
pub struct Flush {
    /// The limiter's name, for errors.
    limiter: Name,
    pending: Pin<Box<dyn Future<Output = Result<(), AcquireError>> + Send + Sync>>,
}

impl Flush {
    /// Creates a flush that waits for at most `within`.
    pub(super) fn new(limiter: Result<&Handle, AcquireError>, within: Duration) -> Self {
        let name = match &limiter {
            Ok(limiter) => limiter.core().plan.name().clone(),
            Err(error) => error.limiter().clone(),
        };
        let limiter = limiter.cloned();
        let pending = Box::pin(async move { limiter?.core().flush(within).await });
        Self { limiter: name, pending }
    }

    /// Blocks the current thread until Redis has replied. Needs no runtime.
    ///
    /// Do not call it on a thread that polls async tasks, since it would block all of them. Async
    /// callers `.await` the `Flush` instead.
    ///
    /// # Errors
    /// Returns the reason why Redis did not accept everything: see [`Flush`]. On a thread that
    /// calls wakers, it fails at once with [`AcquireError::WouldDeadlock`].
    pub fn blocking(self) -> Result<(), AcquireError> {
        let limiter = self.limiter.clone();
        block_on(self).unwrap_or(Err(AcquireError::WouldDeadlock { limiter }))
    }
}

impl Future for Flush {
    type Output = Result<(), AcquireError>;

    /// # Panics
    /// Panics if it is polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.pending.as_mut().poll(context)
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flush").finish_non_exhaustive()
    }
}
