//! Limits how many tests run servers at the same time.
//!
//! Tests of one program are threads of one process, as many as the machine has cores. Tests with
//! servers share the process's timer and driver threads, and assert how much was granted in a time:
//! too many of them slow each other down.

use std::cell::OnceCell;
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;

/// With eight, the tests take a third of the time that they take with two, on two cores with other
/// work. With 64, some fail.
const MOST: usize = 8;

/// The number of tests that have a turn now.
static TAKEN: Mutex<usize> = Mutex::new(0);

/// Notified when a turn ends.
static ENDED: Condvar = Condvar::new();

thread_local! {
    /// The turn of the test that runs in this thread. It ends with the thread.
    static TURN: OnceCell<Turn> = const { OnceCell::new() };
}

#[derive(Debug)]
struct Turn;

/// Waits until this test may start servers. It keeps its turn until it ends.
///
/// Threads that a test starts do not wait: their test may already have a turn.
pub(super) fn wait() {
    // The test runner names the thread of a test. Threads that a test starts have no name.
    if thread::current().name().is_some() {
        TURN.with(|turn| _ = turn.get_or_init(Turn::take));
    }
}

impl Turn {
    fn take() -> Self {
        let taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken =
            ENDED.wait_while(taken, |taken| *taken >= MOST).unwrap_or_else(PoisonError::into_inner);
        *taken += 1;
        Self
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        *TAKEN.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        ENDED.notify_one();
    }
}
