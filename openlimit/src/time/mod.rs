//! `Time`: where a limiter's time comes from, and who wakes it. All times are nanoseconds from an arbitrary
//! start, and never go back.
//!
//! A program runs on the system's monotonic clock. Tests run on a clock that they move by hand or, inside a
//! tokio runtime whose time is paused, on tokio's. A limiter keeps to one of them for its life.

use std::io;

use crate::handle::Handle;

mod fast;
mod system;
mod timers;

#[cfg(feature = "testing")]
pub(crate) mod manual;
#[cfg(feature = "testing")]
mod paused;

#[derive(Clone, Debug)]
pub(crate) enum Time {
    System,
    #[cfg(feature = "testing")]
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
            #[cfg(feature = "testing")]
            Self::Manual(clock) => clock.nanos(),
            #[cfg(feature = "testing")]
            Self::Paused(paused) => paused.now(),
        }
    }

    /// Has the limiter looked at again at `due`, or earlier if that was asked for before.
    pub(crate) fn arm(&self, core: &Handle, due: u64) -> io::Result<()> {
        match self {
            Self::System => system::arm(core, due),
            #[cfg(feature = "testing")]
            Self::Manual(clock) => {
                clock.arm(core, due);
                Ok(())
            }
            #[cfg(feature = "testing")]
            Self::Paused(paused) => {
                paused.arm(core, due);
                Ok(())
            }
        }
    }

    /// Forgets what was armed for the limiter with this `id`.
    pub(crate) fn disarm(&self, id: u64) {
        match self {
            Self::System => system::disarm(id),
            #[cfg(feature = "testing")]
            Self::Manual(clock) => clock.disarm(id),
            // A sleeping task that finds its limiter gone ends.
            #[cfg(feature = "testing")]
            Self::Paused(_) => {}
        }
    }
}
