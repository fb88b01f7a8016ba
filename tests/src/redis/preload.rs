//! A library of a few lines of C that is compiled when it is first needed, and preloaded into a process: it takes the place of
//! some function of the system's.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::Directory;

/// A compiled library, in a directory of its own.
#[derive(Debug)]
pub(super) struct Preload {
    directory: Directory,
}

impl Preload {
    /// Compiles `source`. None where there is no C compiler, or where it cannot build a library to preload.
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

    /// Where it is, and what belongs to it may be.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The environment of a process that it is preloaded into.
    pub(super) fn environment(&self) -> (&'static str, PathBuf) {
        ("LD_PRELOAD", self.library())
    }

    fn library(&self) -> PathBuf {
        self.directory().join("preload.so")
    }
}
