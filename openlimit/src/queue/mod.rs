//! The queue of a limiter: the calls that wait, their order, and the outcome of each wait.
//!
//! # Structure
//!
//! All entries are in one slab, a vector that reuses its free places. Those that wait are linked
//! into a list in the order of admission. So joining at the end, leaving from anywhere and being
//! admitted take constant time, and allocate only when the slab grows. (A timeout adds the update
//! of a sorted set, see below.) A call refers to its entry by its key in the slab.
//!
//! # From waiting to an outcome
//!
//! An entry is first a *waiter*: the amounts, the deadline and the waker of a call. When the call
//! is admitted or refused, the waiter leaves the list, and its entry keeps the *outcome* until the
//! call is polled or dropped. So the queue moves on without waiting for anyone to poll. The outcome
//! is never lost: a call that is polled receives it, and a call that is dropped hands it back, so
//! that a grant can be refunded.
//!
//! # Order
//!
//! [`Order`] alone decides which call is next. Everything else asks for the head, or for what would
//! be ahead of a newcomer. So a priority is a change in `order.rs` only.
//!
//! # Totals
//!
//! The wait of a newcomer depends on the amounts of all waiters before it. The timer's next due
//! time depends on the earliest deadline. Computing them from the list would take too long, so the
//! queue keeps the sum of all amounts, and a sorted set of all deadlines.

mod order;
mod waiter;

use std::collections::BTreeSet;
use std::iter;
use std::mem;
use std::task::Waker;

use slab::Slab;

use crate::learning::Lesson;
use crate::limits::Amounts;

pub(crate) use self::order::{Order, by_arrival};
pub(crate) use self::waiter::{Grant, Key, Outcome, Refusal, Refusals, Wait, Waiter};

/// The end of the list.
const NONE: Key = Key::MAX;

/// The waiting calls of one limiter.
///
/// `first` comes first in memory: every call reads it, to see whether any call waits.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    first: Key,
    last: Key,
    entries: Slab<Entry>,
    /// The number of waiters.
    len: usize,
    order: Order,
    /// The sum of the amounts of all waiters, by dimension.
    asked: Box<[u128]>,
    /// The waiters that have a timeout, the earliest deadline first.
    deadlines: BTreeSet<(u64, Key)>,
    /// The number of waiters that have ever joined.
    joined: u64,
}

#[derive(Debug)]
struct Entry {
    previous: Key,
    next: Key,
    state: EntryState,
}

#[derive(Debug)]
enum EntryState {
    /// In the list.
    Waiting(Waiter),
    /// Out of the list, until the call is polled or dropped.
    Over(Outcome),
    /// Out of the list, and without an outcome yet.
    Unlinked,
}

impl Queue {
    /// Creates an empty queue for a limiter that meters this number of dimensions.
    pub(crate) fn new(dimensions: usize, order: Order) -> Self {
        Self {
            entries: Slab::new(),
            first: NONE,
            last: NONE,
            len: 0,
            order,
            asked: vec![0; dimensions].into(),
            deadlines: BTreeSet::new(),
            joined: 0,
        }
    }

    /// Returns whether no call waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// Returns how many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Iterates over the waiters in their order.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut next = self.first;
        iter::from_fn(move || {
            let (key, waiter) = (next, self.waiter(next)?);
            next = self.entries[key].next;
            Some((key, waiter))
        })
    }

    /// Returns the waiter that is next.
    #[inline]
    pub(crate) fn head(&self) -> Option<(Key, &Waiter)> {
        self.waiter(self.first).map(|waiter| (self.first, waiter))
    }

    /// Returns the head; `None` if the queue is empty or `newcomer` would go before it.
    pub(crate) fn head_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        self.head().map(|(_, head)| head).filter(|head| !(self.order)(newcomer, head))
    }

    /// Returns the amount of a dimension that all waiters before `newcomer` ask for.
    pub(crate) fn ahead_of(&self, newcomer: &Waiter, dimension: usize) -> u128 {
        let behind = self.behind(newcomer).map(|(_, waiter)| waiter.amounts.as_slice()[dimension]);
        self.asked[dimension] - behind.map(u128::from).sum::<u128>()
    }

    /// Returns whether `newcomer` would go after all waiters.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn goes_last(&self, newcomer: &Waiter) -> bool {
        self.behind(newcomer).next().is_none()
    }

    /// Iterates over the waiters that `newcomer` would go before, the last one first.
    fn behind(&self, newcomer: &Waiter) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut previous = self.last;
        iter::from_fn(move || {
            let (key, waiter) = (previous, self.waiter(previous)?);
            previous = self.entries[key].previous;
            (self.order)(newcomer, waiter).then_some((key, waiter))
        })
    }

    /// Returns the earliest deadline and the key of its waiter.
    pub(crate) fn deadline(&self) -> Option<(u64, Key)> {
        self.deadlines.first().copied()
    }

    /// Adds a waiter at its place in the order, and returns its key.
    pub(crate) fn join(&mut self, mut waiter: Waiter) -> Key {
        self.joined += 1;
        waiter.number = self.joined;
        for (sum, amount) in self.asked.iter_mut().zip(waiter.amounts.as_slice()) {
            *sum += u128::from(*amount);
        }
        let deadline = waiter.deadline();
        let next = self.behind(&waiter).last().map_or(NONE, |(key, _)| key);
        let previous = self.entries.get(next).map_or(self.last, |entry| entry.previous);
        let key = self.entries.insert(Entry { previous, next, state: EntryState::Waiting(waiter) });
        if deadline != u64::MAX {
            self.deadlines.insert((deadline, key));
        }
        self.link(previous, next, key, key);
        self.len += 1;
        key
    }

    /// Replaces the amounts of the first waiters that have a lesson, where `price` returns others.
    pub(crate) fn reprice(
        &mut self,
        most: usize,
        mut price: impl FnMut(&Lesson, &Amounts) -> Option<Amounts>,
    ) {
        let mut key = self.first;
        for _ in 0..most {
            let Some(entry) = self.entries.get_mut(key) else { return };
            key = entry.next;
            let EntryState::Waiting(waiter) = &mut entry.state else { return };
            let priced = waiter.lesson.as_deref().and_then(|lesson| price(lesson, &waiter.amounts));
            if let Some(amounts) = priced {
                let both = waiter.amounts.as_slice().iter().zip(amounts.as_slice());
                for (sum, (old, new)) in self.asked.iter_mut().zip(both) {
                    *sum = *sum - u128::from(*old) + u128::from(*new);
                }
                waiter.amounts = amounts;
            }
        }
    }

    /// Ends a wait: takes the waiter out of the list and keeps the outcome in its entry.
    ///
    /// Returns the waker to call once no lock is held. Does nothing if the call does not wait.
    pub(crate) fn finish(&mut self, key: Key, outcome: impl FnOnce(&mut Waiter) -> Outcome) -> Option<Waker> {
        let mut waiter = self.unlink(key)?;
        self.entries.get_mut(key)?.state = EntryState::Over(outcome(&mut waiter));
        Some(waiter.waker)
    }

    /// Returns the waiter of this key, if it still waits.
    #[inline]
    pub(crate) fn waiter(&self, key: Key) -> Option<&Waiter> {
        match &self.entries.get(key)?.state {
            EntryState::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns a call's outcome and frees its entry. While it still waits, stores `waker` instead.
    ///
    /// Also returns the waker that it replaced, or `waker` itself if it was not stored. Drop it
    /// where no lock is held: the destructor of a waker is foreign code.
    pub(crate) fn poll(&mut self, key: Key, waker: Waker) -> (Option<Outcome>, Waker) {
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(EntryState::Waiting(waiter)) => (None, mem::replace(&mut waiter.waker, waker)),
            _ => (self.leave(key).1, waker),
        }
    }

    /// Frees an entry, and returns the waiter or the outcome that was in it.
    pub(crate) fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
        let waiter = self.unlink(key);
        let entry = self.entries.try_remove(key);
        match entry.map(|entry| entry.state) {
            Some(EntryState::Over(outcome)) => (None, Some(outcome)),
            _ => (waiter, None),
        }
    }

    /// Returns storage that an empty queue does not need, if it has much of it.
    ///
    /// Drop it where no lock is held: freeing it may take many milliseconds.
    pub(crate) fn surplus(&mut self) -> Option<impl Sized + use<>> {
        (self.entries.is_empty() && self.entries.capacity() > KEPT).then(|| mem::take(&mut self.entries))
    }

    /// Takes a waiter out of the list. Its entry stays.
    fn unlink(&mut self, key: Key) -> Option<Waiter> {
        let entry = self.entries.get_mut(key)?;
        if !matches!(entry.state, EntryState::Waiting(_)) {
            return None;
        }
        let (previous, next) = (entry.previous, entry.next);
        let EntryState::Waiting(waiter) = mem::replace(&mut entry.state, EntryState::Unlinked) else {
            return None;
        };
        self.link(previous, next, next, previous);
        self.len -= 1;
        for (sum, amount) in self.asked.iter_mut().zip(waiter.amounts.as_slice()) {
            *sum -= u128::from(*amount);
        }
        if waiter.deadline() != u64::MAX {
            self.deadlines.remove(&(waiter.deadline(), key));
        }
        Some(waiter)
    }

    /// Sets the links at the gap between `previous` and `next`: `after` follows `previous`, and
    /// `before` precedes `next`.
    fn link(&mut self, previous: Key, next: Key, after: Key, before: Key) {
        match previous {
            NONE => self.first = after,
            previous => self.entries[previous].next = after,
        }
        match next {
            NONE => self.last = before,
            next => self.entries[next].previous = before,
        }
    }
}

/// The number of entries that an empty queue keeps storage for, about 100 KB. After a rush of more
/// waiters the storage is freed.
const KEPT: usize = 1_024;

#[cfg(test)]
mod tests;
