//! The waiting queue of a limiter: who waits, in which order, and how each wait ended.
//!
//! Waiters live in a slab and are linked in the order in which they go. So joining at the end,
//! leaving from anywhere and being admitted take constant time, and nothing is allocated beyond
//! the slab's own storage. A waiter that was admitted or refused keeps its entry until it is polled
//! or dropped. So its outcome never depends on being polled, and is never lost.

mod order;
mod waiter;

use std::collections::BTreeSet;
use std::iter;
use std::mem;
use std::task::Waker;

use slab::Slab;

pub(crate) use self::order::{Order, by_arrival};
pub(crate) use self::waiter::{Grant, Outcome, Refusal, Wait, Waiter};

/// A waiter's place in the slab.
pub(crate) type Key = usize;

/// No waiter.
const NONE: Key = Key::MAX;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    first: Key,
    last: Key,
    entries: Slab<Entry>,
    /// How many wait.
    len: usize,
    order: Order,
    /// The sum of what all waiters ask for, by dimension.
    asked: Box<[u128]>,
    /// The waiters that have a timeout, the earliest deadline first.
    deadlines: BTreeSet<(u64, Key)>,
    /// How many have ever joined.
    joined: u64,
}

#[derive(Debug)]
struct Entry {
    previous: Key,
    next: Key,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    Waiting(Waiter),
    Over(Outcome),
    /// Taken out of the line, and without an outcome yet.
    Unlinked,
}

impl Queue {
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

    /// Iterates over all that wait, in the order in which they go.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut next = self.first;
        iter::from_fn(move || {
            let (key, waiter) = (next, self.waiter(next)?);
            next = self.entries[key].next;
            Some((key, waiter))
        })
    }

    /// Returns the waiter that goes next.
    #[inline]
    pub(crate) fn head(&self) -> Option<(Key, &Waiter)> {
        self.waiter(self.first).map(|waiter| (self.first, waiter))
    }

    /// Returns the head, unless `newcomer` would go before it.
    pub(crate) fn head_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        self.head().map(|(_, head)| head).filter(|head| !(self.order)(newcomer, head))
    }

    /// Returns how much of a dimension all that would go before `newcomer` ask for.
    pub(crate) fn ahead_of(&self, newcomer: &Waiter, dimension: usize) -> u128 {
        let behind = self.behind(newcomer).map(|(_, waiter)| waiter.amounts.as_slice()[dimension]);
        self.asked[dimension] - behind.map(u128::from).sum::<u128>()
    }

    /// Returns whether `newcomer` would go after all that wait.
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

    /// Returns the first deadline, and whose it is.
    pub(crate) fn deadline(&self) -> Option<(u64, Key)> {
        self.deadlines.first().copied()
    }

    /// Adds a waiter at its place in the order.
    pub(crate) fn join(&mut self, mut waiter: Waiter) -> Key {
        self.joined += 1;
        waiter.number = self.joined;
        for (sum, amount) in self.asked.iter_mut().zip(waiter.amounts.as_slice()) {
            *sum += u128::from(*amount);
        }
        let deadline = waiter.deadline();
        let next = self.behind(&waiter).last().map_or(NONE, |(key, _)| key);
        let previous = self.entries.get(next).map_or(self.last, |entry| entry.previous);
        let key = self.entries.insert(Entry { previous, next, stage: Stage::Waiting(waiter) });
        if deadline != u64::MAX {
            self.deadlines.insert((deadline, key));
        }
        self.link(previous, next, key, key);
        self.len += 1;
        key
    }

    /// Takes a waiter out of the line and leaves its outcome in its entry.
    pub(crate) fn finish(&mut self, key: Key, outcome: impl FnOnce(&mut Waiter) -> Outcome) -> Option<Waker> {
        let mut waiter = self.unlink(key)?;
        self.entries.get_mut(key)?.stage = Stage::Over(outcome(&mut waiter));
        Some(waiter.waker)
    }

    /// Returns the waiter of this key, if it still waits.
    #[inline]
    pub(crate) fn waiter(&self, key: Key) -> Option<&Waiter> {
        match &self.entries.get(key)?.stage {
            Stage::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns a waiter's outcome and frees its entry. While there is none, keeps `waker` to be
    /// woken by it.
    ///
    /// Returns the waker that is no longer needed otherwise, to be dropped where no lock is held.
    pub(crate) fn poll(&mut self, key: Key, waker: Waker) -> Result<Outcome, Waker> {
        match self.entries.get_mut(key).map(|entry| &mut entry.stage) {
            Some(Stage::Waiting(waiter)) => Err(mem::replace(&mut waiter.waker, waker)),
            _ => self.leave(key).1.ok_or(waker),
        }
    }

    /// Frees an entry and returns the waiter that was there, or its outcome.
    pub(crate) fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
        let waiter = self.unlink(key);
        let entry = self.entries.try_remove(key);
        match entry.map(|entry| entry.stage) {
            Some(Stage::Over(outcome)) => (None, Some(outcome)),
            _ => (waiter, None),
        }
    }

    /// Returns the storage that an empty queue need not keep.
    ///
    /// Drop it where no lock is held: freeing it may take many milliseconds.
    pub(crate) fn surplus(&mut self) -> Option<impl Sized + use<>> {
        (self.entries.is_empty() && self.entries.capacity() > KEPT).then(|| mem::take(&mut self.entries))
    }

    fn unlink(&mut self, key: Key) -> Option<Waiter> {
        let entry = self.entries.get_mut(key)?;
        if !matches!(entry.stage, Stage::Waiting(_)) {
            return None;
        }
        let (previous, next) = (entry.previous, entry.next);
        let Stage::Waiting(waiter) = mem::replace(&mut entry.stage, Stage::Unlinked) else { return None };
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

    /// Makes `after` follow `previous`, and `before` precede `next`.
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

/// How many entries an empty queue keeps storage for. A rush's storage beyond that is freed.
const KEPT: usize = 1_024;

#[cfg(test)]
mod tests;
