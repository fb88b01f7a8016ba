//! `Reserve`: which calls take from the share of lower priorities, too.
//!
//! If a part of every limit is kept for a priority and those above it, the rest is the *share* of
//! the calls below. A share is metered like a limit, by a dimension of its own: it repeats what a
//! call below takes from the limits, and is zero for the others. So a call is charged, refunded and
//! waited for in both in the same way, and no other module has to tell them apart.

use super::Waiter;
use crate::limits::{Amounts, Priority};

/// The priorities for which a part is kept. By default there are none.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Reserve {
    /// The number of these priorities: the highest ones.
    above: u8,
}

impl Reserve {
    /// Creates a reserve for a priority and those above it.
    pub(crate) fn from(priority: Priority) -> Self {
        Self { above: priority.place() as u8 + 1 }
    }

    /// Returns true if a part is kept.
    pub(crate) fn is_any(self) -> bool {
        self.above > 0
    }

    /// Returns true if calls of this priority may only take their share.
    pub(crate) fn is_below(self, priority: Priority) -> bool {
        self.is_any() && priority.place() >= self.above.into()
    }

    /// Returns how many priorities, the highest ones, a call has to share the queue with. Those for
    /// which a part is kept need not wait for lower ones.
    pub(super) fn lines_of(self, call: &Waiter) -> usize {
        if self.is_below(call.urgency.priority()) || !self.is_any() { Priority::COUNT } else { self.lines() }
    }

    /// Returns the number of the priorities for which a part is kept.
    pub(super) fn lines(self) -> usize {
        self.above.into()
    }

    /// Sets what a call takes from its share to what it takes from the limits. Half of the
    /// dimensions are those of the share, which are zero before.
    pub(crate) fn fill(self, amounts: &mut Amounts, priority: Priority, dimensions: usize) {
        if self.is_below(priority) {
            amounts.repeat(dimensions / 2);
        }
    }

    /// Returns what a call takes from the limits alone.
    pub(crate) fn without_share(amounts: &Amounts, dimensions: usize) -> Amounts {
        let mut amounts = amounts.clone();
        amounts.as_mut_slice()[dimensions / 2..].fill(0);
        amounts
    }
}
