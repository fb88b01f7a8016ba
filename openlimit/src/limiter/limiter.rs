//! `Limiter`: the type that programs hold, declared as a static or built at run time.
//!
//! Its type parameter says how requests are priced, and nothing below it is generic. So the core,
//! the queue and the permits exist once for all kinds of limiter.

use std::borrow::Borrow;
use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::ptr;
use std::time::Duration;

use once_cell::sync::OnceCell;

use super::building::Building;
use super::core::Handle;
use super::decide::NotAtOnce;
use super::overrides::substitute;
use super::seen::{admitted, decided, denied};
use super::{Acquire, Builder, Permit, Status};
use crate::admission::Plan;
use crate::error::{AcquireError, BuildError, BuildProblem};
use crate::limits::{Amounts, Cost};
use crate::pricing::kind::{Explicit, Price};
use crate::queue::Grant;

/// One or more limits and one queue. Each call takes its cost from all limits at once, or waits.
///
/// `K` is how calls are priced. A [`RateLimiter`] takes explicit costs. `ChatRateLimiter`,
/// `CompletionRateLimiter`, `EmbeddingRateLimiter`, `ResponsesRateLimiter`, `MessagesRateLimiter`
/// and `GenerateContentRateLimiter` can also read the cost of a call from its *params*: the request
/// that is sent to the API, any type that is `Serialize`.
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
pub struct Limiter<K>(Source<K>);

/// A limiter of explicit costs. See [`Limiter`].
pub type RateLimiter = Limiter<Explicit>;

/// A limiter that prices requests to OpenAI's chat completions. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ChatRateLimiter = Limiter<crate::pricing::kind::Chat>;

/// A limiter that prices requests to OpenAI's legacy completions. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type CompletionRateLimiter = Limiter<crate::pricing::kind::Completion>;

/// A limiter that prices requests to OpenAI's embeddings. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type EmbeddingRateLimiter = Limiter<crate::pricing::kind::Embedding>;

/// A limiter that prices requests to OpenAI's Responses. See [`Limiter`].
#[cfg(feature = "tokenizers")]
pub type ResponsesRateLimiter = Limiter<crate::pricing::kind::Responses>;

/// A limiter that prices requests to Anthropic's Messages. See [`Limiter`].
///
/// Anthropic limits input and output apart, so declare `input_tokens` and `output_tokens`. What it
/// reserves for the output: [`Builder::default_output`].
#[cfg(feature = "tokenizers")]
pub type MessagesRateLimiter = Limiter<crate::pricing::kind::Messages>;

/// A limiter that prices requests to Gemini's `generateContent` and `streamGenerateContent`. See
/// [`Limiter`].
///
/// Gemini's limit on tokens counts input only, so declare it as `input_tokens`. The model is not in
/// the request: see [`Builder::model`], and [`WithModel`](crate::tokens::WithModel) for a limiter
/// of several models.
#[cfg(feature = "tokenizers")]
pub type GenerateContentRateLimiter = Limiter<crate::pricing::kind::GenerateContent>;

/// Fills the builder of a declared limiter.
///
/// The cell names the key whose value is being computed, for the error of a value that fails.
pub(crate) type Fill<B> = fn(B, &Cell<&'static str>) -> Result<B, Box<dyn Error + Send + Sync>>;

/// The origin of the limiter's core.
enum Source<K> {
    /// A declaration, which is built once, at first use. The result is kept.
    Declared { name: &'static str, fill: Fill<Builder<K>>, built: OnceCell<Result<Handle, BuildError>> },
    /// A builder, or a clone.
    Built(Handle),
    /// A clone of a declared limiter that cannot be built.
    Failed(BuildError),
}

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

    /// Admits the call now or not at all. Never waits, and never overtakes a call that waits.
    ///
    /// On limits that are shared through Redis it uses only what this process has leased: reserved
    /// ahead, see `Redis::lease`. The first call therefore fails, and requests a lease if leases
    /// are turned on.
    ///
    /// # Errors
    /// [`AcquireError::WouldWait`] if there is no capacity or another call waits,
    /// [`AcquireError::Held`] if that is because of a hold, and
    /// [`AcquireError::TooManyInFlight`] if it is because of the calls in flight. All other errors
    /// are those that an [`Acquire`] returns at its first poll.
    #[inline(always)]
    pub fn try_acquire(&self, price: impl Price<K>) -> Result<Permit, AcquireError> {
        match self.handle() {
            Ok(handle) => match price.cost(handle.core().plan.pricing()) {
                Ok(cost) => try_now(handle, cost.borrow()),
                Err(error) => Err(denied(handle.core().plan.unpriced(error))),
            },
            Err(error) => Err(denied(unbuilt(error))),
        }
    }

    /// Returns the cost that `price` stands for, without taking it.
    ///
    /// # Errors
    /// [`AcquireError::Params`] if the request cannot be priced, and [`AcquireError::Build`] if the
    /// declaration of the limiter is wrong.
    pub fn cost(&self, price: impl Price<K>) -> Result<Cost, AcquireError> {
        let plan = self.built_plan().map_err(unbuilt)?;
        match price.cost(plan.pricing()) {
            Ok(cost) => Ok(cost.borrow().clone()),
            Err(error) => Err(plan.unpriced(error)),
        }
    }

    /// Estimates how long a call would wait if it were made now, without making it. Zero if it
    /// would be admitted at once.
    ///
    /// It is a lower bound: what is known to be in the way of a call of normal priority. A debt, a
    /// hold, calls of higher priorities and calls in flight can make the wait longer. A refund or a
    /// waiting call that leaves can make it shorter. Over Redis it is a bound by what this process
    /// knows. To decide by it, use a [`timeout`](Acquire::timeout), which acquires or refuses in
    /// one step.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_day(1)).build()?;
    /// assert_eq!(limiter.wait_for(Cost::new())?, Duration::ZERO);
    /// drop(limiter.try_acquire(Cost::new())?);
    /// assert!(limiter.wait_for(Cost::new())? > Duration::from_secs(86_000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those with which an [`Acquire`] of the same price would fail at its first poll:
    /// [`TooLarge`](AcquireError::TooLarge), [`Exhausted`](AcquireError::Exhausted),
    /// [`Closed`](AcquireError::Closed), [`Params`](AcquireError::Params),
    /// [`UnknownDimension`](AcquireError::UnknownDimension) and [`Build`](AcquireError::Build).
    pub fn wait_for(&self, price: impl Price<K>) -> Result<Duration, AcquireError> {
        let core = self.handle().map_err(unbuilt)?.core();
        match price.cost(core.plan.pricing()) {
            Ok(cost) => core.wait_for(cost.borrow()),
            Err(error) => Err(core.plan.unpriced(error)),
        }
    }

    /// Returns how many calls wait and how much is left of each limit, as of now.
    ///
    /// It takes the limiter's lock for a moment and changes nothing.
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built; or
    /// [`Forked`](crate::BuildProblem::Forked) in a child process that was forked while another
    /// thread used the limiter.
    pub fn status(&self) -> Result<Status, BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.status().ok_or_else(|| BuildError::new(core.plan.name().clone(), BuildProblem::Forked))
    }

    /// Declares a limiter, which builds itself at first use: what `limiter!` expands to.
    pub(crate) const fn declared(name: &'static str, fill: Fill<Builder<K>>) -> Self {
        Self(Source::Declared { name, fill, built: OnceCell::new() })
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
    #[inline(always)]
    pub(super) fn handle(&self) -> Result<&Handle, &BuildError> {
        if let Some(substitute) = substitute(|| self.address()) {
            return substitute;
        }
        match &self.0 {
            Source::Declared { name, fill, built } => match built.get() {
                Some(built) => built,
                None => build_declared(built, name, *fill),
            }
            .as_ref(),
            Source::Built(handle) => Ok(handle),
            Source::Failed(error) => Err(error),
        }
    }

    /// Returns an address that identifies the limiter: for a static that of the declaration, for
    /// others that of the core, which clones share.
    pub(super) fn address(&self) -> usize {
        match &self.0 {
            Source::Declared { built, .. } => ptr::from_ref(built).addr(),
            Source::Built(handle) => ptr::from_ref(handle.core()).addr(),
            Source::Failed(error) => ptr::from_ref(error).addr(),
        }
    }

    /// Returns the handle of its own core, if there is one yet, also while another limiter is in
    /// its place.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "for overrides"))]
    pub(super) fn own_handle(&self) -> Option<&Handle> {
        match &self.0 {
            Source::Declared { built, .. } => built.get()?.as_ref().ok(),
            Source::Built(handle) => Some(handle),
            Source::Failed(_) => None,
        }
    }

    fn built_plan(&self) -> Result<&Plan, &BuildError> {
        self.handle().map(|handle| &handle.core().plan.plan)
    }
}

/// Admits a call now, if its amounts are few.
#[inline(always)]
fn try_now(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    match handle.core().plan.resolve_few(cost) {
        Some(few) => match handle.core().try_now(&few) {
            Ok(charge) => Ok(admitted(Permit::at_once(handle.clone(), few, charge))),
            Err(decision) => try_slowly(handle, few, decision),
        },
        None => try_any(handle, cost),
    }
}

/// Acts on the decision about a call that the quick path did not admit.
#[inline(never)]
fn try_slowly(
    handle: &Handle,
    few: [u64; Amounts::FEW],
    decision: NotAtOnce,
) -> Result<Permit, AcquireError> {
    match decision {
        NotAtOnce::Wait(wait) => handle.core().plan.now().would_wait(&few, wait).map_err(denied),
        NotAtOnce::Granted(grant) => Ok(admitted(Permit::new(handle.clone(), *grant))),
        NotAtOnce::Refused(error) => Err(denied(*error)),
    }
}

/// Admits a call of any cost now.
#[inline(never)]
fn try_any(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let outcome = any_now(handle, cost);
    decided(outcome.as_ref());
    outcome
}

fn any_now(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let plan = &handle.core().plan;
    let amounts = plan.now().resolve(cost)?;
    let grant = Grant { lesson: plan.lesson(cost), ..Grant::at_once(amounts, 0) };
    let grant = handle.core().try_any(grant).map_err(|error| *error)?;
    Ok(Permit::new(handle.clone(), grant))
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

/// Builds a declared limiter. It lives as long as the program, so its permits need no reference
/// count.
#[cold]
#[inline(never)]
fn build_declared<'a, K>(
    built: &'a OnceCell<Result<Handle, BuildError>>,
    name: &'static str,
    fill: Fill<Builder<K>>,
) -> &'a Result<Handle, BuildError> {
    build_once(built, name, || fill_in(Builder::named(name), name, fill)?.build_core().map(Handle::forever))
}

/// Builds what was declared, unless that was done already.
pub(super) fn build_once<'a, T>(
    built: &'a OnceCell<Result<T, BuildError>>,
    name: &'static str,
    build: impl FnOnce() -> Result<T, BuildError>,
) -> &'a Result<T, BuildError> {
    let Some(building) = Building::needs(ptr::from_ref(built).addr()) else {
        // The outer build keeps its own result, so there is no place for this one. It is leaked,
        // once for each use of a limiter in its own declaration.
        let error = BuildError::new(name.into(), BuildProblem::Recursive);
        return Box::leak(Box::new(Err(error)));
    };
    let built = built.get_or_init(|| {
        building.begins();
        build()
    });
    drop(building);
    built
}

/// Fills the builder of a declared limiter.
pub(super) fn fill_in<B>(builder: B, name: &'static str, fill: Fill<B>) -> Result<B, BuildError> {
    let key = Cell::new("");
    fill(builder, &key).map_err(|error| BuildError::declared(name, key.get(), error))
}

impl<K> Limiter<K> {
    /// Returns a clone that prices calls as another kind does.
    pub(crate) fn of_kind<Other>(&self) -> Limiter<Other> {
        Limiter(match self.handle() {
            Ok(handle) => Source::Built(handle.clone()),
            Err(error) => Source::Failed(error.clone()),
        })
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
        match &self.0 {
            Source::Declared { name, built, .. } if built.get().is_none() => limiter.field("name", name),
            _ => match self.handle().map(|handle| handle.core().plan.now()) {
                Ok(plan) => limiter.field("name", plan.name()).field("limits", &plan.limits()),
                Err(error) => limiter.field("error", error),
            },
        };
        limiter.finish()
    }
}
