//! What programs see of the queue: how long it is, and the calls whose wait becomes long.
//!
//! A call is woken once when it has waited for [`LONG`], although its wait is not over. So it is
//! its own task that tells the program, on its own thread: whatever the program does then, it
//! delays no other call. Calls join in order, so a list of them is enough.

use std::array;
use std::mem;
use std::task::Waker;

use super::lines::Lines;
use super::waiter::{Key, Notice, Turn, Watched};
use crate::limits::Priority;

/// From when on a wait is long, in nanoseconds: one second.
pub(crate) const LONG: u64 = 1_000_000_000;

impl Lines {
    /// Returns the number of waiters of each priority, the highest one first.
    pub(super) fn by_priority(&self) -> [usize; Priority::COUNT] {
        array::from_fn(|line| self.lines[line].len)
    }

    /// Returns when the waiter arrived that waits longest.
    pub(super) fn longest_since(&self) -> Option<u64> {
        let oldest = self.order.oldest_from(0)?;
        self.waiter(oldest).map(|waiter| waiter.arrived)
    }

    /// Wakes this call, which waits here since `now`, when it has done so for long.
    pub(super) fn watch(&mut self, key: Key, now: u64) {
        if let Some(waiter) = self.waiter(key) {
            let watched = (now.saturating_add(LONG), key, waiter.number);
            self.watch.push_back(watched);
        }
    }

    /// Collects the wakers of the calls whose wait becomes long at `now`.
    #[inline]
    pub(super) fn note_long_waits(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        while let Some(watched) = self.watch.front().copied() {
            if self.is_watched(watched) && watched.0 > now {
                return;
            }
            self.watch.pop_front();
            if self.is_watched(watched)
                && let Some(waiter) = self.waiter_mut(watched.1)
            {
                waiter.notice = Notice::Due;
                wakers.push(match waiter.turn {
                    Turn::Departs => mem::replace(&mut waiter.waker, Waker::noop().clone()),
                    // It is this crate's own, and nothing stores another one.
                    Turn::Reports { .. } | Turn::Reported => waiter.waker.clone(),
                });
            }
        }
    }

    /// Returns when the next wait becomes long; the largest value for never.
    pub(super) fn next_long_wait(&self) -> u64 {
        self.watch.front().map_or(u64::MAX, |(at, ..)| *at)
    }

    /// Returns true if this call was woken because its wait is long, and it still waits here.
    pub(super) fn is_noted(&self, key: Key) -> bool {
        self.waiter(key).is_some_and(|waiter| waiter.notice == Notice::Due && waiter.turn != Turn::Reported)
    }

    /// Returns true if the call waits here still, and the program does not know of it.
    fn is_watched(&self, (_, key, number): Watched) -> bool {
        let waiter = self.waiter(key).filter(|waiter| waiter.number == number);
        waiter.is_some_and(|waiter| waiter.notice == Notice::None && waiter.turn != Turn::Reported)
    }
}
