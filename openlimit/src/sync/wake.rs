//! Waking: always where no lock is held, and never at the mercy of a waker.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Wakes everyone. A waker is foreign code: if one panics, its own task may be lost, but nobody else's.
pub(crate) fn wake_all(wakers: &mut Vec<Waker>) {
    for waker in wakers.drain(..) {
        let _ = catch_unwind(AssertUnwindSafe(|| waker.wake()));
    }
}
