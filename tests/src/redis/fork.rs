//! Workers that fork, in safe Rust: `fork.c` is preloaded into them.

use std::fs;
use std::os::unix::process::parent_id;
use std::thread;
use std::time::{Duration, Instant};

use super::preload::Preload;
use super::worker::Worker;

/// Starts workers that may call [`fork`]. It has to outlive them.
#[derive(Debug)]
pub struct Forks(Preload);

impl Forks {
    /// Takes Linux.
    ///
    /// # Panics
    /// If there is no C compiler.
    #[must_use]
    #[allow(clippy::new_without_default, reason = "it may panic")]
    pub fn new() -> Self {
        Self(Preload::compile(include_str!("fork.c")).expect("a C compiler, which makes the fork"))
    }

    /// Starts a worker, as [`Worker::start`] does.
    #[must_use]
    pub fn start(&self, test: &str, arguments: &[&str]) -> Worker {
        Worker::start_with(test, arguments, |command| command.envs([self.0.environment()]))
    }
}

/// In a worker that [`Forks`] started: forks, and says whether this is the child. No other thread is at work then, so that none
/// holds a lock. The child has to end by [`std::process::exit`]: the test goes on in its parent.
///
/// # Panics
/// If the other threads do not come to rest.
#[must_use]
pub fn fork() -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    // More than once: while one was looked at another may have woken it.
    let mut at_rest = 0;
    while at_rest < 3 {
        assert!(Instant::now() < deadline, "the other threads do not come to rest");
        thread::sleep(Duration::from_millis(10));
        at_rest = if others_sleep() { at_rest + 1 } else { 0 };
    }
    parent_id() == 0
}

/// Whether this thread is the only one that is awake.
fn others_sleep() -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    // The state follows on the name, in parentheses. A thread may be gone by now.
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    let awake = stats.filter(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')));
    awake.count() == 1
}
