//! `Limiter`: what programs hold, declared as a static or built at once.

use std::borrow::Borrow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;

use once_cell::sync::OnceCell;

use super::core::{Core, Handle};
use super::decide::{Decision, Patience};
use super::{Acquire, Builder, Permit, Status};
use crate::admission::Plan;
use crate::error::{AcquireError, BuildError};
use crate::limits::Cost;
use crate::pricing::kind::{Explicit, Price};

/// Limits that hold together: a call takes its cost from all of them at once, or waits in one queue.
///
/// `K` says how the cost of a call is found. A [`RateLimiter`] is given explicit costs; `ChatRateLimiter`,
/// `CompletionRateLimiter`, `EmbeddingRateLimiter` and `ResponsesRateLimiter` also read it from the params of
/// a request. Clones share the limits and the queue.
///
/// Declare one with [`limiter!`](crate::limiter), or build it:
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
pub struct Limiter<K>(Source<K>);

/// A limiter of explicit costs. See [`Limiter`].
pub type RateLimiter = Limiter<Explicit>;

/// A limiter that reads params as OpenAI's chat completions do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ChatRateLimiter = Limiter<crate::pricing::kind::Chat>;

/// A limiter that reads params as OpenAI's legacy completions do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type CompletionRateLimiter = Limiter<crate::pricing::kind::Completion>;

/// A limiter that reads params as OpenAI's embeddings do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type EmbeddingRateLimiter = Limiter<crate::pricing::kind::Embedding>;

/// A limiter that reads params as OpenAI's Responses do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ResponsesRateLimiter = Limiter<crate::pricing::kind::Responses>;

/// Where the limiter's core comes from.
enum Source<K> {
    /// Declared: built at first use, once; how that went is remembered.
    Declared { name: &'static str, fill: Keys<K>, built: OnceCell<Result<Handle, BuildError>> },
    /// Built, or a clone of one.
    Built(Handle),
    /// A clone of a declared limiter that cannot be built.
    Failed(BuildError),
}

/// The keys of a declaration, as calls of the builder.
///
/// The cell holds the key whose value is being computed, for the error of one that fails.
pub type Keys<K> = fn(Builder<K>, &Cell<&'static str>) -> Result<Builder<K>, Box<dyn Error + Send + Sync>>;

impl<K> Limiter<K> {
    /// Returns a builder of limiters of this type.
    ///
    /// Until it is given a [name](Builder::name), errors and `Debug` call the limiter `unnamed`.
    pub fn builder() -> Builder<K> {
        Builder::named("unnamed")
    }

    /// Builds a declared limiter now, rather than at its first use.
    ///
    /// # Errors
    /// The problem with the declaration. Every later acquire returns the same error.
    pub fn init(&self) -> Result<(), BuildError> {
        self.handle().map(|_| ()).map_err(Clone::clone)
    }

    /// Asks for admission. Nothing happens until the [`Acquire`] is awaited or [`blocking`] is
    /// called.
    ///
    /// `price` is a [`Cost`], an integer (one request with that many tokens) or, on limiters that
    /// read params, a reference to the request. It is read here, once; the `Acquire` borrows
    /// nothing.
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

    /// Admits the call now or not at all. It never waits, and overtakes no call that waits.
    ///
    /// # Errors
    /// [`AcquireError::WouldWait`] if there is no capacity, and what [`Acquire`] returns without a
    /// wait otherwise.
    #[inline(always)]
    pub fn try_acquire(&self, price: impl Price<K>) -> Result<Permit, AcquireError> {
        match self.handle() {
            Ok(handle) => match price.cost(handle.core().plan.pricing()) {
                Ok(cost) => try_now(handle, cost.borrow()),
                Err(error) => Err(handle.core().plan.unpriced(error)),
            },
            Err(error) => Err(unbuilt(error)),
        }
    }

    /// Returns what `price` would take from the limits, without taking it.
    ///
    /// # Errors
    /// [`AcquireError::Params`] for params that cannot be read, [`AcquireError::Build`] for a
    /// declared limiter that cannot be built.
    pub fn cost(&self, price: impl Price<K>) -> Result<Cost, AcquireError> {
        let plan = self.plan().map_err(unbuilt)?;
        match price.cost(plan.pricing()) {
            Ok(cost) => Ok(cost.borrow().clone()),
            Err(error) => Err(plan.unpriced(error)),
        }
    }

    /// Returns how many calls wait and what is left of each limit, as of now.
    ///
    /// # Errors
    /// The problem with the declaration of a limiter that cannot be built.
    pub fn status(&self) -> Result<Status, BuildError> {
        Ok(self.handle().map_err(Clone::clone)?.core().status())
    }

    /// A static limiter: what `limiter!` expands to.
    #[doc(hidden)]
    #[must_use]
    pub const fn __lazy(name: &'static str, fill: Keys<K>) -> Self {
        Self(Source::Declared { name, fill, built: OnceCell::new() })
    }

    pub(super) fn built(handle: Handle) -> Self {
        Self(Source::Built(handle))
    }

    #[inline(always)]
    pub(super) fn handle(&self) -> Result<&Handle, &BuildError> {
        match &self.0 {
            Source::Declared { name, fill, built } => match built.get() {
                Some(built) => built,
                None => build_once(built, name, *fill),
            }
            .as_ref(),
            Source::Built(handle) => Ok(handle),
            Source::Failed(error) => Err(error),
        }
    }

    fn plan(&self) -> Result<&Plan, &BuildError> {
        self.handle().map(|handle| &*handle.core().plan)
    }
}

#[inline(always)]
fn try_now(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let core = handle.core();
    match core.plan.resolve_few(cost) {
        Some(few) => match core.arrive(&few, Patience::None) {
            Decision::Admitted(charge) => Ok(Permit::at_once(handle.clone(), few, charge)),
            decision => Err(refused(core, decision)),
        },
        None => try_any(handle, cost),
    }
}

/// The same for any cost.
#[inline(never)]
fn try_any(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let core = handle.core();
    let amounts = core.plan.resolve(cost)?;
    match core.arrive_any(&amounts, Patience::None) {
        Decision::Admitted(charge) => Ok(Permit::new(handle.clone(), amounts, charge)),
        decision => Err(refused(core, decision)),
    }
}

#[inline(never)]
fn refused(core: &Core, decision: Decision) -> AcquireError {
    match decision {
        Decision::Refused(error) => *error,
        Decision::Waits(_) | Decision::Admitted(_) => {
            unreachable!("{} lets no such call wait", core.plan.name())
        }
    }
}

#[cold]
#[inline(never)]
pub(super) fn unbuilt(error: &BuildError) -> AcquireError {
    error.clone().into()
}

/// Builds a declared limiter, for the life of the program: its permits then need no reference count.
#[cold]
#[inline(never)]
fn build_once<'a, K>(
    built: &'a OnceCell<Result<Handle, BuildError>>,
    name: &'static str,
    fill: Keys<K>,
) -> &'a Result<Handle, BuildError> {
    built.get_or_init(|| {
        let key = Cell::new("");
        let builder = fill(Builder::named(name), &key);
        let builder = builder.map_err(|error| BuildError::declared(name, key.get(), error))?;
        Ok(Handle::forever(builder.build_core()?))
    })
}

impl<K> Clone for Limiter<K> {
    fn clone(&self) -> Self {
        Self(match self.handle() {
            Ok(handle) => Source::Built(handle.clone()),
            Err(error) => Source::Failed(error.clone()),
        })
    }
}

impl<K> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limiter = f.debug_struct("Limiter");
        match &self.0 {
            Source::Declared { name, built, .. } if built.get().is_none() => limiter.field("name", name),
            _ => match self.plan() {
                Ok(plan) => limiter.field("name", plan.name()).field("limits", &plan.limits()),
                Err(error) => limiter.field("error", error),
            },
        };
        limiter.finish()
    }
}
