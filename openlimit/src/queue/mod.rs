//! The queue of a limiter: the calls that wait, their order, and the outcome of each wait.
//!
//! # Structure
//!
//! All entries are in one slab, a vector that reuses its free places. Those that wait are linked
//! into one list for each priority. So joining, leaving from anywhere and being admitted take
//! constant time, and allocate only when the slab grows. (A timeout adds the update of a sorted
//! set, see below.) A call refers to its entry by its key in the slab.
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
//! The calls of each priority are a list of their own, in the order of their arrival, and
//! [`Order`](order) decides which of the lists is next. So a newcomer never has to look for its
//! place, however many calls of other priorities wait.
//!
//! # Totals
//!
//! The wait of a newcomer depends on the amounts of all waiters before it. The timer's next due
//! time depends on the earliest deadline. Computing them from the lists would take too long, so the
//! queue keeps the sum of all amounts of each priority, and a sorted set of all deadlines.

mod lazy;
mod order;
mod overflow;
mod reserve;
mod turns;
mod urgency;
mod waiter;
mod watch;

use std::array;
use std::collections::{BTreeSet, VecDeque};
use std::iter;
use std::mem;
use std::task::Waker;

use slab::Slab;

use crate::limits::{Amounts, Priority};

pub(crate) use self::lazy::Queue;
use self::order::Order;
pub use self::overflow::Overflow;
pub(crate) use self::reserve::Reserve;
pub(crate) use self::urgency::Urgency;
use self::waiter::Watched;
pub(crate) use self::waiter::{Grant, Key, Notice, Outcome, Refusal, Refusals, Turn, Wait, Waiter};
pub(crate) use self::watch::LONG;

/// The end of the list.
const NONE: Key = Key::MAX;

/// The waiting calls of a limiter, once there was one. See [`Queue`].
#[derive(Debug)]
struct Lines {
    head: Key,
    order: Order,
    reserve: Reserve,
    /// The calls of each priority, the highest one first.
    lines: [Line; Priority::COUNT],
    entries: Slab<Entry>,
    /// The number of waiters.
    len: usize,
    /// The waiters that have a timeout, the earliest deadline first.
    deadlines: BTreeSet<(u64, Key)>,
    /// The number of waiters that have ever joined.
    joined: u64,
    /// How often waiters were moved back, by others that joined before them or ask for more.
    setbacks: u64,
    /// The calls to wake when their wait becomes long, in the order of their arrival. Empty if
    /// nobody wants to know.
    watch: VecDeque<Watched>,
}

/// The waiting calls of one priority. [`Order`] has the first of them.
#[derive(Debug)]
struct Line {
    last: Key,
    /// Their number.
    len: usize,
    /// The number of those that take nothing.
    free: usize,
    /// The sum of their amounts, by dimension.
    asked: Box<[u128]>,
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

impl Lines {
    /// Creates an empty queue for a limiter that meters this number of dimensions.
    fn new(dimensions: usize, reserve: Reserve) -> Self {
        Self {
            head: NONE,
            order: Order::default(),
            reserve,
            lines: array::from_fn(|_| Line {
                last: NONE,
                len: 0,
                free: 0,
                asked: vec![0; dimensions].into(),
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
    fn len(&self) -> usize {
        self.len
    }

    /// Iterates over the waiters in the order in which they go if no other call joins.
    fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        let mut order = self.order;
        iter::from_fn(move || {
            let key = self.step(&mut order)?;
            self.waiter(key).map(|waiter| (key, waiter))
        })
    }

    /// Returns the waiter that is next.
    #[inline]
    fn head(&self) -> Option<(Key, &Waiter)> {
        self.waiter(self.head).map(|waiter| (self.head, waiter))
    }

    /// Returns the waiter that is next of those for which a part of the limits is kept.
    fn head_above(&self) -> Option<(Key, &Waiter)> {
        let (_, front) = self.order.head_of(0..self.reserve.lines())?;
        self.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Returns the waiter that is next of the others.
    fn head_below(&self) -> Option<(Key, &Waiter)> {
        let (_, front) = self.order.head_of(self.reserve.lines()..Priority::COUNT)?;
        self.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Returns the first call that `newcomer` has to wait for, if there is one.
    fn head_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        let (line, lines) = (newcomer.line(), self.reserve.lines_of(newcomer));
        let (head, front) = self.order.head_of(0..lines)?;
        let overtakes = head > line && self.order.owed_below(line, lines).next().is_none();
        self.waiter(front.key).filter(|_| !overtakes)
    }

    /// Returns the least amount of a dimension that is taken before `newcomer` can go: by all
    /// waiters of the same and of higher priorities, and by those that are owed their turn. For a
    /// waiter, it is as if it left and joined again.
    fn ahead_of(&self, newcomer: &Waiter, dimension: usize) -> u128 {
        let (line, lines) = (newcomer.line(), self.reserve.lines_of(newcomer));
        let owed = self.order.owed_below(line, lines).filter_map(|key| self.waiter(key));
        let owed: u128 = owed.map(|waiter| u128::from(waiter.amounts.as_slice()[dimension])).sum();
        let own = if newcomer.number > 0 { newcomer.amounts.as_slice()[dimension] } else { 0 };
        self.lines[..=line].iter().map(|line| line.asked[dimension]).sum::<u128>() + owed - u128::from(own)
    }

    /// Returns whether `newcomer` would go after all waiters.
    fn goes_last(&self, newcomer: &Waiter) -> bool {
        !self.order.has_below(newcomer.line())
    }

    /// Returns how many waiters take nothing from a share.
    fn above(&self) -> usize {
        let (above, below) = self.lines.split_at(self.reserve.lines());
        above.iter().map(|line| line.len).sum::<usize>() + below.iter().map(|line| line.free).sum::<usize>()
    }

    /// Returns the earliest deadline and the key of its waiter.
    fn deadline(&self) -> Option<(u64, Key)> {
        self.deadlines.first().copied()
    }

    /// Adds a waiter at the end of its priority, and returns its key.
    fn join(&mut self, mut waiter: Waiter) -> Key {
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
    fn reprice(&mut self, most: usize, mut price: impl FnMut(&Waiter) -> Option<Amounts>) {
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
    fn overtaken_by(&mut self, priority: Priority) {
        self.order.gone(priority.place(), u64::MAX);
        self.find_head();
    }

    /// Ends a wait: takes the waiter out of its list and keeps the outcome in its entry.
    ///
    /// Returns the waker to call once no lock is held. Does nothing if the call does not wait.
    fn finish(&mut self, key: Key, outcome: impl FnOnce(&mut Waiter) -> Outcome) -> Option<Waker> {
        let mut waiter = self.unlink(key)?;
        let outcome = outcome(&mut waiter);
        if matches!(outcome, Outcome::Admitted(_)) {
            self.order.gone(waiter.line(), waiter.number);
            self.find_head();
        }
        self.entries.get_mut(key)?.state = EntryState::Over(outcome);
        Some(waiter.waker)
    }

    /// Returns the waiter of this key, if it still waits.
    #[inline]
    fn waiter(&self, key: Key) -> Option<&Waiter> {
        match &self.entries.get(key)?.state {
            EntryState::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns the waiter of this key to change what does not affect the order.
    fn waiter_mut(&mut self, key: Key) -> Option<&mut Waiter> {
        match &mut self.entries.get_mut(key)?.state {
            EntryState::Waiting(waiter) => Some(waiter),
            _ => None,
        }
    }

    /// Returns a call's outcome and frees its entry. While it still waits, stores `waker` instead.
    ///
    /// Also returns the waker that it replaced, or `waker` itself if it was not stored. Drop it
    /// where no lock is held: the destructor of a waker is foreign code.
    fn poll(&mut self, key: Key, waker: Waker) -> (Option<Outcome>, Waker) {
        match self.entries.get_mut(key).map(|entry| &mut entry.state) {
            Some(EntryState::Waiting(waiter)) => (None, mem::replace(&mut waiter.waker, waker)),
            _ => (self.leave(key).1, waker),
        }
    }

    /// Frees an entry, and returns the waiter or the outcome that was in it.
    fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
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
    fn surplus(&mut self) -> Option<impl Sized + use<>> {
        (self.entries.is_empty() && self.entries.capacity() > KEPT).then(|| mem::take(&mut self.entries))
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

    /// Sets the links at the gap between `previous` and `next` in the list of a priority: `after`
    /// follows `previous`, and `before` precedes `next`.
    fn link(&mut self, line: usize, previous: Key, next: Key, after: Key, before: Key) {
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
    fn find_head(&mut self) {
        self.head = self.order.head().map_or(NONE, |(_, front)| front.key);
    }

    /// Returns the next call of an order, and takes it out of that as if it were admitted.
    fn step(&self, order: &mut Order) -> Option<Key> {
        let (line, front) = order.head()?;
        let next = self.entries.get(front.key)?.next;
        order.set_front(line, self.waiter(next).map(|waiter| (next, waiter.number)));
        order.gone(line, front.number);
        Some(front.key)
    }
}

impl Line {
    fn add(&mut self, amounts: &Amounts) {
        self.free += usize::from(amounts.is_zero());
        for (sum, amount) in self.asked.iter_mut().zip(amounts.as_slice()) {
            *sum += u128::from(*amount);
        }
    }

    fn subtract(&mut self, amounts: &Amounts) {
        self.free -= usize::from(amounts.is_zero());
        for (sum, amount) in self.asked.iter_mut().zip(amounts.as_slice()) {
            *sum -= u128::from(*amount);
        }
    }
}

/// The number of entries that an empty queue keeps storage for, about 100 KB. After a rush of more
/// waiters the storage is freed.
const KEPT: usize = 1_024;

#[cfg(test)]
mod tests;
