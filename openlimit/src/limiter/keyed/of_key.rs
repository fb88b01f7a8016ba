//! `Keyed`: what programs hold, declared as a static or built at run time.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use super::cores::Cores;
use super::options::PerKey;
use crate::error::BuildError;
use crate::limiter::core::Handle;
use crate::limiter::overrides::substitute;
use crate::limiter::source::{Fill, Source};
use crate::limiter::{Builder, Limiter};

/// A limiter for each key: for each tenant, user, API key, or model. Every key has the same limits,
/// unless [`limits`](Builder::limits) returns others.
///
/// `K` is the type of the keys, and `L` the type of the limiters, such as a `ChatRateLimiter`.
/// [`of`](Self::of) returns the limiter of a key, which is used like any other. Clones share the
/// keys.
///
/// Declare it with [`limiter!`](crate::limiter), or [build](Builder::keyed) it. Here a web service
/// keeps each of its tenants within 20 000 tokens a minute:
///
/// ```
/// # #[cfg(all(feature = "macros", feature = "tokenizers"))] mod app {
/// use openlimit::{AcquireError, ChatRateLimiter, Keyed, limiter, rate_limited};
///
/// # #[derive(serde::Serialize)] pub struct Request { model: String, messages: Vec<()> }
/// # #[derive(serde::Serialize)] pub struct Reply;
/// # async fn send(_: &Request) -> Result<Reply, AcquireError> { Ok(Reply) }
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// pub struct TenantId(u64);
///
/// limiter! {
///     /// What each tenant may use.
///     static TENANTS: Keyed<TenantId, ChatRateLimiter> = {
///         tokens: 20_000 / minute,
///         max_keys: 100_000,
///     };
/// }
///
/// #[rate_limited(limiter = TENANTS.of(tenant), params = request, feedback)]
/// pub async fn chat(tenant: &TenantId, request: &Request) -> Result<Reply, AcquireError> {
///     send(request).await
/// }
/// # }
/// ```
///
/// # When a key is forgotten
///
/// A key is forgotten when that changes nothing for its later calls:
///
/// - nothing refers to it: no [`Limiter`] that `of` returned, no call that waits, no
///   [`Permit`](crate::Permit) that could still be settled, and
/// - everything that its calls took has flowed back, and
/// - nothing was learned that would change a later call: no hold, no pace or limit of the
///   provider's other than declared, no call site with another reservation, and
/// - the limiter was neither [updated](Limiter::update) nor [closed](Limiter::close).
///
/// The counts in [`Status`](crate::Status) begin anew then, and so do the notes on which calls a
/// response can be about, which a limiter takes from its first response on. There is no background
/// work: a few keys are looked at whenever a new one comes. So at most about a third more keys are
/// known than are in use, and never more than [`max_keys`](Builder::max_keys).
///
/// # Hostile keys
///
/// Keys may come from anywhere. They are hashed with a random seed, and memory is bounded by
/// `max_keys`. When it is reached, calls of new keys are refused with
/// [`AcquireError::TooManyKeys`](crate::AcquireError::TooManyKeys) until an idle key is found, and
/// known keys are not affected. Each new key looks at 64 of the others.
///
/// # Redis
///
/// With `Builder::redis`, all processes share the limits of each key. They need a
/// [`name`](Builder::name) for all keys together, and a [`key_name`](Builder::key_name) for each.
///
/// - All keys use one connection and one thread. Each sends batches of its own, which travel
///   together. A cluster spreads the keys over its nodes.
/// - A key is forgotten by a process when it also holds no slot and no lease,
///   has sent all that was settled or cancelled, and Redis is not away. Until then it stays known.
/// - `Keyed::flush` sends what all keys have pending, before a program ends.
/// - All processes must give a key the same limits. If [`limits`](Builder::limits) returns others
///   than before, the calls of this key are refused until Redis has forgotten the old ones: see
///   "Names" at `Redis`.
/// - Redis keeps a few hundred bytes for each key that was used in the last ten minutes, or for as
///   long as its limits take to flow back twice. `max_keys` does not bound that, since a process
///   may forget a key earlier. So check who sends a key before you use it.
///
/// # Threads
///
/// Keys are spread over shards, so threads that use different keys seldom meet. `Hash` and `Clone`
/// of the key run without a lock. `Eq` runs under the lock of a shard, so it must not use the same
/// `Keyed`.
pub struct Keyed<K, L: OfKind>(Source<BuilderOf<K, L>, Arc<Cores<K>>>);

/// The types that `L` of a [`Keyed`] can be: every [`Limiter`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an openlimit limiter",
    label = "not a limiter",
    note = "`Keyed<TenantId, ChatRateLimiter>` has a `ChatRateLimiter` for each tenant"
)]
pub trait OfKind: Sealed {
    /// The kind of the limiter, which decides how it prices requests.
    type Kind;
}

impl<P> OfKind for Limiter<P> {
    type Kind = P;
}

/// Keeps the trait to this crate.
pub trait Sealed {}

impl<P> Sealed for Limiter<P> {}

/// The builder of a `Keyed`.
type BuilderOf<K, L> = Builder<<L as OfKind>::Kind, PerKey<K>>;

impl<P, K> Builder<P, PerKey<K>> {
    /// Builds the limiters. Connects to nothing, and makes no key yet.
    ///
    /// # Errors
    /// The problem with the declared limits and options, as for a single limiter. And
    /// [`NoKeys`](crate::BuildProblem::NoKeys) if [`max_keys`](Self::max_keys) is zero, and
    /// [`NamelessKeys`](crate::BuildProblem::NamelessKeys) if the limits are shared and there is no
    /// [`key_name`](Self::key_name).
    pub fn build(self) -> Result<Keyed<K, Limiter<P>>, BuildError> {
        Ok(Keyed(Source::Built(Arc::new(Cores::build(self)?))))
    }
}

impl<P, K> Keyed<K, Limiter<P>> {
    /// Builds what was declared now instead of at its first use. Does nothing if it is built
    /// already.
    ///
    /// # Errors
    /// The problem with the declaration, as for [`Limiter::init`].
    pub fn init(&self) -> Result<(), BuildError> {
        self.cores().map(|_| ()).map_err(Clone::clone)
    }

    /// Returns the limiter of a key. A new key is made.
    ///
    /// It takes the key borrowed, as a `HashMap` does: `of("anna")` for keys that are `String`. It
    /// is cheap, so call it for each call, and keep the limiter no longer than you use it: a key is
    /// not forgotten while somebody holds its limiter.
    ///
    /// It does not fail. If the limiter cannot be made, every acquire of it fails:
    ///
    /// - with [`AcquireError::TooManyKeys`](crate::AcquireError::TooManyKeys) if
    ///   [`max_keys`](Builder::max_keys) keys are in use, and
    /// - with [`AcquireError::Build`](crate::AcquireError::Build) if the declaration is wrong, or
    ///   the function [`limits`](Builder::limits) panicked or returned limits that are not valid.
    pub fn of<Q>(&self, key: &Q) -> Limiter<P>
    where
        K: Borrow<Q> + Eq,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        if let Some(substitute) = substitute(|| self.address()) {
            return match substitute {
                Ok(handle) => Limiter::built(handle.clone()),
                Err(error) => Limiter::failed(error.clone()),
            };
        }
        match self.cores().map_err(Clone::clone).and_then(|cores| cores.of(key)) {
            Ok(core) => Limiter::built(Handle::Counted(core)),
            Err(error) => Limiter::failed(error),
        }
    }

    /// Closes the limiters of all keys, those that come later included, as
    /// [`Limiter::close`](crate::Limiter::close) closes one. Does nothing if the declaration is
    /// wrong.
    ///
    /// For a graceful shutdown, await the calls after that, and then, if the limits are shared
    /// through Redis, `Keyed::flush`.
    ///
    /// ```
    /// use openlimit::{AcquireError, Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tenants = RateLimiter::builder().tokens(Rate::per_day(1_000)).keyed::<String>().build()?;
    /// let permit = tenants.of("anna").try_acquire(900)?;
    /// tenants.close();
    /// permit.settle(700);
    /// for tenant in ["anna", "berta"] {
    ///     let refusal = tenants.of(tenant).try_acquire(100).unwrap_err();
    ///     assert!(matches!(refusal, AcquireError::Closed { .. }));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn close(&self) {
        if let Ok(cores) = self.cores() {
            cores.close();
        }
    }

    /// Returns the number of keys that are known: those in use, and those that are not forgotten
    /// yet.
    pub fn len(&self) -> usize {
        self.cores().map_or(0, |cores| cores.len())
    }

    /// Returns true if no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Declares a limiter for each key: what `limiter!` expands to.
    pub(crate) const fn declared(name: &'static str, fill: Fill<Builder<P, PerKey<K>>>) -> Self {
        Self(Source::declared(name, fill))
    }

    /// Returns an address that identifies it: for a static that of the declaration, for others that
    /// of the cores, which clones share.
    pub(in crate::limiter) fn address(&self) -> usize {
        self.0.address(|cores| &**cores)
    }

    /// Returns the cores, if they are built.
    #[cfg_attr(not(feature = "testing"), allow(dead_code, reason = "for overrides"))]
    pub(in crate::limiter) fn built(&self) -> Option<&Arc<Cores<K>>> {
        self.0.known()?.ok()
    }

    pub(in crate::limiter) fn cores(&self) -> Result<&Arc<Cores<K>>, &BuildError> {
        self.0.get(Builder::named, |builder| Cores::build(builder).map(Arc::new))
    }
}

impl<P, K> Clone for Keyed<K, Limiter<P>> {
    fn clone(&self) -> Self {
        Self(self.cores().cloned().map_err(Clone::clone).into())
    }
}

/// Shows no key.
impl<K, L: OfKind> fmt::Debug for Keyed<K, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut keyed = f.debug_struct("Keyed");
        match self.0.known() {
            None => keyed.field("name", &self.0.declared_name()),
            Some(Ok(cores)) => keyed.field("name", cores.name()).field("keys", &cores.len()),
            Some(Err(error)) => keyed.field("error", error),
        };
        keyed.finish()
    }
}
