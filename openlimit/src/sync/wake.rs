//! `wake_all`: calls wakers.
//!
//! A waker is foreign code: it belongs to the program or its runtime. It may run for any length of
//! time, call back into the limiter, or panic. So wakers are collected under the lock and called
//! after it is released.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Calls every waker. If one panics, its own task may be lost, but the others are still woken.
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
