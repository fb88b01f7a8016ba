//! A server's wall clock that a test can step.
//!
//! libfaketime cannot do it: it allocates while it starts, and Redis's allocator asks for the time while it starts. So
//! `clock.c` is preloaded into the server.

use std::fs;
use std::path::PathBuf;

use super::preload::Preload;

/// What is between a server's clock and the machine's.
#[derive(Debug)]
pub(super) struct Clock {
    preload: Preload,
}

impl Clock {
    /// A clock that is right. None where there is no C compiler, or where it cannot build a library to preload.
    pub(super) fn new() -> Option<Self> {
        let clock = Self { preload: Preload::compile(include_str!("clock.c"))? };
        clock.set(0);
        Some(clock)
    }

    /// The environment of a server that follows this clock.
    pub(super) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [self.preload.environment(), ("OPENLIMIT_CLOCK", self.shift())]
    }

    /// From now on it is ahead of the machine's clock by so many microseconds.
    pub(super) fn set(&self, micros: i64) {
        let new = self.preload.directory().join("new");
        // Renamed, so that the server never reads half of a number.
        let written = fs::write(&new, micros.to_string()).and_then(|()| fs::rename(new, self.shift()));
        written.expect("the directory can be written");
    }

    fn shift(&self) -> PathBuf {
        self.preload.directory().join("shift")
    }
}
