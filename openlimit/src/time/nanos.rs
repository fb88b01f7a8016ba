//! `nanos`: a duration in the unit of all times of this crate.
//!
//! Nanoseconds in 64 bits are exact, quick to compare, and enough for 584 years.

use std::time::Duration;

/// Returns a duration in nanoseconds; the largest value if it is longer than 584 years.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
