//! A server's process, and its directory.
//!
//! Both are removed when their owner is dropped. If the test is killed, a guardian removes them: a
//! shell that reads from a pipe whose other end only the test holds, so it notices the end of the
//! test.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Creates one. Its path is short, since the path of a unix socket may have about a hundred
    /// bytes.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("openlimit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // A killed process with the same id may have left one.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A running process that is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    guardian: Child,
}

impl Process {
    /// Starts `command`, and its guardian, which also removes `directory`.
    ///
    /// # Panics
    /// If it cannot be started.
    pub(super) fn spawn(command: &mut Command, directory: &Path) -> Self {
        let program = command.get_program().to_owned();
        let child = command.stdin(Stdio::null()).spawn().unwrap_or_else(|error| {
            panic!("cannot start {}: {error}; `bash tests/run.sh` installs it on Debian", program.display())
        });
        let guardian = Command::new("sh")
            .args(["-c", "read -r _; kill -9 \"$0\"; rm -rf \"$1\""])
            .arg(child.id().to_string())
            .arg(directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            // An interrupt at the terminal reaches the whole group, and the guardian must outlive
            // it.
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { child, guardian }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns its exit status, if it has ended.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the state of a child")
    }

    /// Sends a signal by its name, such as `STOP`.
    pub(super) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send {name} to process {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian first: otherwise it could kill another process that got the same id.
        for child in [&mut self.guardian, &mut self.child] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
