//! `Choice`: the backend that a limiter is built on. It opens that backend.

use super::dispatch::Backend;
use super::driver::Driver;
use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::{self, Redis};
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

    /// Opens the backend. Does not connect to a store yet.
    ///
    /// # Errors
    /// Returns the problem if the limiter cannot be built on this backend.
    pub(crate) fn open(&self, starting: &Starting<'_>) -> Result<(Backend, Driver), BuildProblem> {
        match self {
            Self::Memory => {
                let _ = (starting.name, starting.limits, starting.on_system_time);
                Ok((Backend::Memory(Memory::new(starting, 0)), Driver::None))
            }
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis::open(redis, starting),
        }
    }
}
