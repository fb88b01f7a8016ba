//! A server's wall clock that a test can step.
//!
//! libfaketime cannot do it: it allocates while it starts, and Redis's allocator asks for the time while it starts. So
//! a library of a few lines, `clock.c`, is compiled when it is first needed, and preloaded into the server.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::process::Directory;

/// What is between a server's clock and the machine's.
#[derive(Debug)]
pub(super) struct Clock {
    directory: Directory,
}

impl Clock {
    /// A clock that is right. None where there is no C compiler, or where it cannot build a library to preload.
    pub(super) fn new() -> Option<Self> {
        let clock = Self { directory: Directory::new() };
        let source = clock.directory.path().join("clock.c");
        fs::write(&source, include_str!("clock.c")).ok()?;
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.library())
            .arg(source)
            .output();
        clock.set(0);
        output.is_ok_and(|output| output.status.success()).then_some(clock)
    }

    /// The environment of a server that follows this clock.
    pub(super) fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("LD_PRELOAD", self.library()), ("OPENLIMIT_CLOCK", self.shift())]
    }

    /// From now on it is ahead of the machine's clock by so many microseconds.
    pub(super) fn set(&self, micros: i64) {
        let new = self.directory.path().join("new");
        // Renamed, so that the server never reads half of a number.
        let written = fs::write(&new, micros.to_string()).and_then(|()| fs::rename(new, self.shift()));
        written.expect("the directory can be written");
    }

    fn library(&self) -> PathBuf {
        self.directory.path().join("clock.so")
    }

    fn shift(&self) -> PathBuf {
        self.directory.path().join("shift")
    }
}
