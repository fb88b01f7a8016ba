//! A small C library that is compiled when it is first needed, and preloaded into a process. It
//! replaces a function of the system.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Directory;

/// A compiled library, in its own directory.
#[derive(Debug)]
pub(super) struct Preload {
    directory: Directory,
}

impl Preload {
    /// Compiles `source`. Returns `None` if there is no C compiler, or if it cannot build a library
    /// to preload.
    pub(super) fn compile(source: &str) -> Option<Self> {
        let preload = Self { directory: Directory::new() };
        let file = preload.directory().join("preload.c");
        fs::write(&file, source).ok()?;
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(preload.library())
            .arg(file)
            .output();
        output.is_ok_and(|output| output.status.success()).then_some(preload)
    }

    /// Returns its directory, for files that belong to it.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Returns the environment of a process that preloads it.
    pub(super) fn environment(&self) -> (&'static str, PathBuf) {
        ("LD_PRELOAD", self.library())
    }

    fn library(&self) -> PathBuf {
        self.directory().join("preload.so")
    }
}
