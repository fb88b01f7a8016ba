//! `Time`: where a limiter's time comes from, and who wakes it. All times are nanoseconds from an arbitrary
//! start, and never go back.
//!
//! A program runs on the system's monotonic clock. Tests run on a clock that they move by hand or, inside a
//! tokio runtime whose time is paused, on tokio's. A limiter keeps to one of them for its life.

use std::io;
use std::sync::Weak;
use std::time::Duration;

mod fast;
mod system;
mod timed;
mod timers;

#[cfg(any(feature = "testing", openlimit_loom))]
#[cfg_attr(
    openlimit_loom,
    allow(unreachable_pub, dead_code, reason = "the models use a part of it, inside the crate")
)]
mod manual;
#[cfg(feature = "testing")]
mod paused;

#[cfg(any(feature = "testing", openlimit_loom))]
pub use self::manual::ManualClock;
pub(crate) use self::timed::Timed;

/// A time in nanoseconds, as all of them are counted here; the largest value for a longer one.
pub(crate) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Why a thread of this library is not there to do what is asked of it.
pub(crate) const FORKED: &str =
    "it is in the process that this one was forked from; fork before the first call";

#[derive(Clone, Debug)]
pub(crate) enum Time {
    System,
    #[cfg(any(feature = "testing", openlimit_loom))]
    Manual(manual::ManualClock),
    #[cfg(feature = "testing")]
    Paused(paused::Paused),
}

impl Time {
    /// Tokio's time where this is called inside a runtime that has paused it, else the system's.
    pub(crate) fn detect() -> Self {
        #[cfg(feature = "testing")]
        if let Some(paused) = paused::Paused::detect() {
            return Self::Paused(paused);
        }
        Self::System
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        match self {
            Self::System => fast::now(),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.nanos(),
            #[cfg(feature = "testing")]
            Self::Paused(paused) => paused.now(),
        }
    }

    /// How long the timer of a limiter rests after it fired, in nanoseconds, where so much of the burst is kept back
    /// for jitter. Then calls that become due one soon after the other cost one waking up of a thread and not one
    /// each. They are charged as of when they were due, and depart bunched by no more than a small part of what is
    /// kept back for that, so that it costs no throughput. Tests are to see every call admitted when it is due.
    pub(crate) fn rest(&self, kept_back: u64) -> u64 {
        const LONGEST: u64 = 1_000_000;
        match self {
            Self::System => LONGEST.min(kept_back / 16),
            #[cfg(any(feature = "testing", openlimit_loom))]
            _ => 0,
        }
    }

    /// Makes sure that somebody can wake the limiter, in this process.
    ///
    /// # Errors
    /// The timer thread could not be started, or is in another process.
    pub(crate) fn start(&self, process: u32) -> io::Result<()> {
        match self {
            Self::System => system::start(process),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(_) => Ok(()),
            #[cfg(feature = "testing")]
            Self::Paused(_) => Ok(()),
        }
    }

    /// Fires `timed` at `due`, or earlier if that was asked for before.
    ///
    /// `id` tells it from everything else that is armed. The timer must have been [started](Self::start).
    pub(crate) fn arm(&self, id: u64, timed: Weak<dyn Timed>, due: u64) {
        match self {
            Self::System => system::arm((id, timed), due),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.arm((id, timed), due),
            #[cfg(feature = "testing")]
            Self::Paused(paused) => paused.arm(timed, due),
        }
    }

    /// Forgets what was armed with this `id`.
    pub(crate) fn disarm(&self, id: u64) {
        match self {
            Self::System => system::disarm(id),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.disarm(id),
            // A sleeping task that finds its limiter gone ends.
            #[cfg(feature = "testing")]
            Self::Paused(_) => {}
        }
    }
}
