//! `Lines`: the entries of a queue, each from joining to its outcome.
//!
//! All that adds, changes or ends a wait is here, because each such change has to keep the totals
//! of its priority and the set of deadlines true.

use std::array;
use std::collections::{BTreeSet, VecDeque};
use std::mem;
use std::task::Waker;

use slab::Slab;

use super::Reserve;
use super::order::Order;
use super::waiter::{Key, Outcome, Waiter, Watched};
use crate::bucket::Ahead;
use crate::limits::{Amounts, Priority};

/// The end of the list.
pub(super) const NONE: Key = Key::MAX;

/// The waiting calls of a limiter, once there was one. See [`Queue`](super::Queue).
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) head: Key,
    pub(super) order: Order,
    pub(super) reserve: Reserve,
    /// The calls of each priority, the highest one first.
    pub(super) lines: [Line; Priority::COUNT],
    pub(super) entries: Slab<Entry>,
    /// The number of waiters.
    pub(super) len: usize,
    /// The waiters that have a timeout, the earliest deadline first.
    pub(super) deadlines: BTreeSet<(u64, Key)>,
    /// The number of waiters that have ever joined.
    joined: u64,
    /// How often waiters were moved back, by others that joined before them or ask for more.
    pub(super) setbacks: u64,
    /// The calls to wake when their wait becomes long, in the order of their arrival. Empty if
    /// nobody wants to know.
    pub(super) watch: VecDeque<Watched>,
}

/// The waiting calls of one priority. [`Order`] has the first of them.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) last: Key,
    /// Their number.
    pub(super) len: usize,
    /// The number of those that take nothing.
    pub(super) free: usize,
    /// What they take together, by dimension.
    pub(super) asked: Box<[Ahead]>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) previous: Key,
    pub(super) next: Key,
    pub(super) state: EntryState,
}

#[derive(Debug)]
pub(super) enum EntryState {
    /// In the list.
    Waiting(Waiter),
    /// Out of the list, until the call is polled or dropped.
    Over(Outcome),
    /// Out of the list, and without an outcome yet.
    Unlinked,
}

impl Lines {
    /// Creates an empty queue for a limiter that meters this number of dimensions.
    pub(super) fn new(dimensions: usize, reserve: Reserve) -> Self {
        Self {
            head: NONE,
            order: Order::default(),
            reserve,
            lines: array::from_fn(|_| Line {
                last: NONE,
                len: 0,
                free: 0,
                asked: vec![Ahead::default(); dimensions].into(),
            }),
            entries: Slab::new(),
            len: 0,
            deadlines: BTreeSet::new(),
            joined: 0,
            setbacks: 0,
            watch: VecDeque::new(),
        }
    }

    /// Returns how many calls wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the earliest deadline and the key of its waiter.
    pub(super) fn deadline(&self) -> Option<(u64, Key)> {
        self.deadlines.first().copied()
    }

    /// Adds a waiter at the end of its priority, and returns its key.
    pub(super) fn join(&mut self, mut waiter: Waiter) -> Key {
        self.joined += 1;
        waiter.number = self.joined;
        waiter.position = self.position(&waiter).try_into().unwrap_or(u32::MAX);
        let (line, deadline) = (waiter.line(), waiter.deadline());
        self.setbacks += u64::from(self.order.has_below(line));
        self.lines[line].add(&waiter.amounts);
        self.lines[line].len += 1;
        let previous = self.lines[line].last;
        let entry = Entry { previous, next: NONE, state: EntryState::Waiting(waiter) };
        let key = self.entries.insert(entry);
        if deadline != u64::MAX {
            self.deadlines.insert((deadline, key));
        }
        self.link(line, previous, NONE, key, key);
        self.len += 1;
        key
    }

    /// Replaces the amounts of the first waiters where `price` returns others.
    pub(super) fn reprice(&mut self, most: usize, mut price: impl FnMut(&Waiter) -> Option<Amounts>) {
        let mut order = self.order;
        for _ in 0..most {
            let Some(key) = self.step(&mut order) else { return };
            let EntryState::Waiting(waiter) = &mut self.entries[key].state else { return };
            if let Some(amounts) = price(waiter) {
                let line = &mut self.lines[waiter.line()];
                line.subtract(&waiter.amounts);
                line.add(&amounts);
                waiter.amounts = amounts;
                self.setbacks += 1;
            }
        }
    }

    /// Notes that a newcomer of this priority has gone before all waiters.
    pub(super) fn overtaken_by(&mut self, priority: Priority) {
        self.order.gone(priority.place(), u64::MAX);
        self.find_head();
    }

    /// Ends a wait: takes the waiter out of its list and keeps the outcome in its entry.
    ///
    /// Returns the waker to call once no lock is held. Does nothing if the call does not wait.
    pub(super) fn finish(&mut self, key: Key, outcome: impl FnOnce(&mut Waiter) -> Outcome) -> Option<Waker> {
        let mut waiter = self.unlink(key)?;
        let outcome = outcome(&mut waiter);
        if matches!(outcome, Outcome::Admitted(_)) || waiter.turn.is_kept() {
            self.has_overtaken(&waiter);
        }
        self.entries.get_mut(key)?.state = EntryState::Over(outcome);
        Some(waiter.waker)
    }

    /// Returns the waiter of this key, if it still waits.
    #[inline]
    pub(super) fn waiter(&self, key: Key) -> Option<&Waiter> {
        match &self.entries.get(key)?.state {
            EntryState::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns the waiter of this key to change what does not affect the order.
    pub(super) fn waiter_mut(&mut self, key: Key) -> Option<&mut Waiter> {
        match &mut self.entries.get_mut(key)?.state {
            EntryState::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns a call's outcome and frees its entry. While it still waits, stores `waker` instead.
    ///
    /// Also returns the waker that it replaced, or `waker` itself if it was not stored. Drop it
    /// where no lock is held: the destructor of a waker is foreign code.
    pub(super) fn poll(&mut self, key: Key, waker: Waker) -> (Option<Outcome>, Waker) {
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(EntryState::Waiting(waiter)) => (None, mem::replace(&mut waiter.waker, waker)),
            _ => (self.leave(key).1, waker),
        }
    }

    /// Frees an entry, and returns the waiter or the outcome that was in it.
    pub(super) fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
        let waiter = self.unlink(key);
        if let Some(waiter) = waiter.as_ref().filter(|waiter| waiter.turn.is_kept()) {
            self.has_overtaken(waiter);
        }
        let entry = self.entries.try_remove(key);
        match entry.map(|entry| entry.state) {
            Some(EntryState::Over(outcome)) => (None, Some(outcome)),
            _ => (waiter, None),
        }
    }

    /// Returns storage that an empty queue does not need, if it has much of it.
    ///
    /// Drop it where no lock is held: freeing it may take many milliseconds.
    pub(super) fn surplus(&mut self) -> Option<impl Sized + use<>> {
        (self.entries.is_empty() && self.entries.capacity() > KEPT).then(|| mem::take(&mut self.entries))
    }

    /// Notes that a call has gone before those of lower priorities that arrived earlier: it has
    /// departed, or it leaves after its turn, in which it held them up.
    fn has_overtaken(&mut self, waiter: &Waiter) {
        self.order.gone(waiter.line(), waiter.number);
        self.find_head();
    }

    /// Takes a waiter out of its list. Its entry stays.
    fn unlink(&mut self, key: Key) -> Option<Waiter> {
        let entry = self.entries.get_mut(key)?;
        if !matches!(entry.state, EntryState::Waiting(_)) {
            return None;
        }
        let (previous, next) = (entry.previous, entry.next);
        let EntryState::Waiting(waiter) = mem::replace(&mut entry.state, EntryState::Unlinked) else {
            return None;
        };
        let line = waiter.line();
        self.link(line, previous, next, next, previous);
        self.len -= 1;
        self.lines[line].len -= 1;
        self.lines[line].subtract(&waiter.amounts);
        if waiter.deadline() != u64::MAX {
            self.deadlines.remove(&(waiter.deadline(), key));
        }
        Some(waiter)
    }
}

impl Line {
    fn add(&mut self, amounts: &Amounts) {
        self.free += usize::from(amounts.is_zero());
        for (sum, amount) in self.asked.iter_mut().zip(amounts.as_slice()) {
            sum.add(*amount);
        }
    }

    fn subtract(&mut self, amounts: &Amounts) {
        self.free -= usize::from(amounts.is_zero());
        for (sum, amount) in self.asked.iter_mut().zip(amounts.as_slice()) {
            sum.subtract(*amount);
        }
    }
}

/// The number of entries that an empty queue keeps storage for, about 100 KB. After a rush of more
/// waiters the storage is freed.
pub(super) const KEPT: usize = 1_024;
