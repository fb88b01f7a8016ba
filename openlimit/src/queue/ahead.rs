//! What is before a newcomer: the call that it has to wait for, and how much others take before it.
//!
//! The answers come from the totals of each priority and the few calls that are owed their turn, so
//! they take as long for one waiter as for a million.

use super::lines::{Line, Lines};
use super::waiter::Waiter;
use crate::bucket::Ahead;

impl Lines {
    /// Returns the first call that `newcomer` has to wait for, if there is one.
    pub(super) fn head_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        let (line, lines) = (newcomer.line(), self.reserve.lines_of(newcomer));
        let (head, front) = self.order.head_of(0..lines)?;
        let overtakes = head > line && self.order.owed_below(line, lines).next().is_none();
        self.waiter(front.key).filter(|_| !overtakes)
    }

    /// Returns the least that is taken of a dimension before `newcomer` can go: by all waiters of
    /// the same and of higher priorities, and by those that are owed their turn.
    ///
    /// A waiter counts as if it left its own priority and joined it again. For a waiter, a higher
    /// priority does not count if a call joined it later: once the waiter is owed its turn, it goes
    /// before that call.
    pub(super) fn ahead_of(&self, newcomer: &Waiter, dimension: usize) -> Ahead {
        let (line, lines) = (newcomer.line(), self.reserve.lines_of(newcomer));
        let asked = |line: &Line| line.asked[dimension];
        let joined_before = |call: &Waiter| newcomer.number == 0 || call.number < newcomer.number;
        let older = |line: &&Line| self.waiter(line.last).is_some_and(joined_before);
        let above: Ahead = self.lines[..line].iter().filter(older).map(asked).sum();
        let owed = self.order.owed_below(line, lines).filter_map(|key| self.waiter(key));
        let owed = owed.filter(|call| joined_before(call));
        let owed = owed.map(|call| Ahead::from(call.amounts.as_slice()[dimension]));
        let mut ahead: Ahead = owed.chain([above, asked(&self.lines[line])]).sum();
        if newcomer.number > 0 {
            ahead.subtract(newcomer.amounts.as_slice()[dimension]);
        }
        ahead
    }

    /// Returns the call behind which `newcomer` joins, if there is one of the same priority.
    pub(super) fn last_before(&self, newcomer: &Waiter) -> Option<&Waiter> {
        self.waiter(self.lines[newcomer.line()].last).filter(|_| newcomer.number == 0)
    }

    /// Returns the number of calls that go before `newcomer`, if no other call joins: all waiters
    /// of the same and of higher priorities, and those that are owed their turn.
    #[inline]
    pub(super) fn position(&self, newcomer: &Waiter) -> usize {
        let line = newcomer.line();
        let owed = self.order.owed_below(line, self.reserve.lines_of(newcomer)).count();
        self.lines[..=line].iter().map(|line| line.len).sum::<usize>() + owed
    }

    /// Returns whether `newcomer` would go after all waiters.
    pub(super) fn goes_last(&self, newcomer: &Waiter) -> bool {
        !self.order.has_below(newcomer.line())
    }

    /// Returns how many waiters take nothing from a share.
    pub(super) fn above(&self) -> usize {
        let (above, below) = self.lines.split_at(self.reserve.lines());
        above.iter().map(|line| line.len).sum::<usize>() + below.iter().map(|line| line.free).sum::<usize>()
    }
}
