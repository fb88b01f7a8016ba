//! What only tests of programs need: a limiter without limits, and one in place of another.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::ptr;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::Limiter;
use super::builder::Declared;
use super::core::{Core, Handle};
use super::hold_times::HoldTimes;
use super::keyed::Keyed;
use super::meters::Meters;
use super::overrides::{Entry, Replaced, Substitute};
use super::plans::Planned;
use crate::admission::{Admission, Plan};
use crate::backend::{Backend, Driver};
use crate::pricing::PriceOptions;
use crate::queue::Queue;
use crate::time::Time;

/// Returns a limiter without limits. It admits every call at once, whatever its cost, and holds
/// nobody after a refusal, so that retries are made at once, too.
///
/// It prices requests as any limiter, so a request that cannot be priced fails.
///
/// ```
/// use openlimit::{ChatRateLimiter, testing};
///
/// # fn main() -> Result<(), openlimit::AcquireError> {
/// let limiter: ChatRateLimiter = testing::unlimited();
/// for _ in 0..1_000 {
///     limiter.try_acquire(1_000_000)?;
/// }
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn unlimited<K>() -> Limiter<K> {
    let time = Time::System;
    let plan = Plan::new("unlimited".into(), Vec::new(), &[], true, PriceOptions::default());
    let admission = Admission::new(Backend::nothing(), Queue::new(0), Arc::default());
    let hold_times = HoldTimes::new(None, &time);
    let planned = Planned { plan, declared: Declared::default(), max_hold: 0, meters: Meters::default() };
    let core = Core::new(Arc::new(planned), admission, Driver::None, time, hold_times);
    Limiter::built(Handle::Counted(core))
}

impl<K> Limiter<K> {
    /// Puts another limiter in the place of this one, on this thread, until the [`Override`] is
    /// dropped. Needs the feature `testing`.
    ///
    /// Whatever names this limiter then uses the other: annotated functions, `acquire`, `status`,
    /// and clones, such as the one inside a client's layer. Calls that were prepared before keep
    /// the limiter that they have. A static that was never used is not even built. Overrides can be
    /// nested, and the last one counts.
    ///
    /// A test has a thread of its own, so tests that run at the same time do not see each other's
    /// overrides. It covers all tasks of a runtime that runs on this thread, as `#[tokio::test]`
    /// does by default. For a runtime with several threads, see
    /// [`override_during`](Self::override_during).
    ///
    /// Each override keeps its limiter for as long as the program runs.
    ///
    /// ```
    /// use openlimit::{AcquireError, RateLimiter, limiter, rate_limited, testing};
    ///
    /// limiter! { static CHAT: RateLimiter = { requests: 1 / day }; }
    ///
    /// #[rate_limited(limiter = CHAT)]
    /// fn ask() -> Result<(), AcquireError> {
    ///     Ok(())
    /// }
    ///
    /// # fn main() -> Result<(), AcquireError> {
    /// let _guard = CHAT.override_with(&testing::unlimited());
    /// for _ in 0..100 {
    ///     ask()?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the override ends when the guard is dropped"]
    pub fn override_with(&self, limiter: &Self) -> Override {
        let _entry = Entry::new(self.replaced(), leaked(limiter));
        Override { _entry, _replaced: self.own_handle().cloned() }
    }

    /// Puts another limiter in the place of this one while `future` is polled, on whatever thread.
    /// See [`override_with`](Self::override_with).
    ///
    /// It does not cover tasks that the future spawns on other threads. Wrap what they run, too.
    ///
    /// ```
    /// # use openlimit::{AcquireError, Cost, RateLimiter, limiter, testing};
    /// # limiter! { static CHAT: RateLimiter = { requests: 1 / day }; }
    /// # async fn ask() -> Result<(), AcquireError> { CHAT.acquire(Cost::new()).await.map(drop) }
    /// #[tokio::test(flavor = "multi_thread")]
    /// async fn asks_twice() {
    ///     # }
    ///     # async fn example() {
    ///     let unlimited = testing::unlimited();
    ///     let asked = CHAT.override_during(&unlimited, async {
    ///         ask().await?;
    ///         ask().await
    ///     });
    ///     assert!(asked.await.is_ok());
    /// }
    /// # futures_util::FutureExt::now_or_never(example()).unwrap();
    /// ```
    pub fn override_during<F: Future>(&self, limiter: &Self, future: F) -> Overridden<F> {
        let (replaced, by) = (self.replaced(), leaked(limiter));
        Overridden { replaced, _replaced: self.own_handle().cloned(), by, future: Box::pin(future) }
    }

    fn replaced(&self) -> Replaced {
        let core = self.own_handle().map(|handle| ptr::from_ref(handle.core()).addr());
        Replaced { limiter: self.address(), core }
    }
}

impl<P, K> Keyed<K, Limiter<P>> {
    /// Puts one limiter in the place of those of all keys, on this thread, until the [`Override`]
    /// is dropped. Needs the feature `testing`. See [`Limiter::override_with`], which is for a
    /// single key: `TENANTS.of(&tenant).override_with(..)`.
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, Keyed, RateLimiter, limiter, testing};
    ///
    /// limiter! { static TENANTS: Keyed<u64, RateLimiter> = { requests: 1 / day }; }
    ///
    /// # fn main() -> Result<(), AcquireError> {
    /// let _guard = TENANTS.override_with(&testing::unlimited());
    /// for _ in 0..100 {
    ///     TENANTS.of(&7).try_acquire(Cost::new())?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use = "the override ends when the guard is dropped"]
    pub fn override_with(&self, limiter: &Limiter<P>) -> Override {
        let core = self.built().map(|cores| Arc::as_ptr(cores).addr());
        let _entry = Entry::new(Replaced { limiter: self.address(), core }, leaked(limiter));
        Override { _entry, _replaced: None }
    }
}

/// Returns what a limiter uses now, for as long as the program runs.
fn leaked<K>(limiter: &Limiter<K>) -> Substitute {
    let built = limiter.handle().cloned().map_err(Clone::clone);
    Box::leak(Box::new(built)).as_ref()
}

/// Keeps a limiter in the place of another one, until it is dropped. Returned by
/// [`Limiter::override_with`].
#[must_use = "the override ends when the guard is dropped"]
pub struct Override {
    _entry: Entry,
    /// Keeps the limiter, which is known by its address. A [`Keyed`](crate::Keyed) could forget it.
    _replaced: Option<Handle>,
}

/// A future that sees a limiter in the place of another one. Returned by
/// [`Limiter::override_during`].
#[must_use = "a future does nothing until it is awaited"]
pub struct Overridden<F> {
    replaced: Replaced,
    _replaced: Option<Handle>,
    by: Substitute,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Overridden<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let _entry = Entry::new(self.replaced, self.by);
        self.future.as_mut().poll(context)
    }
}

impl fmt::Debug for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Override").finish_non_exhaustive()
    }
}

impl<F> fmt::Debug for Overridden<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Overridden").finish_non_exhaustive()
    }
}
