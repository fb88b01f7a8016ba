//! `wake_all`: calls wakers.
//!
//! A waker is foreign code: it belongs to the program or its runtime. It may run for any length of
//! time, call back into the limiter, or panic. So wakers are collected under the lock and called
//! after it is released.

use std::task::Waker;

use super::contain::contain;
use super::later::wake_later;

/// Calls every waker. If one panics, its own task may be lost, but the others are still woken.
///
/// Within [`in_order`](super::in_order), they are called after its work, which may hold a lock.
#[inline]
pub(crate) fn wake_all(wakers: &mut Vec<Waker>) {
    if !wakers.is_empty() {
        wake_each(wakers);
    }
}

#[inline(never)]
fn wake_each(wakers: &mut Vec<Waker>) {
    wake_later(wakers);
    for waker in wakers.drain(..) {
        contain(|| waker.wake());
    }
}
