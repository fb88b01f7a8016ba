//! The timer of the process: one thread, which sleeps until the earliest entry is due.
//!
//! It is started at the first wait, so a program whose calls never wait has no extra thread. The
//! thread itself admits the calls that are due, and does not only wake their tasks. So the queue
//! moves even if no waiting task is ever polled again.

use std::io;
use std::process;
use std::thread;
use std::time::Duration;

use once_cell::sync::OnceCell;
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::fast;
use super::forked::FORKED;
use super::timers::{Armed, Timers, fire};
use crate::sync::{contain, end_waits_here, wake_all};

static TIMERS: Mutex<Timers> = Mutex::new(Timers::new());
/// Notified when an entry becomes the earliest.
static EARLIER: Condvar = Condvar::new();

/// The id of the process that the thread runs in.
static THREAD: OnceCell<u32> = OnceCell::new();

/// Starts the thread, unless it runs already. Fails if it runs in another process than `process`.
pub(super) fn start(process: u32) -> io::Result<()> {
    let spawn = || thread::Builder::new().name("openlimit-timer".into()).spawn(run).map(|_| process);
    if *THREAD.get_or_try_init(spawn)? == process {
        return Ok(());
    }
    Err(io::Error::other(FORKED))
}

pub(super) fn arm(armed: Armed, due: u64) {
    if timers().is_some_and(|mut timers| timers.arm(armed, due)) {
        EARLIER.notify_one();
    }
}

pub(super) fn disarm(id: u64) {
    if let Some(mut timers) = timers() {
        timers.disarm(id);
    }
}

/// Locks the timers. Returns `None` if the thread does not run in this process: nothing fires
/// there, and nothing was armed if it was never started.
///
/// A forked child must not lock them. A thread that is not there may hold their lock, or one of
/// those that parking_lot has for all its locks. Releasing a lock for which a thread sleeps takes
/// one of these, too.
fn timers() -> Option<MutexGuard<'static, Timers>> {
    let runs_here = THREAD.get().is_some_and(|started_in| *started_in == process::id());
    runs_here.then(|| TIMERS.lock())
}

/// The time after which an entry that panicked is fired again, in nanoseconds: one second. A panic
/// is a bug, and must not become a busy loop.
const AFTER_PANIC: u64 = 1_000_000_000;

fn run() {
    end_waits_here();
    let mut due = Vec::new();
    let mut wakers = Vec::new();
    loop {
        wait(&mut due);
        // `wait` goes by the precise clock, and the fast one may lag behind it. Read from the fast
        // one, the time could still be before the moment at which an entry is due.
        let now = fast::precise();
        for armed in due.drain(..) {
            // It may drop the last reference to a limiter, and with it foreign wakers. Whatever
            // panics there must not end the thread, since all other limiters wait for it.
            if contain(|| fire(&TIMERS, armed.clone(), now, &mut wakers)).is_none() {
                TIMERS.lock().arm(armed, now.saturating_add(AFTER_PANIC));
            }
        }
        wake_all(&mut wakers);
    }
}

/// Sleeps until an entry is due, and moves all that are due to `due`.
fn wait(due: &mut Vec<Armed>) {
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
