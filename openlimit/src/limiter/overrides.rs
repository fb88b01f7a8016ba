//! The limiters that tests have replaced, on each thread.
//!
//! A static cannot be exchanged, so a limiter looks here first. It does so with the feature
//! `testing` only: `no_overrides` takes the place of this file otherwise. A list for each thread
//! keeps tests apart that run at the same time.

use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::core::Handle;
use crate::error::BuildError;

/// What takes the place of a limiter.
///
/// It is leaked: a limiter lends its handle for as long as it lives, which may be longer than the
/// override.
pub(super) type Substitute = Result<&'static Handle, &'static BuildError>;

/// The number of overrides on all threads. Without any, a limiter looks no further.
static COUNT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The overrides on this thread, the last one last: its number, the limiter, the substitute.
    static OVERRIDES: RefCell<Vec<(u64, Replaced, Substitute)>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

/// The addresses that identify a limiter: its own, and that of the core that its clones share.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replaced {
    pub(super) limiter: usize,
    pub(super) core: Option<usize>,
}

/// Returns what takes the place of a limiter on this thread.
#[inline]
pub(super) fn substitute(limiter: impl FnOnce() -> usize) -> Option<Substitute> {
    if COUNT.load(Ordering::Relaxed) == 0 { None } else { find(limiter()) }
}

#[cold]
fn find(address: usize) -> Option<Substitute> {
    let is_it = |replaced: &Replaced| replaced.limiter == address || replaced.core == Some(address);
    let found = OVERRIDES.try_with(|overrides| {
        let overrides = overrides.borrow();
        overrides.iter().rev().find(|(_, replaced, _)| is_it(replaced)).map(|(_, _, by)| *by)
    });
    found.ok().flatten()
}

/// An override on this thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Entry {
    number: u64,
    /// It must be dropped on the thread that it is on.
    thread: PhantomData<*const ()>,
}

impl Entry {
    pub(super) fn new(replaced: Replaced, by: Substitute) -> Self {
        let number = NEXT.replace(NEXT.get() + 1);
        OVERRIDES.with_borrow_mut(|overrides| overrides.push((number, replaced, by)));
        COUNT.fetch_add(1, Ordering::Relaxed);
        Self { number, thread: PhantomData }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        COUNT.fetch_sub(1, Ordering::Relaxed);
        // Without a list, the thread ends.
        _ = OVERRIDES
            .try_with(|overrides| overrides.borrow_mut().retain(|(number, ..)| *number != self.number));
    }
}
