//! The timer of the process: one thread, started at the first wait, asleep until the earliest limiter is due.
//!
//! It admits whoever is due itself, so that progress depends on no waiter, no runtime and no other thread.

use std::io;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::{Condvar, Mutex};

use super::FORKED;
use super::fast;
use super::timers::Timers;
use crate::handle::{Handle, WeakHandle};
use crate::wake::wake_all;

static TIMERS: Mutex<Option<Timers>> = Mutex::new(None);
static EARLIER: Condvar = Condvar::new();

/// Starts the thread, unless it runs in this process.
pub(super) fn start(process: u32) -> io::Result<()> {
    /// In which process.
    static THREAD: OnceCell<u32> = OnceCell::new();
    let spawn = || thread::Builder::new().name("openlimit-timer".into()).spawn(run).map(|_| process);
    if *THREAD.get_or_try_init(spawn)? == process {
        return Ok(());
    }
    Err(io::Error::other(FORKED))
}

/// Has the limiter looked at again at `due`.
pub(super) fn arm(handle: &Handle, due: u64) {
    if TIMERS.lock().get_or_insert_default().arm(handle, due) {
        EARLIER.notify_one();
    }
}

pub(super) fn disarm(id: u64) {
    if let Some(timers) = &mut *TIMERS.lock() {
        timers.disarm(id);
    }
}

fn run() {
    let mut due = Vec::new();
    let mut wakers = Vec::new();
    loop {
        wait(&mut due);
        // Not the fast clock, which may lag: whoever is due by the clock that the sleep went by is due.
        let now = fast::precise();
        for handle in due.drain(..) {
            if let Some(handle) = handle.upgrade() {
                handle.fire(now, &mut wakers);
            }
        }
        wake_all(&mut wakers);
    }
}

/// Sleeps until some limiter is due, and takes out all that are.
fn wait(due: &mut Vec<WeakHandle>) {
    let mut timers = TIMERS.lock();
    loop {
        let now = fast::precise();
        match timers.as_ref().and_then(Timers::next) {
            None => EARLIER.wait(&mut timers),
            Some(next) if next > now => {
                let _ = EARLIER.wait_for(&mut timers, Duration::from_nanos(next - now));
            }
            Some(_) => {
                timers.get_or_insert_default().take_due(now, due);
                return;
            }
        }
    }
}
