//! `Queue`: the waiting calls of one limiter, without any storage before the first of them.
//!
//! A limiter for each key has a queue for each key, and few of them ever wait. So the lists of
//! waiters are made when the first call joins.

use std::task::Waker;

use super::lines::{Lines, NONE};
use super::waiter::{Key, Outcome, Turn, Waiter};
use super::walk::Walk;
use super::{Overflow, Reserve};
use crate::bucket::Ahead;
use crate::limits::{Amounts, Priority};

/// The waiting calls of one limiter.
///
/// `head` comes first in memory: every call reads it, to see whether any call waits.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue {
    head: Key,
    lines: Option<Box<Lines>>,
    dimensions: u32,
    reserve: Reserve,
}

impl Queue {
    /// Creates an empty queue for a limiter that meters this number of dimensions.
    pub(crate) fn new(dimensions: usize) -> Self {
        Self { head: NONE, lines: None, dimensions: dimensions as u32, reserve: Reserve::default() }
    }

    /// Keeps a part of every limit for some priorities. Half of the dimensions are then those of
    /// the share of the others.
    pub(crate) fn reserving(self, reserve: Reserve) -> Self {
        Self { reserve, ..self }
    }

    /// Returns the priorities for which a part of every limit is kept.
    pub(crate) fn reserve(&self) -> Reserve {
        self.reserve
    }

    /// Returns whether no call waits.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head == NONE
    }

    /// Returns how many calls wait.
    pub(crate) fn len(&self) -> usize {
        self.lines.as_ref().map_or(0, |lines| lines.len())
    }

    /// Returns whether the head waits for other limiters only.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn waits_elsewhere(&self) -> bool {
        self.head().is_some_and(|(_, head)| head.turn == Turn::Reported)
    }

    /// Iterates over the waiters in the order in which they go if no other call joins.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &Waiter)> {
        self.lines.iter().flat_map(|lines| lines.iter())
    }

    /// Returns a walk through the waiters in that order, which says if one departs or is refused.
    /// `None` if no call has ever waited.
    pub(crate) fn walk(&self) -> Option<Walk<'_>> {
        self.lines.as_deref().map(Walk::new)
    }

    /// Returns the waiter that is next.
    #[inline]
    pub(crate) fn head(&self) -> Option<(Key, &Waiter)> {
        self.lines.as_ref()?.head()
    }

    /// Returns the waiter that is next of those for which a part of the limits is kept.
    pub(crate) fn head_above(&self) -> Option<(Key, &Waiter)> {
        self.lines.as_ref()?.head_above()
    }

    /// Returns the waiter that is next of the others.
    pub(crate) fn head_below(&self) -> Option<(Key, &Waiter)> {
        self.lines.as_ref()?.head_below()
    }

    /// Returns the first call that `newcomer` has to wait for, if there is one.
    pub(crate) fn head_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        self.lines.as_ref()?.head_before(newcomer)
    }

    /// Returns the call behind which `newcomer` joins, if there is one of the same priority.
    pub(crate) fn last_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        self.lines.as_ref()?.last_before(newcomer)
    }

    /// Returns the least that is taken of a dimension before `newcomer` can go.
    pub(crate) fn ahead_of(&self, newcomer: &Waiter, dimension: usize) -> Ahead {
        self.lines.as_ref().map_or_else(Ahead::default, |lines| lines.ahead_of(newcomer, dimension))
    }

    /// Returns whether `newcomer` would go after all waiters.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn goes_last(&self, newcomer: &Waiter) -> bool {
        self.lines.as_ref().is_none_or(|lines| lines.goes_last(newcomer))
    }

    /// Returns the number of dimensions that the waiters' amounts are of.
    pub(crate) fn dimensions(&self) -> usize {
        self.dimensions as usize
    }

    /// Returns how often waiters were moved back by what happened in the queue.
    pub(crate) fn setbacks(&self) -> u64 {
        self.lines.as_ref().map_or(0, |lines| lines.setbacks)
    }

    /// Returns how many waiters have a deadline.
    pub(crate) fn deadlines(&self) -> usize {
        self.lines.as_ref().map_or(0, |lines| lines.deadlines.len())
    }

    /// Returns the call to refuse after the call of this key has joined, or after fewer may wait.
    pub(crate) fn excess(&self, newcomer: Option<Key>, overflow: Overflow) -> Option<Key> {
        self.lines.as_ref()?.excess(newcomer, overflow)
    }

    /// Returns the earliest deadline and the key of its waiter.
    pub(crate) fn deadline(&self) -> Option<(u64, Key)> {
        self.lines.as_ref()?.deadline()
    }

    /// Adds a waiter at the end of its priority, and returns its key.
    pub(crate) fn join(&mut self, waiter: Waiter) -> Key {
        let (dimensions, reserve) = (self.dimensions(), self.reserve);
        let lines = self.lines.get_or_insert_with(|| Box::new(Lines::new(dimensions, reserve)));
        let key = lines.join(waiter);
        self.head = lines.head;
        key
    }

    /// Replaces the amounts of the first waiters where `price` returns others.
    pub(crate) fn reprice(&mut self, most: usize, price: impl FnMut(&Waiter) -> Option<Amounts>) {
        if let Some(lines) = &mut self.lines {
            lines.reprice(most, price);
        }
    }

    /// Notes that a newcomer of this priority has gone before all waiters.
    pub(crate) fn overtaken_by(&mut self, priority: Priority) {
        self.change(|lines| lines.overtaken_by(priority));
    }

    /// Ends a wait, and keeps the outcome. Returns the waker to call once no lock is held. Does
    /// nothing if the call does not wait.
    pub(crate) fn finish(&mut self, key: Key, outcome: impl FnOnce(&mut Waiter) -> Outcome) -> Option<Waker> {
        self.change(|lines| lines.finish(key, outcome))?
    }

    /// Returns the waiter of this key, if it still waits.
    #[inline]
    pub(crate) fn waiter(&self, key: Key) -> Option<&Waiter> {
        self.lines.as_ref()?.waiter(key)
    }

    /// Returns a call's outcome and frees its entry. While it still waits, stores `waker` instead.
    ///
    /// Also returns the waker that it replaced, or `waker` itself if it was not stored. Drop it
    /// where no lock is held: the destructor of a waker is foreign code.
    pub(crate) fn poll(&mut self, key: Key, waker: Waker) -> (Option<Outcome>, Waker) {
        match &mut self.lines {
            Some(lines) => lines.poll(key, waker),
            None => (None, waker),
        }
    }

    /// Returns the waiter of this key to change what does not affect the order.
    pub(crate) fn waiter_mut(&mut self, key: Key) -> Option<&mut Waiter> {
        self.lines.as_mut()?.waiter_mut(key)
    }

    /// Returns the number of waiters of each priority, the highest one first.
    pub(crate) fn by_priority(&self) -> [usize; Priority::COUNT] {
        self.lines.as_ref().map_or([0; Priority::COUNT], |lines| lines.by_priority())
    }

    /// Returns how many waiters take nothing from a share. If there is none, `len` counts all.
    #[allow(dead_code, reason = "for backends that grant ahead")]
    pub(crate) fn above(&self) -> usize {
        self.lines.as_ref().map_or(0, |lines| lines.above())
    }

    /// Returns when the waiter arrived that waits longest.
    pub(crate) fn longest_since(&self) -> Option<u64> {
        self.lines.as_ref()?.longest_since()
    }

    /// Wakes this call, which waits here since `now`, when it has done so for long.
    pub(crate) fn watch(&mut self, key: Key, now: u64) {
        if let Some(lines) = &mut self.lines {
            lines.watch(key, now);
        }
    }

    /// Collects the wakers of the calls whose wait becomes long at `now`.
    pub(crate) fn note_long_waits(&mut self, now: u64, wakers: &mut Vec<Waker>) {
        if let Some(lines) = &mut self.lines {
            lines.note_long_waits(now, wakers);
        }
    }

    /// Returns when the next wait becomes long; the largest value for never.
    pub(crate) fn next_long_wait(&self) -> u64 {
        self.lines.as_ref().map_or(u64::MAX, |lines| lines.next_long_wait())
    }

    /// Returns true if this call was woken because its wait is long, and it still waits here.
    pub(crate) fn is_noted(&self, key: Key) -> bool {
        self.lines.as_ref().is_some_and(|lines| lines.is_noted(key))
    }

    /// Frees an entry, and returns the waiter or the outcome that was in it.
    pub(crate) fn leave(&mut self, key: Key) -> (Option<Waiter>, Option<Outcome>) {
        self.change(|lines| lines.leave(key)).unwrap_or((None, None))
    }

    /// Returns storage that an empty queue does not need, if it has much of it.
    ///
    /// Drop it where no lock is held: freeing it may take many milliseconds.
    pub(crate) fn surplus(&mut self) -> Option<impl Sized + use<>> {
        self.lines.as_mut()?.surplus()
    }

    /// Notes that it is the turn of the head, which stays the head from now on. Returns its waker.
    pub(crate) fn report(&mut self, key: Key) -> Option<Waker> {
        self.lines.as_mut()?.report(key)
    }

    /// Notes that it is not the turn of a call any more. It reports again when it is, or early, and
    /// also if that is known to be after `patience`.
    pub(crate) fn retract(&mut self, key: Key, patience: u64, is_early: bool, late_by: u64) {
        if let Some(lines) = &mut self.lines {
            lines.retract(key, patience, is_early, late_by);
        }
    }

    /// Ends the patience of a call. Returns its waker.
    pub(crate) fn lose_patience(&mut self, key: Key) -> Option<Waker> {
        self.lines.as_mut()?.lose_patience(key)
    }

    /// Returns the outcome of a call that was not polled since.
    pub(crate) fn outcome(&self, key: Key) -> Option<&Outcome> {
        self.lines.as_ref()?.outcome(key)
    }

    /// Changes the lists, if there are any.
    fn change<T>(&mut self, change: impl FnOnce(&mut Lines) -> T) -> Option<T> {
        let lines = self.lines.as_mut()?;
        let changed = change(lines);
        self.head = lines.head;
        Some(changed)
    }
}
