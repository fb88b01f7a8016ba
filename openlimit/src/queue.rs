//! `Queue`: who waits, in which order, and what became of those who waited.
//!
//! Waiters live in a slab and are linked in order of arrival, so that joining, leaving from anywhere and being
//! admitted all take constant time, and nothing is allocated beyond the slab's own storage. A waiter that was
//! admitted, or whose time was over, keeps its slot until it has been told or is dropped: so what becomes of a
//! waiter never depends on its being polled, and is never lost.

use std::collections::BTreeSet;
#[cfg(feature = "redis")]
use std::iter;
use std::mem;
use std::task::Waker;

use slab::Slab;

use crate::AcquireError;
use crate::amounts::Amounts;

/// A waiter's place in the slab.
pub(crate) type Key = usize;

/// Nobody.
const NONE: Key = Key::MAX;

#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    first: Key,
    last: Key,
    slots: Slab<Slot>,
    /// How many wait.
    len: usize,
    /// What all who wait ask for, by dimension.
    asked: Box<[u128]>,
    /// Those who wait with a time-out, the earliest first.
    deadlines: BTreeSet<(u64, Key)>,
    /// How many ever joined.
    joined: u64,
}

/// A call that waits.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) amounts: Amounts,
    /// When it joined, in nanoseconds.
    pub(crate) arrived: u64,
    /// How long it may wait, in nanoseconds; the largest value for any time.
    pub(crate) timeout: u64,
    pub(crate) waker: Waker,
    /// The queue numbers those who join: a key may be somebody else's later.
    pub(crate) number: u64,
}

impl Waiter {
    /// When its time is over; the largest value for never.
    pub(crate) fn deadline(&self) -> u64 {
        self.arrived.saturating_add(self.timeout)
    }

    /// How long it has waited, in nanoseconds.
    pub(crate) fn waited(&self, now: u64) -> u64 {
        now.saturating_sub(self.arrived)
    }
}

/// What became of a waiter.
#[derive(Debug)]
pub(crate) enum Outcome {
    Admitted(Grant),
    Refused(Box<AcquireError>),
}

/// What was granted.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) amounts: Amounts,
    /// The number of the charge, which dates it.
    pub(crate) charge: u64,
    pub(crate) wait: Option<Wait>,
}

/// How a call waited.
#[derive(Debug)]
pub(crate) struct Wait {
    pub(crate) nanos: u64,
    /// The limit that it waited for, by its place in the limiter.
    pub(crate) limit: usize,
}

#[derive(Debug)]
struct Slot {
    previous: Key,
    next: Key,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(Waiter),
    Over(Outcome),
    /// Between being taken out of the line and being told.
    Unlinked,
}

impl Queue {
    pub(crate) fn new(dimensions: usize) -> Self {
        Self {
            slots: Slab::new(),
            first: NONE,
            last: NONE,
            len: 0,
            asked: vec![0; dimensions].into(),
            deadlines: BTreeSet::new(),
            joined: 0,
        }
    }

    /// Whether nobody waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// All who wait, in their order.
    #[cfg(feature = "redis")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut next = self.first;
        iter::from_fn(move || {
            let (key, slot) = (next, self.slots.get(next)?);
            let State::Waiting(waiter) = &slot.state else { return None };
            next = slot.next;
            Some((key, waiter))
        })
    }

    /// What all who wait ask for of a dimension.
    pub(crate) fn asked(&self, dimension: usize) -> u128 {
        self.asked[dimension]
    }

    /// Who is next.
    #[inline]
    pub(crate) fn head(&self) -> Option<(Key, &Waiter)> {
        match &self.slots.get(self.first)?.state {
            State::Waiting(waiter) => Some((self.first, waiter)),
            _ => None,
        }
    }

    /// The first deadline, and whose it is.
    pub(crate) fn deadline(&self) -> Option<(u64, Key)> {
        self.deadlines.first().copied()
    }

    /// Joins at the end.
    pub(crate) fn join(&mut self, mut waiter: Waiter) -> Key {
        self.joined += 1;
        waiter.number = self.joined;
        for (sum, amount) in self.asked.iter_mut().zip(waiter.amounts.as_slice()) {
            *sum += u128::from(*amount);
        }
        let deadline = waiter.deadline();
        let key = self.slots.insert(Slot { previous: self.last, next: NONE, state: State::Waiting(waiter) });
        if deadline != u64::MAX {
            self.deadlines.insert((deadline, key));
        }
        match self.last {
            NONE => self.first = key,
            last => self.slots[last].next = key,
        }
        self.last = key;
        self.len += 1;
        key
    }

    /// Takes a waiter out of the line, and leaves in its slot what became of it.
    pub(crate) fn finish(
        &mut self,
        key: Key,
        outcome: impl FnOnce(Waiter) -> (Waker, Outcome),
    ) -> Option<Waker> {
        let (waker, outcome) = outcome(self.unlink(key)?);
        self.slots.get_mut(key)?.state = State::Over(outcome);
        Some(waker)
    }

    /// Who waits there.
    pub(crate) fn waiter(&self, key: Key) -> Option<&Waiter> {
        match &self.slots.get(key)?.state {
            State::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// What became of a waiter, if anything did. While nothing did, `waker` is to be woken when it does; the one that
    /// is not needed is handed out, to be dropped where no lock is held.
    pub(crate) fn poll(&mut self, key: Key, waker: Waker) -> Result<Outcome, Waker> {
        match self.slots.get_mut(key).map(|slot| &mut slot.state) {
            Some(State::Waiting(waiter)) => Err(mem::replace(&mut waiter.waker, waker)),
            _ => self.leave(key).1.ok_or(waker),
        }
    }

    /// Frees a slot, and hands out the waiter that was there, or what had become of it.
    pub(crate) fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
        let waiter = self.unlink(key);
        let slot = self.slots.try_remove(key);
        match slot.map(|slot| slot.state) {
            Some(State::Over(outcome)) => (None, Some(outcome)),
            _ => (waiter, None),
        }
    }

    /// What an empty queue need not keep: to be dropped where no lock is held, since it may take many milliseconds.
    pub(crate) fn surplus(&mut self) -> Option<impl Sized + use<>> {
        (self.slots.is_empty() && self.slots.capacity() > KEPT).then(|| mem::take(&mut self.slots))
    }

    /// How many there is room for.
    #[cfg(all(test, feature = "testing"))]
    pub(crate) fn capacity(&self) -> usize {
        self.slots.capacity()
    }

    fn unlink(&mut self, key: Key) -> Option<Waiter> {
        let slot = self.slots.get_mut(key)?;
        if !matches!(slot.state, State::Waiting(_)) {
            return None;
        }
        let (previous, next) = (slot.previous, slot.next);
        let State::Waiting(waiter) = mem::replace(&mut slot.state, State::Unlinked) else { return None };
        match previous {
            NONE => self.first = next,
            previous => self.slots[previous].next = next,
        }
        match next {
            NONE => self.last = previous,
            next => self.slots[next].previous = previous,
        }
        self.len -= 1;
        for (sum, amount) in self.asked.iter_mut().zip(waiter.amounts.as_slice()) {
            *sum -= u128::from(*amount);
        }
        if waiter.deadline() != u64::MAX {
            self.deadlines.remove(&(waiter.deadline(), key));
        }
        Some(waiter)
    }
}

/// An empty queue keeps storage for this many waiters. What a rush took beyond that is returned.
const KEPT: usize = 1_024;
