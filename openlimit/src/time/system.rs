//! The timer of the process: one thread, started at the first wait, asleep until the earliest
//! entry is due.
//!
//! It does the work that is due itself, so progress depends on no waiter, no runtime and no other
//! thread.

use std::io;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::{Condvar, Mutex};

use super::FORKED;
use super::fast;
use super::timers::{Entry, Timers, fire_all};
use crate::sync::wake_all;

static TIMERS: Mutex<Timers> = Mutex::new(Timers::new());
static EARLIER: Condvar = Condvar::new();

/// Starts the thread, unless it runs in this process.
pub(super) fn start(process: u32) -> io::Result<()> {
    /// The process that the thread runs in.
    static THREAD: OnceCell<u32> = OnceCell::new();
    let spawn = || thread::Builder::new().name("openlimit-timer".into()).spawn(run).map(|_| process);
    if *THREAD.get_or_try_init(spawn)? == process {
        return Ok(());
    }
    Err(io::Error::other(FORKED))
}

pub(super) fn arm(entry: Entry, due: u64) {
    if TIMERS.lock().arm(entry, due) {
        EARLIER.notify_one();
    }
}

pub(super) fn disarm(id: u64) {
    TIMERS.lock().disarm(id);
}

fn run() {
    let mut due = Vec::new();
    let mut wakers = Vec::new();
    loop {
        wait(&mut due);
        // The fast clock may lag. The sleep went by the precise one, and so does what is due.
        fire_all(&TIMERS, &mut due, fast::precise(), &mut wakers);
        wake_all(&mut wakers);
    }
}

/// Sleeps until an entry is due, and takes out all that are.
fn wait(due: &mut Vec<Entry>) {
    let mut timers = TIMERS.lock();
    loop {
        let now = fast::precise();
        match timers.next() {
            None => EARLIER.wait(&mut timers),
            Some(next) if next > now => {
                let _ = EARLIER.wait_for(&mut timers, Duration::from_nanos(next - now));
            }
            Some(_) => return timers.take_due(now, due),
        }
    }
}
