//! `in_order`: runs what a waker sets off after the work that called the waker.
//!
//! The waker of a call that waits for several limiters is code of this crate, which goes on to the
//! next limiter. That may wake further calls, each of which goes on in the same way. Run inside of
//! each other, a long queue would overflow the stack, and a call could meet a lock that its own
//! thread holds. So they run one after another. Wakers of programs that are called meanwhile take
//! their place in the same list, as they may use a call whose lock is held.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::mem::ManuallyDrop;
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
    ///
    /// It has no destructor, so it is there until the thread has ended: other values of the thread
    /// may be dropped last, and end calls then.
    static PUT_OFF: RefCell<ManuallyDrop<Option<VecDeque<Later>>>> =
        const { RefCell::new(ManuallyDrop::new(None)) };
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
        if let Some(tasks) = &mut **tasks.borrow_mut() {
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
        if let Some(tasks) = &mut **tasks.borrow_mut() {
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
        _ = PUT_OFF.try_with(|tasks| tasks.borrow_mut().take());
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::{Arc, Mutex};
    use std::thread;

    use super::{Task, in_order, run_later};

    #[test]
    fn a_value_that_is_dropped_last_as_its_thread_ends_sets_off_what_runs_after_its_work() {
        static DONE: Mutex<Vec<&str>> = Mutex::new(Vec::new());
        let done = |what| DONE.lock().expect("no thread panics").push(what);

        struct Last;

        impl Drop for Last {
            fn drop(&mut self) {
                in_order(|| {
                    run_later(Arc::new(Next));
                    DONE.lock().expect("no thread panics").push("its work");
                });
            }
        }

        struct Next;

        impl Task for Next {
            fn run(self: Arc<Self>) {
                DONE.lock().expect("no thread panics").push("the next task");
            }
        }

        thread_local!(static LAST: RefCell<Option<Last>> = const { RefCell::new(None) });
        let thread = thread::spawn(move || {
            // What a thread uses first is dropped last.
            LAST.set(Some(Last));
            in_order(|| done("other work"));
        });
        thread.join().expect("no thread panics");
        let done = DONE.lock().expect("no thread panics");
        assert_eq!(*done, ["other work", "its work", "the next task"]);
    }
}
