//! `Choice`: the backend that limiters are built on. And `Ready`: the same, checked, which opens
//! one for each limiter.

use super::dispatch::Backend;
use super::driver::Driver;
use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::{self, Redis, Shared};
use super::starting::Starting;
use crate::error::BuildProblem;

/// The backend that a builder is set to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Choice {
    #[default]
    Memory,
    #[cfg(feature = "redis")]
    Redis(Redis),
}

impl Choice {
    /// Returns true if the limits are in a store.
    pub(crate) fn is_store(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Returns true if the store of the backend has a clock. The limiter must then run on the
    /// system's clock.
    pub(crate) fn has_clock(&self) -> bool {
        self.is_store()
    }

    /// Checks that limiters can be on this backend. Does not connect to a store.
    ///
    /// # Errors
    /// Returns the problem if they cannot.
    pub(crate) fn check(&self, starting: &Starting<'_>) -> Result<Ready, BuildProblem> {
        match self {
            Self::Memory => {
                let _ = (starting.name, starting.limits, starting.on_system_time);
                Ok(Ready::Memory(Memory::new(starting, 0)))
            }
            #[cfg(feature = "redis")]
            Self::Redis(redis) => Ok(Ready::Redis(Box::new(redis::check(redis, starting)?))),
        }
    }
}

/// The backend of limiters that were checked. By default it has no limits.
pub(crate) enum Ready {
    /// As new, to make others of.
    Memory(Memory),
    #[cfg(feature = "redis")]
    Redis(Box<Shared>),
}

impl Default for Ready {
    fn default() -> Self {
        Self::Memory(Memory::default())
    }
}

impl Ready {
    /// Opens the backend of a limiter: of that of a key, by its text, if there is one for each key.
    /// `starting` is what was checked. Does not connect to a store yet.
    pub(crate) fn open(&self, starting: &Starting<'_>, key: Option<&str>) -> (Backend, Driver) {
        match self {
            Self::Memory(memory) => {
                let _ = (starting, key);
                (Backend::Memory(memory.of_another()), Driver::None)
            }
            #[cfg(feature = "redis")]
            Self::Redis(shared) => shared.open(starting, key),
        }
    }
}
