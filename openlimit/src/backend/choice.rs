//! `Choice`: the backend that a limiter is built on. It opens that backend.

use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::{self, Redis};
use super::{Backend, Driver};
use crate::bucket::Metering;
use crate::error::BuildProblem;
use crate::limits::Limit;

/// The backend that a builder is set to.
#[derive(Clone, Debug, Default)]
pub(crate) enum Choice {
    #[default]
    Memory,
    #[cfg(feature = "redis")]
    Redis(Redis),
}

/// The parts of a limiter that a backend is opened with. Slices are by the place of each limit, and
/// every value has been checked.
pub(crate) struct Starting<'a> {
    /// The name that the program gave the limiter, if any.
    pub(crate) name: Option<&'a str>,
    pub(crate) limits: &'a [Limit],
    pub(crate) meterings: &'a [Metering],
    /// The dimension that each limit meters.
    pub(crate) dimensions: &'a [usize],
    /// True if the limiter runs on the system's clock, false if it runs on a test's.
    pub(crate) on_system_time: bool,
}

/// An opened backend: its state, and its driver.
pub(crate) type Opened = (Backend, Driver);

impl Choice {
    /// Returns true if the store of the backend has a clock. The limiter must then run on the
    /// system's clock.
    pub(crate) fn has_clock(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Opens the backend. Does not connect to a store yet.
    ///
    /// # Errors
    /// Returns the problem if the limiter cannot be built on this backend.
    pub(crate) fn open(&self, starting: &Starting<'_>) -> Result<Opened, BuildProblem> {
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
