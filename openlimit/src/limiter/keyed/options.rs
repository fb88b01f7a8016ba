//! `PerKey`: the options that only a limiter for each key has.

use std::fmt::{self, Display};
use std::marker::PhantomData;
use std::sync::Arc;

use super::limits::KeyLimits;
use crate::limiter::Builder;

/// The options of keys, in a [`Builder`]. See [`Builder::keyed`].
pub struct PerKey<K> {
    pub(super) limits: Option<LimitsOf<K>>,
    pub(super) key_name: Option<NameOf<K>>,
    keys: PhantomData<fn(K) -> K>,
}

/// Returns the limits of a key.
pub(super) type LimitsOf<K> = Arc<dyn Fn(&K, KeyLimits) -> KeyLimits + Send + Sync>;

/// Returns the text of a key.
pub(super) type NameOf<K> = Arc<dyn Fn(&K) -> String + Send + Sync>;

/// The default of [`Builder::max_keys`].
pub(super) const DEFAULT_MAX_KEYS: usize = 100_000;

impl<K> Builder<K> {
    /// Builds a limiter for each key of type `Key`, such as a tenant or a user: a
    /// [`Keyed`](crate::Keyed). All options are those of each key.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let tenants = RateLimiter::builder()
    ///     .tokens(Rate::per_day(1_000))
    ///     .keyed::<String>()
    ///     .max_keys(10_000)
    ///     .build()?;
    /// tenants.of("anna").try_acquire(900)?;
    /// tenants.of("berta").try_acquire(900)?;
    /// assert!(tenants.of("anna").try_acquire(900).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn keyed<Key>(self) -> Builder<K, PerKey<Key>> {
        self.with_keys(PerKey::default())
    }
}

impl<K, Key> Builder<K, PerKey<Key>> {
    /// Sets the most keys that are known at a time. Default: 100 000.
    ///
    /// A key is known while it is in use, and until everything that its calls took has flowed back:
    /// see [`Keyed`](crate::Keyed). So this bounds the memory, which is about 400 bytes a key with
    /// two limits, and over Redis about 7 000. A key whose responses are
    /// [observed](crate::Permit::observe) takes another 70 for each of its calls of the last ten
    /// minutes, of which at most 4 096 are kept. While calls come faster than a limit flows back, each
    /// takes another 32 for that limit, so that it can be given back: those of the last twenty
    /// minutes, and about a thousand before. Beyond `max_keys`, calls of a new key are refused
    /// with [`AcquireError::TooManyKeys`](crate::AcquireError::TooManyKeys).
    pub fn max_keys(self, keys: usize) -> Self {
        self.most_keys(keys)
    }

    /// Sets a function that returns the limits of a key. It starts from the declared ones: see
    /// [`KeyLimits`]. Default: each key has the declared limits.
    ///
    /// It is called when a key is made: at its first use, and again if it was forgotten since. If
    /// two threads make the same key at the same moment, both may call it, and one result is used
    /// for both. Keys with equal limits share what is made of them.
    ///
    /// If it panics, or the limits are not valid, the calls of this key fail with
    /// [`AcquireError::Build`](crate::AcquireError::Build), and the next use of the key calls it
    /// again. Other keys are not affected. It must not block for long, since a call waits for it.
    /// It may use the limiters of other keys, which may use others, up to 32 keys in a row. If it
    /// uses that of the key itself, it is called again for that, and after as many rounds the call
    /// that it makes there fails.
    ///
    /// ```
    /// use openlimit::{Keyed, Rate, RateLimiter, limiter};
    ///
    /// limiter! {
    ///     static TENANTS: Keyed<u64, RateLimiter> = {
    ///         tokens: 20_000 / minute,
    ///         limits: |tenant, limits| match tenant {
    ///             1 => limits.tokens(Rate::per_minute(200_000)),
    ///             _ => limits,
    ///         },
    ///     };
    /// }
    ///
    /// # fn main() -> Result<(), openlimit::BuildError> {
    /// assert_eq!(TENANTS.of(&1).status()?.limits[0].limit.rate(), Rate::per_minute(200_000));
    /// assert_eq!(TENANTS.of(&2).status()?.limits[0].limit.rate(), Rate::per_minute(20_000));
    /// # Ok(())
    /// # }
    /// ```
    pub fn limits(mut self, limits: impl Fn(&Key, KeyLimits) -> KeyLimits + Send + Sync + 'static) -> Self {
        self.keys_mut().limits = Some(Arc::new(limits));
        self
    }

    /// Sets a function that returns the text by which all processes know a key. Limiters for each
    /// key that are shared through Redis need it. In memory it has no effect.
    ///
    /// All processes must give a key the same text, and different keys different texts: keys with
    /// one text share their limits. A text may have any characters and any length, so it may come
    /// from anywhere. No text leads to the limits of another one, or of another limiter.
    ///
    /// It is called when a key is made, like [`limits`](Self::limits). If it panics, the calls of
    /// this key fail with [`AcquireError::Build`](crate::AcquireError::Build).
    ///
    /// ```
    /// # #[cfg(feature = "redis")]
    /// # mod app {
    /// use openlimit::{Keyed, RateLimiter, limiter};
    ///
    /// #[derive(Clone, PartialEq, Eq, Hash)]
    /// pub struct TenantId(u64);
    ///
    /// limiter! {
    ///     static TENANTS: Keyed<TenantId, RateLimiter> = {
    ///         tokens: 20_000 / minute,
    ///         redis: "redis://localhost:6379",
    ///         name: "tenants",
    ///         key_name: |TenantId(number)| *number,
    ///     };
    /// }
    /// # }
    /// ```
    pub fn key_name<T: Display>(mut self, key_name: impl Fn(&Key) -> T + Send + Sync + 'static) -> Self {
        self.keys_mut().key_name = Some(Arc::new(move |key| key_name(key).to_string()));
        self
    }
}

impl<K, Keys> Builder<K, Keys> {
    /// Sets the most keys for a config, which does not know which builder it is for. A single
    /// limiter cannot be built then.
    pub(crate) fn most_keys(mut self, keys: usize) -> Self {
        self.options.max_keys = Some(keys);
        self
    }
}

impl<K> Default for PerKey<K> {
    fn default() -> Self {
        Self { limits: None, key_name: None, keys: PhantomData }
    }
}

impl<K> Clone for PerKey<K> {
    fn clone(&self) -> Self {
        Self { limits: self.limits.clone(), key_name: self.key_name.clone(), keys: PhantomData }
    }
}

impl<K> fmt::Debug for PerKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PerKey").finish_non_exhaustive()
    }
}
