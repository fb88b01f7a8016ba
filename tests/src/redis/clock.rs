//! A server's wall clock that a test can set.
//!
//! libfaketime does not work here: it allocates when it starts, and Redis's allocator reads the
//! time when it starts. So `clock.c` is preloaded into the server.

use std::fs;
use std::path::PathBuf;

use super::preload::Preload;

/// The difference between a server's clock and the machine's.
#[derive(Debug)]
pub(super) struct Clock {
    preload: Preload,
}

impl Clock {
    /// Creates a clock that shows the machine's time. Returns `None` if there is no C compiler, or
    /// if it cannot build a library to preload.
    pub(super) fn new() -> Option<Self> {
        let clock = Self { preload: Preload::compile(include_str!("clock.c"))? };
        clock.set(0);
        Some(clock)
    }

    /// Returns the environment of a server that uses this clock.
    pub(super) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [self.preload.environment(), ("OPENLIMIT_CLOCK", self.shift())]
    }

    /// Sets the clock ahead of the machine's by this many microseconds.
    pub(super) fn set(&self, micros: i64) {
        let new = self.preload.directory().join("new");
        // Renamed, so that the server never reads half a number.
        let written = fs::write(&new, micros.to_string()).and_then(|()| fs::rename(new, self.shift()));
        written.expect("the directory can be written");
    }

    fn shift(&self) -> PathBuf {
        self.preload.directory().join("shift")
    }
}
