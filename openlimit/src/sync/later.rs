//! `in_order`: runs what a waker sets off after the work that called the waker.
//!
//! The waker of a call that waits for several limiters is code of this crate, which goes on to the
//! next limiter. That may wake further calls, each of which goes on in the same way. Run inside of
//! each other, a long queue would overflow the stack, and a call could meet a lock that its own
//! thread holds. So they run one after another. Wakers of programs that are called meanwhile take
//! their place in the same list, as they may use a call whose lock is held.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::task::Waker;

use super::contain::contain;

/// Work that a waker sets off.
pub(crate) trait Task: Send + Sync {
    fn run(self: Arc<Self>);
}

/// What is put off.
enum Later {
    Run(Arc<dyn Task>),
    Wake(Waker),
}

thread_local! {
    /// What is put off on this thread; `None` if nothing runs.
    static PUT_OFF: RefCell<Option<VecDeque<Later>>> = const { RefCell::new(None) };
}

/// Runs `work`, and then what was [put off](run_later) meanwhile on this thread.
pub(crate) fn in_order<T>(work: impl FnOnce() -> T) -> T {
    let begins = PUT_OFF.try_with(|tasks| {
        let mut tasks = tasks.borrow_mut();
        let begins = tasks.is_none();
        tasks.get_or_insert_default();
        begins
    });
    if !begins.unwrap_or(false) {
        return work();
    }
    // It runs the rest even if the work panics: other calls depend on it.
    let _rest = Rest;
    work()
}

/// Runs a task when the work that runs on this thread is over, or now if there is none.
pub(crate) fn run_later(task: Arc<dyn Task>) {
    let mut task = Some(task);
    // Without a list, the thread ends.
    _ = PUT_OFF.try_with(|tasks| {
        if let Some(tasks) = &mut *tasks.borrow_mut() {
            tasks.extend(task.take().map(Later::Run));
        }
    });
    if let Some(task) = task {
        in_order(|| task.run());
    }
}

/// Calls these wakers when the work that runs on this thread is over. Leaves them if there is none.
pub(super) fn wake_later(wakers: &mut Vec<Waker>) {
    _ = PUT_OFF.try_with(|tasks| {
        if let Some(tasks) = &mut *tasks.borrow_mut() {
            tasks.extend(wakers.drain(..).map(Later::Wake));
        }
    });
}

/// Runs what was put off, when it is dropped.
struct Rest;

impl Drop for Rest {
    fn drop(&mut self) {
        let next = || PUT_OFF.try_with(|tasks| tasks.borrow_mut().as_mut()?.pop_front()).ok().flatten();
        while let Some(task) = next() {
            match task {
                Later::Run(task) => task.run(),
                Later::Wake(waker) => _ = contain(|| waker.wake()),
            }
        }
        _ = PUT_OFF.try_with(RefCell::take);
    }
}
