//! `Builder`: the options of a limiter.
//!
//! The setters accept any value and never fail, so that `limiter!` can call them in any order.
//! `build` checks all options together.
//!
//! | file | contains |
//! | --- | --- |
//! | `limits`, `counting`, `waiting` | setters, by topic |
//! | `requests`, `price` | setters of what a request costs, in tokens and in money |
//! | `options` | `Options`: what the setters set, of any kind of limiter |
//! | `declared` | `Declared`: the options that an update can change, and their checks |
//! | `build` | all other checks, and what they lead to: `Checked` |
//! | `burst` | `Burst`, the value of a key |
//!
//! Other setters are beside the feature that they turn on, such as `concurrency`.

mod build;
mod burst;
mod counting;
mod declared;
mod limits;
mod options;
#[cfg(feature = "tokenizers")]
mod price;
#[cfg(feature = "tokenizers")]
mod requests;
mod waiting;

use std::marker::PhantomData;

pub(super) use self::build::Checked;
pub use self::burst::Burst;
pub(super) use self::declared::{Declared, least_lateness};
pub(super) use self::options::Options;

/// Builds a [`Limiter`](crate::Limiter). Each option is also a key of [`limiter!`](crate::limiter).
///
/// A limiter needs at least one limit or a [concurrency](Self::concurrency), unless it
/// [discovers](Self::discover) its limits. Giving a dimension again adds a limit to it, for example
/// one per day beside one per minute. All other options have defaults.
///
/// `K` is how calls are priced. `Keys` is [`Single`], or [`PerKey`](crate::PerKey) for a
/// [limiter for each key](Self::keyed).
///
/// ```
/// use openlimit::{Percent, Rate, RateLimiter};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), openlimit::BuildError> {
/// let limiter = RateLimiter::builder()
///     .requests(Rate::per_minute(200))
///     .requests(Rate::per_day(10_000))
///     .tokens(Rate::per_minute(40_000))
///     .burst(Duration::from_secs(10))
///     .headroom(Percent(5))
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct Builder<K, Keys = Single> {
    pub(super) options: Options,
    keys: Keys,
    kind: PhantomData<fn() -> K>,
}

/// Marks the builder of a single limiter, beside that of one for each key. See
/// [`Builder::keyed`].
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Single;

impl<K, Keys: Default> Builder<K, Keys> {
    /// Creates a builder with the defaults. `path` is the name if the user gives none.
    pub(super) fn named(path: &'static str) -> Self {
        Self { options: Options::named(path), keys: Keys::default(), kind: PhantomData }
    }
}

impl<K, Keys> Builder<K, Keys> {
    /// Returns the same builder with other options of keys.
    pub(super) fn with_keys<Others>(self, keys: Others) -> Builder<K, Others> {
        Builder { options: self.options, keys, kind: PhantomData }
    }

    /// Returns the options of keys, to change them.
    pub(super) fn keys_mut(&mut self) -> &mut Keys {
        &mut self.keys
    }

    /// Returns the options of each limiter, and those of keys.
    pub(super) fn into_options(self) -> (Options, Keys) {
        (self.options, self.keys)
    }

    /// Sets the name that errors and `Debug` show. Default: the path of a declared limiter's
    /// static.
    ///
    /// A shared limiter is identified by its name and must have one.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.options.name = Some(name.into().into());
        self
    }

    /// Runs the limiter on a clock that tests move by hand. Default: the system's monotonic clock
    /// or, inside a tokio runtime whose time is paused, tokio's. A limiter that is shared through
    /// Redis always runs on the system's.
    #[cfg(any(feature = "testing", openlimit_loom))]
    pub fn clock(mut self, clock: &crate::time::ManualClock) -> Self {
        self.options.time = Some(crate::time::Time::Manual(clock.clone()));
        self
    }
}
