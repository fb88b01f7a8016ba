//! `Starting`: what a backend has to know of a limiter to be opened.

use crate::bucket::Metering;
use crate::limits::{Limit, Percent, Priority};
use crate::time::Dates;

/// The parts of a limiter that a backend is opened with. Every value has been checked.
///
/// Slices are by the place of each limit. If a part of each is reserved, meterings and dimensions
/// of the shares follow, in the same order.
pub(crate) struct Starting<'a> {
    /// The name that the program gave the limiter, if any.
    pub(crate) name: Option<&'a str>,
    pub(crate) limits: &'a [Limit],
    pub(crate) meterings: &'a [Metering],
    /// The dimension that each limit meters.
    pub(crate) dimensions: &'a [usize],
    /// The part of every limit that is kept for a priority and those above it.
    #[allow(dead_code, reason = "only clients of a store have to agree on it")]
    pub(crate) reserve: Option<(Priority, Percent)>,
    /// The longest hold, in nanoseconds.
    #[allow(dead_code, reason = "only a store tells of holds")]
    pub(crate) max_hold: u64,
    /// The wall clock, for limits that reset.
    pub(crate) dates: Dates,
    /// True if the limiter runs on the system's clock, false if it runs on a test's.
    pub(crate) on_system_time: bool,
}

impl Starting<'_> {
    /// Returns the same with other meterings of the limits.
    #[allow(dead_code, reason = "for backends that meter a part by themselves")]
    pub(super) fn metered_by<'a>(&'a self, meterings: &'a [Metering]) -> Starting<'a> {
        Starting { meterings, dates: self.dates.clone(), ..*self }
    }
}
