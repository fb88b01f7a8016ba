//! `Limiter`: the type that programs hold, declared as a static or built at run time.
//!
//! Its type parameter says how requests are priced, and nothing below it is generic. So the core,
//! the queue and the permits exist once for all kinds of limiter.

use std::borrow::Borrow;
use std::fmt;

use super::core::Handle;
use super::overrides::substitute;
use super::source::{Fill, Source};
use super::{Acquire, Builder};
use crate::error::{AcquireError, BuildError, BuildProblem};
use crate::limits::Cost;
use crate::pricing::kind::Price;

/// One or more limits and one queue. Each call takes its cost from all limits at once, or waits.
///
/// `K` is how calls are priced. A [`RateLimiter`](crate::RateLimiter) takes explicit costs.
/// `ChatRateLimiter`, `CompletionRateLimiter`, `EmbeddingRateLimiter`, `ResponsesRateLimiter`,
/// `MessagesRateLimiter` and `GenerateContentRateLimiter` can also read the cost of a call from its
/// *params*: the request that is sent to the API, any type that is `Serialize`.
///
/// Clones share the limits and the queue. Sync and async callers can use the same limiter, from any
/// number of threads and runtimes.
///
/// Declare a limiter with [`limiter!`](crate::limiter), or build it:
///
/// ```
/// use openlimit::{Cost, Rate, RateLimiter};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let limiter = RateLimiter::builder().requests(Rate::per_second(5)).build()?;
/// let permit = limiter.acquire(Cost::new()).blocking()?;
/// drop(permit);
/// # Ok(())
/// # }
/// ```
pub struct Limiter<K>(Source<Builder<K>, Handle>);

impl<K> Limiter<K> {
    /// Creates a builder of a limiter of this type.
    ///
    /// Without a [name](Builder::name), errors and `Debug` call the limiter `unnamed`.
    pub fn builder() -> Builder<K> {
        Builder::named("unnamed")
    }

    /// Builds a declared limiter now instead of at its first use. Does nothing if it is built
    /// already.
    ///
    /// Call it at the start of `main` to find mistakes in a declaration early. It does not connect
    /// to Redis.
    ///
    /// # Errors
    /// The problem with the declaration. The limiter is not built again: every later acquire
    /// returns the same error.
    pub fn init(&self) -> Result<(), BuildError> {
        self.handle().map(|_| ()).map_err(Clone::clone)
    }

    /// Prepares a call that waits until the limits have room for it. Nothing is acquired until the
    /// [`Acquire`] is awaited or [`blocking`] is called.
    ///
    /// `price` is a [`Cost`], an integer (one request with that many tokens) or, on limiters that
    /// price requests, a reference to the request. The cost is read here, and the `Acquire` borrows
    /// nothing.
    ///
    /// # Errors
    /// All errors come from the [`Acquire`], which lists them.
    ///
    /// [`blocking`]: Acquire::blocking
    #[inline(always)]
    pub fn acquire(&self, price: impl Price<K>) -> Acquire {
        match self.handle() {
            Ok(handle) => match price.cost(handle.core().plan.pricing()) {
                Ok(cost) => Acquire::new(handle, cost.borrow()),
                Err(error) => Acquire::failed(handle.core().plan.unpriced(error)),
            },
            Err(error) => Acquire::failed(unbuilt(error)),
        }
    }

    /// Returns the cost that `price` stands for, without taking it.
    ///
    /// # Errors
    /// [`AcquireError::Params`] if the request cannot be priced, and [`AcquireError::Build`] if the
    /// declaration of the limiter is wrong.
    pub fn cost(&self, price: impl Price<K>) -> Result<Cost, AcquireError> {
        self.with_cost(price, |_, cost| Ok(cost.clone()))
    }

    /// Declares a limiter, which builds itself at first use: what `limiter!` expands to.
    pub(crate) const fn declared(name: &'static str, fill: Fill<Builder<K>>) -> Self {
        Self(Source::declared(name, fill))
    }

    /// Creates a limiter around a core that is built.
    pub(super) fn built(handle: Handle) -> Self {
        Self(Source::Built(handle))
    }

    /// Creates a limiter that could not be built.
    pub(super) fn failed(error: BuildError) -> Self {
        Self(Source::Failed(error))
    }

    /// Returns the handle of the core. Builds a declared limiter if this is its first use.
    ///
    /// A declared limiter lives as long as the program, so its handles need no reference count.
    #[inline(always)]
    pub(super) fn handle(&self) -> Result<&Handle, &BuildError> {
        if let Some(substitute) = substitute(|| self.address()) {
            return substitute;
        }
        self.0.get(Builder::named, |builder| builder.build_core().map(Handle::forever))
    }

    /// Returns an address that identifies the limiter, and its clones unless it was declared.
    pub(super) fn address(&self) -> usize {
        self.0.address(Handle::core)
    }

    /// Returns the handle of its own core, if there is one yet, also while another limiter is in
    /// its place.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "for overrides"))]
    pub(super) fn own_handle(&self) -> Option<&Handle> {
        self.0.known()?.ok()
    }

    /// Prices a call, and passes its cost on. It is not for the quick paths, which are inlined as a
    /// whole.
    pub(super) fn with_cost<T>(
        &self,
        price: impl Price<K>,
        act: impl FnOnce(&Handle, &Cost) -> Result<T, AcquireError>,
    ) -> Result<T, AcquireError> {
        let handle = self.handle().map_err(unbuilt)?;
        let plan = &handle.core().plan;
        match price.cost(plan.pricing()) {
            Ok(cost) => act(handle, cost.borrow()),
            Err(error) => Err(plan.unpriced(error)),
        }
    }

    /// Returns a clone that prices calls as another kind does.
    pub(crate) fn of_kind<Other>(&self) -> Limiter<Other> {
        Limiter(self.handle().cloned().map_err(Clone::clone).into())
    }
}

/// Returns the error of a call on a limiter that cannot be built.
#[cold]
#[inline(never)]
pub(super) fn unbuilt(error: &BuildError) -> AcquireError {
    match error.problem() {
        BuildProblem::TooManyKeys(max_keys) => {
            AcquireError::TooManyKeys { max_keys: *max_keys, limiter: error.name().clone() }
        }
        _ => error.clone().into(),
    }
}

impl<K> Clone for Limiter<K> {
    fn clone(&self) -> Self {
        self.of_kind()
    }
}

impl<K> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limiter = f.debug_struct("Limiter");
        match self.0.known() {
            None => limiter.field("name", &self.0.declared_name()),
            Some(_) => match self.handle().map(|handle| handle.core().plan.now()) {
                Ok(plan) => limiter.field("name", plan.name()).field("limits", &plan.limits()),
                Err(error) => limiter.field("error", error),
            },
        };
        limiter.finish()
    }
}
