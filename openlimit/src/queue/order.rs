//! `Order`: which call goes next. This is the only place that decides it.
//!
//! # The rule
//!
//! Within a priority, calls go in the order of their arrival. So only the *front* of each priority,
//! its first call, can be next. That is the front of the highest priority, until a lower front is
//! *owed* its turn: [`MOST_OVERTAKES`] calls of higher priorities have gone before it, all of which
//! had arrived after it. From then on, until it has gone, it and the fronts of higher priorities go
//! in the order of their arrival.
//!
//! A call of several limiters that leaves after its turn here counts as one that has gone: it held
//! up the others, while it waited for its turn elsewhere.
//!
//! # The bound
//!
//! A call before which `k` calls of its own priority wait is overtaken by at most
//! `MOST_OVERTAKES * (k + 1)` calls of higher priorities. And no call ever goes before one of the
//! same or a higher priority that arrived earlier.
//!
//! Where a part of the limits is kept for some priorities, their calls also pass a head that waits
//! for the share of the others alone (`admission::reserve`). It could not have gone yet, so that is
//! no part of the bound. And a call below whose charge a store has granted ahead departs then.
//!
//! # Why not by age
//!
//! A call could also gain priority with the time that it has waited. But then a backlog of batch
//! calls, once it is old enough, goes before all urgent calls until it is worked off, perhaps for
//! hours. And what "old" means depends on the rate: of three calls a minute, every call waits long.
//! To count overtakes costs an urgent call one place in ten, whatever the backlog and the rate.
//!
//! # Elsewhere
//!
//! Nothing outside of `queue` assumes an order. Admission asks for the head whenever it may have
//! changed. A shared backend may be granted charges ahead of time. It matches them to the queue as
//! it is when they are used.

use std::ops::Range;

use super::Key;
use crate::limits::Priority;

/// How many calls of higher priorities may overtake a front: so one call in ten is a lower one, if
/// enough of both wait.
pub(super) const MOST_OVERTAKES: u32 = 9;

/// The front of each priority, the highest one first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Order([Option<Front>; Priority::COUNT]);

/// The first call of a priority.
#[derive(Clone, Copy, Debug)]
pub(super) struct Front {
    pub(super) key: Key,
    /// The number of the call: calls are numbered as they arrive.
    pub(super) number: u64,
    /// How many calls of higher priorities have overtaken it since it became the front.
    overtaken: u32,
}

impl Front {
    /// Returns true if a call of a higher priority has overtaken it, or it keeps its place.
    pub(super) fn was_overtaken(self) -> bool {
        self.overtaken > 0
    }

    fn is_owed(&self) -> bool {
        self.overtaken >= MOST_OVERTAKES
    }
}

impl Order {
    /// Returns the call that is next, and the place of its priority.
    pub(super) fn head(&self) -> Option<(usize, Front)> {
        self.head_of(0..Priority::COUNT)
    }

    /// Returns the call that is next among some priorities.
    pub(super) fn head_of(&self, lines: Range<usize>) -> Option<(usize, Front)> {
        let (mut head, mut is_owed) = (None::<(usize, Front)>, false);
        // From the lowest priority up. An owed front yields only to those that arrived before it.
        for line in lines.rev() {
            let Some(front) = self.0[line] else { continue };
            if !head.is_some_and(|(_, head)| is_owed && head.number < front.number) {
                head = Some((line, front));
            }
            is_owed |= front.is_owed();
        }
        head
    }

    /// Returns the calls of lower priorities than this, among so many of the highest, that are owed
    /// their turn.
    pub(super) fn owed_below(&self, line: usize, lines: usize) -> impl Iterator<Item = Key> {
        self.0[line + 1..lines].iter().flatten().filter(|front| front.is_owed()).map(|front| front.key)
    }

    /// Returns the call that arrived first of those of this priority and lower ones.
    pub(super) fn oldest_from(&self, line: usize) -> Option<Key> {
        self.0[line..].iter().flatten().min_by_key(|front| front.number).map(|front| front.key)
    }

    /// Returns true if any call of a lower priority waits.
    pub(super) fn has_below(&self, line: usize) -> bool {
        self.0[line + 1..].iter().any(Option::is_some)
    }

    /// Replaces the front of a priority by the call of this key and number.
    pub(super) fn set_front(&mut self, line: usize, front: Option<(Key, u64)>) {
        self.0[line] = front.map(|(key, number)| Front { key, number, overtaken: 0 });
    }

    /// Lets the head, which is of this priority, keep its place: no call that arrives later goes
    /// before it.
    ///
    /// It is owed its turn from now on. All that wait and could go before it are of lower
    /// priorities, or arrived later.
    pub(super) fn keep(&mut self, line: usize) {
        if let Some(front) = &mut self.0[line] {
            front.overtaken = front.overtaken.max(MOST_OVERTAKES);
        }
    }

    /// Notes that the call of this number, which was the head, has gone.
    pub(super) fn gone(&mut self, line: usize, number: u64) {
        for front in self.0[line + 1..].iter_mut().flatten().filter(|front| front.number < number) {
            front.overtaken = front.overtaken.saturating_add(1);
        }
    }
}
