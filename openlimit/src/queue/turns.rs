//! The turn of a call that waits in several queues at once.
//!
//! Such a call departs when it is its turn in all of them. So when it is the head of one, and due,
//! it is not taken out: it is woken and stays the head, and the calls behind it wait for it, as
//! they do for every head.

use std::task::Waker;

use super::lines::{EntryState, Lines};
use super::{Key, Outcome, Turn};

impl Lines {
    /// Notes that it is the turn of the head, which stays the head from now on. Returns its waker.
    ///
    /// Its timeout does not end here any more: whatever it still waits for has a timeout, too.
    pub(super) fn report(&mut self, key: Key) -> Option<Waker> {
        let deadline = self.waiter(key)?.deadline();
        let waiter = self.waiter_mut(key)?;
        waiter.turn = Turn::Reported;
        let (line, waker) = (waiter.line(), waiter.waker.clone());
        self.deadlines.remove(&(deadline, key));
        self.order.keep(line);
        Some(waker)
    }

    /// Notes that it is not the turn of a call any more, because it is not due. It reports again
    /// when it is, or early, and also if that is known to be after `patience`.
    pub(super) fn retract(&mut self, key: Key, patience: u64, is_early: bool, late_by: u64) {
        let Some(waiter) = self.waiter_mut(key).filter(|waiter| waiter.turn == Turn::Reported) else {
            return;
        };
        (waiter.turn, waiter.late_by) = (Turn::Reports { patience, is_early }, late_by);
        let deadline = waiter.deadline();
        if deadline != u64::MAX {
            self.deadlines.insert((deadline, key));
        }
    }

    /// Ends the patience of a call. Returns its waker.
    pub(super) fn lose_patience(&mut self, key: Key) -> Option<Waker> {
        let waiter = self.waiter_mut(key)?;
        waiter.turn = Turn::REPORTS;
        Some(waiter.waker.clone())
    }

    /// Returns the outcome of a call that was not polled since.
    pub(super) fn outcome(&self, key: Key) -> Option<&Outcome> {
        match &self.entries.get(key)?.state {
            EntryState::Over(outcome) => Some(outcome),
            _ => None,
        }
    }
}
