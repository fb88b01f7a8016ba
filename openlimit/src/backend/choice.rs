//! `Choice`: which backend a limiter is built on, and how it is opened.

use super::memory::Memory;
#[cfg(feature = "redis")]
use super::redis::{self, Redis};
use super::{Backend, Driver};
use crate::bucket::Metering;
use crate::error::BuildProblem;
use crate::limits::Limit;

/// The backend that a builder was given.
#[derive(Clone, Debug, Default)]
pub(crate) enum Choice {
    #[default]
    Memory,
    #[cfg(feature = "redis")]
    Redis(Redis),
}

/// What a backend has to know of a limiter, by the place of each limit. All of it is checked.
pub(crate) struct Starting<'a> {
    /// The name that the program gave the limiter, if it gave one.
    pub(crate) name: Option<&'a str>,
    pub(crate) limits: &'a [Limit],
    pub(crate) meterings: &'a [Metering],
    /// The dimension that each limit meters.
    pub(crate) dimensions: &'a [usize],
    /// Whether the limiter runs on the system's clock, and not on one of a test.
    pub(crate) on_system_time: bool,
}

/// A backend that was opened.
pub(crate) type Opened = (Backend, Driver);

impl Choice {
    /// Returns whether the backend has a clock of its own, so that the limiter must run on the
    /// system's.
    pub(crate) fn has_clock(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    /// Opens the backend. Connects to nothing yet.
    ///
    /// # Errors
    /// The limiter cannot be built on it.
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
