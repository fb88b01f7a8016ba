//! `block_on`: runs a future on the current thread, for callers without a runtime.
//!
//! It does not use `thread::park`. A thread has only one park token. A caller further up the stack
//! may use it too, and would lose its wake-up if it were taken here.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::process;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use parking_lot::{Condvar, Mutex};

thread_local! {
    /// True on the threads of this library that end waits.
    static ENDS_WAITS: Cell<bool> = const { Cell::new(false) };
}

/// Marks this thread as one that ends waits, so that no foreign waker can block it.
pub(crate) fn end_waits_here() {
    ENDS_WAITS.set(true);
}

/// Runs `future` to completion on this thread. Returns `None` if it would have to wait on a thread
/// that ends waits: it could wait for ever, and all others with it.
pub(crate) fn block_on<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    // Most calls are admitted at once and need no waker. So the first poll allocates none.
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(output);
    }
    if ENDS_WAITS.get() {
        return None;
    }
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(Arc::clone(&signal));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return Some(output);
        }
        signal.wait();
    }
}

/// The waker of a blocked thread: it sets a flag and notifies the thread.
///
/// In a forked child there is no such thread. Its lock may be held there for ever, and so may those
/// of parking_lot that all conditions share. So the child wakes nobody.
struct Signal {
    /// The process of the thread.
    process: u32,
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Default for Signal {
    fn default() -> Self {
        Self { process: process::id(), raised: Mutex::default(), changed: Condvar::default() }
    }
}

impl Signal {
    /// Blocks until the signal is raised, and lowers it.
    fn wait(&self) {
        let mut raised = self.raised.lock();
        while !*raised {
            self.changed.wait(&mut raised);
        }
        *raised = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.process == process::id() {
            *self.raised.lock() = true;
            self.changed.notify_one();
        }
    }
}
