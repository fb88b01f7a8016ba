//! `Walk`: the waiters, one after the other, in the order in which they go if no other call joins.

use super::lines::Lines;
use super::order::Order;
use super::waiter::{Key, Waiter};

/// Goes through a queue, and leaves it as it is.
pub(crate) struct Walk<'a> {
    lines: &'a Lines,
    order: Order,
    /// The place of the priority of the waiter that was returned last, and its number.
    last: (usize, u64),
}

impl<'a> Walk<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
        Self { lines, order: lines.order, last: (0, 0) }
    }

    /// Returns the next waiter. It leaves without having overtaken others, unless it
    /// [departs](Self::departs).
    ///
    /// A call for which a part of the limits is kept may go before a head for which none is.
    /// `passes` decides that. It gets the head first, and then the other call.
    pub(crate) fn next(
        &mut self,
        passes: impl FnOnce(&Waiter, &Waiter) -> bool,
    ) -> Option<(Key, &'a Waiter)> {
        let kept = self.lines.reserve.lines();
        let mut next = self.order.head()?;
        if next.0 >= kept
            && let Some(above) = self.order.head_of(0..kept)
            && passes(self.lines.waiter(next.1.key)?, self.lines.waiter(above.1.key)?)
        {
            next = above;
        }
        let (line, front) = next;
        self.lines.take_front(&mut self.order, line, front);
        self.last = (line, front.number);
        self.lines.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Notes that the waiter that was returned last departs, and so has overtaken others.
    pub(crate) fn departs(&mut self) {
        let (line, number) = self.last;
        self.order.gone(line, number);
    }
}
