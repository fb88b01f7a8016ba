//! Waking tasks, always where no lock is held.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes every waker and leaves none.
///
/// A waker is foreign code. If one panics, its own task may be lost, but the others are woken.
#[inline]
pub(crate) fn wake_all(wakers: &mut Vec<Waker>) {
    if !wakers.is_empty() {
        wake_each(wakers);
    }
}

#[inline(never)]
fn wake_each(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
