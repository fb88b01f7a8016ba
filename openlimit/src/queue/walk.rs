//! `Walk`: the waiters, one after the other, in the order in which they go if no other call joins.

use super::lines::Lines;
use super::order::Order;
use super::waiter::{Key, Waiter};

/// Goes through a queue, and leaves it as it is.
pub(crate) struct Walk<'a> {
    lines: &'a Lines,
    order: Order,
    last: Last,
}

/// The waiter that was returned last.
#[derive(Default)]
struct Last {
    /// The place of its priority.
    line: usize,
    number: u64,
    was_overtaken: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(lines: &'a Lines) -> Self {
        Self { lines, order: lines.order, last: Last::default() }
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
        self.last = Last { line, number: front.number, was_overtaken: front.was_overtaken() };
        self.lines.take_front(&mut self.order, line, front);
        self.lines.waiter(front.key).map(|waiter| (front.key, waiter))
    }

    /// Notes that the waiter that was returned last departs, and so has overtaken others.
    pub(crate) fn departs(&mut self) {
        self.order.gone(self.last.line, self.last.number);
    }

    /// Returns true if others have overtaken the waiter that was returned last, in this walk or before
    /// it. If it leaves now, those of the walk overtake the one behind it instead, and no call goes
    /// early because this one is owed its turn. So the order of the rest may be another one.
    pub(crate) fn was_overtaken(&self) -> bool {
        self.last.was_overtaken
    }
}
