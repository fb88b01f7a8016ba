//! Workers that fork, in safe Rust: `fork.c` is preloaded into them.

use std::fs;
use std::os::unix::process::parent_id;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use super::preload::Preload;
use super::worker::Worker;

/// Starts workers that may call [`fork`]. It must outlive them.
#[derive(Debug)]
pub struct Forks(Preload);

impl Forks {
    /// Compiles the library. Needs Linux.
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

/// Forks, in a worker that [`Forks`] started, and returns whether this is the child. All other
/// threads are asleep at that moment, so none of them holds a lock. The child must end with
/// [`leave`]: the test continues in its parent.
///
/// # Panics
/// If the other threads do not fall asleep.
#[must_use]
pub fn fork() -> bool {
    let deadline = Instant::now() + Duration::from_secs(60);
    // Checked several times: a thread that was checked may have been woken by a later one.
    let mut at_rest = 0;
    while at_rest < 3 {
        assert!(Instant::now() < deadline, "the other threads do not fall asleep");
        thread::sleep(Duration::from_millis(10));
        at_rest = if others_sleep() { at_rest + 1 } else { 0 };
    }
    parent_id() == 0
}

/// Ends a child of [`fork`], or of any call of [`parent_id`] in a worker that [`Forks`] started.
///
/// It takes no lock. [`process::exit`] takes some of the standard library's, which a thread of the
/// parent may have held at the fork.
pub fn leave() -> ! {
    let _ = parent_id();
    process::abort()
}

/// Returns whether this is the only thread that is awake.
fn others_sleep() -> bool {
    let threads = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    // The state follows the name, which is in parentheses. A thread may be gone by now.
    let stats = threads.filter_map(|thread| fs::read_to_string(thread.path().join("stat")).ok());
    let awake = stats.filter(|stat| !stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')));
    awake.count() == 1
}
