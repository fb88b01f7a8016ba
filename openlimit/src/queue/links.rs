//! The links between the waiters: one list for each priority, and the head of them all.
//!
//! Each entry names its neighbours, so a waiter leaves from anywhere in constant time. [`Order`]
//! has the first waiter of each list, and decides which of them is the head.

use std::iter;

use super::lines::{Lines, NONE};
use super::order::{Front, Order};
use super::waiter::{Key, Waiter};
use crate::limits::Priority;

impl Lines {
    /// Iterates over the waiters in the order in which they go if no other call joins.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut order = self.order;
        iter::from_fn(move || {
            let key = self.step(&mut order)?;
            self.waiter(key).map(|waiter| (key, waiter))
        })
    }

    /// Returns the waiter that is next.
    #[inline]
    pub(super) fn head(&self) -> Option<(Key, &Waiter)> {
        self.waiter(self.head).map(|waiter| (self.head, waiter))
    }

    /// Returns the waiter that is next of those for which a part of the limits is kept.
    pub(super) fn head_above(&self) -> Option<(Key, &Waiter)> {
        let (_, front) = self.order.head_of(0..self.reserve.lines())?;
        self.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Returns the waiter that is next of the others.
    pub(super) fn head_below(&self) -> Option<(Key, &Waiter)> {
        let (_, front) = self.order.head_of(self.reserve.lines()..Priority::COUNT)?;
        self.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Sets the links at the gap between `previous` and `next` in the list of a priority: `after`
    /// follows `previous`, and `before` precedes `next`.
    #[inline]
    pub(super) fn link(&mut self, line: usize, previous: Key, next: Key, after: Key, before: Key) {
        match next {
            NONE => self.lines[line].last = before,
            next => self.entries[next].previous = before,
        }
        match previous {
            NONE => {
                self.order.set_front(line, self.waiter(after).map(|waiter| (after, waiter.number)));
                self.find_head();
            }
            previous => self.entries[previous].next = after,
        }
    }

    /// Finds the head again, after a front has changed.
    #[inline]
    pub(super) fn find_head(&mut self) {
        self.head = self.order.head().map_or(NONE, |(_, front)| front.key);
    }

    /// Returns the next call of an order, and takes it out of that as if it were admitted.
    #[inline]
    pub(super) fn step(&self, order: &mut Order) -> Option<Key> {
        let (line, front) = order.head()?;
        self.take_front(order, line, front);
        order.gone(line, front.number);
        Some(front.key)
    }

    /// Takes the front of a priority out of an order, as if it left.
    #[inline]
    pub(super) fn take_front(&self, order: &mut Order, line: usize, front: Front) {
        let next = self.entries.get(front.key).map_or(NONE, |entry| entry.next);
        order.set_front(line, self.waiter(next).map(|waiter| (next, waiter.number)));
    }
}
