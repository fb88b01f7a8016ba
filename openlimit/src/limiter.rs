//! `Limiter`: the handle that programs hold, declared as a static or built at once.

use std::borrow::Borrow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;

use once_cell::sync::OnceCell;

use crate::builder::Builder;
use crate::handle::Handle;
use crate::kind::{Explicit, Price};
use crate::{Acquire, AcquireError, BuildError, Cost, ParamsError, Permit, Status};
#[cfg(feature = "redis")]
use {crate::Flush, std::time::Duration};

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
pub type ChatRateLimiter = Limiter<crate::kind::Chat>;

/// A limiter that reads params as OpenAI's legacy completions do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type CompletionRateLimiter = Limiter<crate::kind::Completion>;

/// A limiter that reads params as OpenAI's embeddings do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type EmbeddingRateLimiter = Limiter<crate::kind::Embedding>;

/// A limiter that reads params as OpenAI's Responses do. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ResponsesRateLimiter = Limiter<crate::kind::Responses>;

/// Fills the builder of a declared limiter. The cell names the key whose value is being computed, so that the error of
/// a value that fails can name it.
pub(crate) type Fill<K> =
    fn(Builder<K>, &Cell<&'static str>) -> Result<Builder<K>, Box<dyn Error + Send + Sync>>;

/// Where the limiter's core comes from.
enum Source<K> {
    /// Declared: built at first use, once; how that went is remembered.
    Declared { name: &'static str, fill: Fill<K>, built: OnceCell<Result<Handle, BuildError>> },
    /// Built, or a clone of one.
    Built(Handle),
    /// A clone of a declared limiter that cannot be built.
    Failed(BuildError),
}

impl<K> Limiter<K> {
    /// A builder of limiters of this type. Until it is given a [name](Builder::name), errors and `Debug` call the limiter
    /// `unnamed`.
    pub fn builder() -> Builder<K> {
        Builder::named("unnamed")
    }

    /// Builds a declared limiter now, rather than at its first use.
    ///
    /// # Errors
    /// What is wrong with the declaration. Every later acquire returns the same error.
    pub fn init(&self) -> Result<(), BuildError> {
        self.core().map(|_| ()).map_err(Clone::clone)
    }

    /// Asks for an admission. Nothing happens until the [`Acquire`] is awaited, or [`blocking`] is called.
    ///
    /// `price` is a [`Cost`], an integer (one request with that many tokens) or, on limiters that read params,
    /// a reference to the request. It is read here, once; the `Acquire` borrows nothing.
    ///
    /// [`blocking`]: Acquire::blocking
    #[inline(always)]
    pub fn acquire(&self, price: impl Price<K>) -> Acquire {
        match self.core() {
            Ok(core) => match price.cost(core.pricing()) {
                Ok(cost) => Acquire::new(core, cost.borrow()),
                Err(error) => Acquire::failed(unpriced(core, error)),
            },
            Err(error) => Acquire::failed(unbuilt(error)),
        }
    }

    /// Admits the call now or not at all. It never waits, and overtakes nobody who does.
    ///
    /// # Errors
    /// [`AcquireError::WouldWait`] where there is no capacity, and what [`Acquire`] returns without a wait otherwise.
    #[inline(always)]
    pub fn try_acquire(&self, price: impl Price<K>) -> Result<Permit, AcquireError> {
        match self.core() {
            Ok(core) => match price.cost(core.pricing()) {
                Ok(cost) => core.try_admit(cost.borrow()),
                Err(error) => Err(unpriced(core, error)),
            },
            Err(error) => Err(unbuilt(error)),
        }
    }

    /// What `price` would take from the limits, without taking it.
    ///
    /// # Errors
    /// [`AcquireError::Params`] for params that cannot be read, [`AcquireError::Build`] for a declared limiter
    /// that cannot be built.
    pub fn cost(&self, price: impl Price<K>) -> Result<Cost, AcquireError> {
        let core = self.core().map_err(unbuilt)?;
        match price.cost(core.pricing()) {
            Ok(cost) => Ok(cost.borrow().clone()),
            Err(error) => Err(unpriced(core, error)),
        }
    }

    /// Who waits, and what is left of each limit, as of now.
    ///
    /// # Errors
    /// What is wrong with the declaration of a limiter that cannot be built.
    pub fn status(&self) -> Result<Status, BuildError> {
        Ok(self.core().map_err(Clone::clone)?.status())
    }

    /// Tells Redis all that it has not been told, and waits until it has heard; not longer than `timeout`, by the system's
    /// clock. Nothing happens until the [`Flush`] is awaited, or [`blocking`](Flush::blocking) is called.
    ///
    /// What calls settle, cancel and give back is told with the next calls, or after 10 ms: a program that ends sooner loses it,
    /// unless it calls this when its calls are over. On `Ok` Redis knows of everything that any thread had said by then. What
    /// is [leased](crate::Redis::lease) is given back too, unless somebody waits. A limiter in memory has nobody to tell.
    ///
    /// At least one round trip is made, even where there is nothing to tell. So this is also how a program finds out at its start
    /// whether Redis is reached, lets it in, and has the same limits under the limiter's name. [`init`](Self::init) connects to
    /// nobody.
    ///
    /// ```no_run
    /// use openlimit::{RateLimiter, limiter};
    /// use std::time::Duration;
    ///
    /// limiter! {
    ///     static CHAT: RateLimiter = {
    ///         requests: 200 / minute,
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
    #[cfg(feature = "redis")]
    pub fn flush(&self, timeout: Duration) -> Flush {
        Flush::new(self.core().map_err(unbuilt), timeout)
    }

    /// Declares a limiter, which builds itself at first use: what `limiter!` expands to.
    pub(crate) const fn declared(name: &'static str, fill: Fill<K>) -> Self {
        Self(Source::Declared { name, fill, built: OnceCell::new() })
    }

    pub(crate) fn built(handle: Handle) -> Self {
        Self(Source::Built(handle))
    }

    #[inline(always)]
    fn core(&self) -> Result<&Handle, &BuildError> {
        match &self.0 {
            Source::Declared { name, fill, built } => match built.get() {
                Some(built) => built,
                None => build_once(built, name, *fill),
            }
            .as_ref(),
            Source::Built(core) => Ok(core),
            Source::Failed(error) => Err(error),
        }
    }
}

#[cold]
#[inline(never)]
fn unbuilt(error: &BuildError) -> AcquireError {
    error.clone().into()
}

#[cold]
#[inline(never)]
fn unpriced(handle: &Handle, error: ParamsError) -> AcquireError {
    AcquireError::Params { limiter: handle.name().clone(), error }
}

/// Builds a declared limiter, for the life of the program: its permits then need no reference count.
#[cold]
#[inline(never)]
fn build_once<'a, K>(
    built: &'a OnceCell<Result<Handle, BuildError>>,
    name: &'static str,
    fill: Fill<K>,
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
        Self(match self.core() {
            Ok(core) => Source::Built(core.clone()),
            Err(error) => Source::Failed(error.clone()),
        })
    }
}

impl<K> fmt::Debug for Limiter<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut limiter = f.debug_struct("Limiter");
        match &self.0 {
            Source::Declared { name, built, .. } if built.get().is_none() => limiter.field("name", name),
            _ => match self.core() {
                Ok(core) => limiter.field("name", &core.name()).field("limits", &core.limits()),
                Err(error) => limiter.field("error", error),
            },
        };
        limiter.finish()
    }
}
