//! `Time`: the clock that a limiter reads, and the timer that fires it.
//!
//! A time is a number of nanoseconds since an arbitrary start, and never goes back. Programs run on
//! the system's monotonic clock. Tests run on a manual clock or, inside a tokio runtime whose time
//! is paused, on tokio's. A limiter keeps one of them for its whole life: times of two clocks
//! cannot be compared. Only limits that reset by the calendar read the wall clock, too: see
//! `dates`.
//!
//! The timers know no limiter. They fire whatever implements [`Timed`].
//!
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `fast`, `nanos` | reads the monotonic clock quickly; durations in the unit of all times |
//! | `date`, `dates` | the wall clock, and that of a limiter, for resets |
//! | `timed`, `timers` | what a timer fires; all that is armed |
//! | `system`, `forked` | the timer thread of the process; why none runs in a forked process |
//! | `sleep` | a future that is ready after a time |
//! | `manual`, `paused` | the clocks of tests: moved by hand, and tokio's paused time |

use std::io;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

mod date;
mod dates;
mod fast;
mod forked;
mod nanos;
mod sleep;
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

pub(crate) use self::dates::Dates;
#[allow(unused_imports, reason = "for drivers of backends")]
pub(crate) use self::forked::FORKED;
#[cfg(any(feature = "testing", openlimit_loom))]
#[cfg_attr(openlimit_loom, allow(unreachable_pub, reason = "the models use it inside the crate"))]
pub use self::manual::ManualClock;
pub(crate) use self::nanos::nanos;
#[cfg(feature = "testing")]
pub use self::paused::set_date;
pub(crate) use self::sleep::Sleep;
pub(crate) use self::timed::Timed;

/// Returns an id for a timer that no other in this process has.
pub(crate) fn timer_id() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A clock and its timer.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    System,
    #[cfg(any(feature = "testing", openlimit_loom))]
    Manual(manual::ManualClock),
    #[cfg(feature = "testing")]
    Paused(paused::Paused),
}

impl Time {
    /// Returns tokio's time inside a runtime that has paused it, and the system's anywhere else.
    pub(crate) fn detect() -> Self {
        #[cfg(feature = "testing")]
        if let Some(paused) = paused::Paused::detect() {
            return Self::Paused(paused);
        }
        Self::System
    }

    /// Reads the clock, in nanoseconds.
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

    /// Returns the time of this clock at a moment, which may have passed.
    pub(crate) fn at(&self, moment: Instant) -> u64 {
        let instant = match self {
            Self::System => Instant::now(),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(_) => Instant::now(),
            #[cfg(feature = "testing")]
            Self::Paused(_) => paused::instant(),
        };
        let left = nanos(moment.saturating_duration_since(instant));
        let missed = nanos(instant.saturating_duration_since(moment));
        self.now().saturating_sub(missed).saturating_add(left)
    }

    /// Returns what the wall clock shows, in nanoseconds since 1970-01-01 00:00 UTC.
    pub(crate) fn date(&self) -> i64 {
        match self {
            Self::System => date::now(),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.date(),
            #[cfg(feature = "testing")]
            Self::Paused(paused) => paused.date(),
        }
    }

    /// Returns how long a limiter's timer rests after it fired, in nanoseconds. `jitter` is the
    /// time of the burst that the limiter keeps back for jitter.
    ///
    /// Calls that become due during the rest are admitted together, so that they wake the timer
    /// thread once. They are charged as of their due time, so the rest costs no throughput. It only
    /// makes them leave in a bunch, and the share below keeps that bunch a small part of the
    /// jitter. Test clocks never rest: there every call is admitted at its due time.
    pub(crate) fn rest(&self, jitter: u64) -> u64 {
        /// 1 ms: at most a thousand wake-ups a second for each limiter.
        const LONGEST_REST: u64 = 1_000_000;
        /// The rest takes at most a sixteenth of the jitter and leaves the remainder to the
        /// network.
        const PARTS_OF_JITTER: u64 = 16;
        match self {
            Self::System => LONGEST_REST.min(jitter / PARTS_OF_JITTER),
            #[cfg(any(feature = "testing", openlimit_loom))]
            _ => 0,
        }
    }

    /// Starts the timer, unless it runs in this process. Must come before a call waits.
    ///
    /// # Errors
    /// The timer thread could not be started, or it runs in the process that this one was forked
    /// from.
    pub(crate) fn start(&self, process: u32) -> io::Result<()> {
        match self {
            Self::System => system::start(process),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(_) => Ok(()),
            #[cfg(feature = "testing")]
            Self::Paused(_) => Ok(()),
        }
    }

    /// Arms the timer to fire `timed` at `due`. An earlier time that is armed already stays.
    ///
    /// `id` identifies `timed` among all that are armed. The timer must have been
    /// [started](Self::start).
    pub(crate) fn arm(&self, id: u64, timed: Weak<dyn Timed>, due: u64) {
        match self {
            Self::System => system::arm((id, timed), due),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.arm((id, timed), due),
            #[cfg(feature = "testing")]
            Self::Paused(paused) => paused.arm(timed, due),
        }
    }

    /// Disarms the timer of this `id`, if it is armed.
    pub(crate) fn disarm(&self, id: u64) {
        match self {
            Self::System => system::disarm(id),
            #[cfg(any(feature = "testing", openlimit_loom))]
            Self::Manual(clock) => clock.disarm(id),
            // A sleeping task ends by itself when it finds its limiter gone.
            #[cfg(feature = "testing")]
            Self::Paused(_) => {}
        }
    }
}
