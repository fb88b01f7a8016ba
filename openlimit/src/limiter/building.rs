//! `Building`: finds declarations of limiters that would wait for themselves.
//!
//! The value of a key may use another declared limiter, which is then built first. If that needs
//! the first one, both would wait for ever: on one thread, or on two that began with one each. So
//! all builds are in one list, and a thread that needs a limiter follows it: from the limiter to
//! the thread that builds it, from there to the limiter that this thread waits for, and so on. If
//! that leads back to the thread itself, it must not wait.
//!
//! Whichever thread closes such a circle does so when it needs a limiter, as a thread that has
//! begun to build waits for nothing yet. So looking at that moment finds every circle.

use std::thread::{self, ThreadId};

use parking_lot::Mutex;

/// The limiters that threads build or wait for.
static BUILDS: Mutex<Vec<Build>> = Mutex::new(Vec::new());

struct Build {
    /// The address of the limiter.
    limiter: usize,
    thread: ThreadId,
    /// False while the thread waits for another one that builds it.
    has_begun: bool,
}

/// A limiter that this thread needs, until this is dropped.
pub(super) struct Building(usize);

impl Building {
    /// Notes that this thread needs a limiter. Returns `None` if it would wait for itself.
    pub(super) fn needs(limiter: usize) -> Option<Self> {
        let thread = thread::current().id();
        let mut builds = BUILDS.lock();
        let mut next = Some(limiter);
        while let Some(limiter) = next {
            let builder = builds.iter().find(|build| build.has_begun && build.limiter == limiter);
            let builder = builder.map(|build| build.thread);
            if builder == Some(thread) {
                return None;
            }
            let waits = builds.iter().find(|build| !build.has_begun && Some(build.thread) == builder);
            next = waits.map(|build| build.limiter);
        }
        builds.push(Build { limiter, thread, has_begun: false });
        Some(Self(limiter))
    }

    /// Notes that this thread builds it.
    pub(super) fn begins(&self) {
        self.change(|builds, place| builds[place].has_begun = true);
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Build>, usize)) {
        let thread = thread::current().id();
        let mut builds = BUILDS.lock();
        let place = builds.iter().position(|build| build.limiter == self.0 && build.thread == thread);
        if let Some(place) = place {
            change(&mut builds, place);
        }
    }
}

impl Drop for Building {
    fn drop(&mut self) {
        self.change(|builds, place| _ = builds.swap_remove(place));
    }
}
