//! A server's process, and its directory.
//!
//! Both go when their owner is dropped. Where nobody drops it, since the test was killed, a guardian does it: a shell
//! that reads from a pipe which only the test holds open, and that therefore learns of its end, however it ends.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A directory that is removed when dropped.
#[derive(Debug)]
pub(super) struct Directory(PathBuf);

impl Directory {
    /// A new one. Its path is short, since the address of a unix socket is limited to some hundred bytes.
    pub(super) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("openlimit-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        // What a killed process of the same number may have left.
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a directory for temporary files that can be written");
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

/// A running process, killed when dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    guardian: Child,
}

impl Process {
    /// Starts `command`, and its guardian, who would also remove `directory`.
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
            // An interrupt at the terminal goes to the whole group; the guardian has to outlive it.
            .process_group(0)
            .spawn()
            .expect("a shell");
        Self { child, guardian }
    }

    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for its state")
    }

    /// Sends a signal by name, `STOP` for one.
    pub(super) fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &id]).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot send {name} to process {id}");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The guardian first: it must not see the number of a process that is no longer ours.
        for child in [&mut self.guardian, &mut self.child] {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
