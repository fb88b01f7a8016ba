//! `LowWater`: the lowest level of a bucket since each charge, which bounds its refund.
//!
//! # Why a refund is bounded
//!
//! A call that was cancelled should leave the bucket as if it had never been. It took an amount
//! `a`. Without it, every level since would be lower by `a`, but not below zero. Say the level has
//! since fallen to `m`, which is less than `a`. Without the call it would have been zero at that
//! moment: lower by only `m`. From then on `m` is all that the call still adds to the level. So the
//! refund is
//!
//! ```text
//! min(a, lowest level since the charge)
//! ```
//!
//! The lowest level is the one just before a later charge, or the present one, since a level only
//! falls in between.
//!
//! For example, a limit allows 100 tokens per second, with a burst of 1 s and no jitter. Call A
//! takes 100 at 0 s.
//! At 0.7 s the level is 30, and call B takes 70, which raises it to 100. Now A is cancelled.
//! Without A, the bucket would have been empty at 0.7 s, and would now hold the 70 of B. So the
//! refund is 30, and the level falls to 70. A refund of all 100 would empty the bucket. Another
//! call of 100 would be admitted at once, and the provider would see 170 at the same moment.
//!
//! # The stack
//!
//! The level is recorded just before each charge. A refund needs the lowest of the levels that were
//! recorded after its charge: the minimum of a suffix of the sequence. A level cannot be such a
//! minimum if a later one is at most as high. So each new level removes the earlier ones that are
//! not lower. The others form an increasing stack. Say the level was 0, 40, 20, 60 and 50 just
//! before the charges 1 to 5:
//!
//! | charge | level | stack |
//! | --- | --- | --- |
//! | 1 | 0 | (1, 0) |
//! | 2 | 40 | (1, 0) (2, 40) |
//! | 3 | 20 | (1, 0) (3, 20) |
//! | 4 | 60 | (1, 0) (3, 20) (4, 60) |
//! | 5 | 50 | (1, 0) (3, 20) (5, 50) |
//!
//! The lowest level recorded after a charge is that of the first entry with a higher number. So a
//! refund of charge 2 is at most 20, and one of charge 3 at most 50. The present level bounds every
//! refund, too. Charge 5 is the latest, so nothing else bounds its refund.
//!
//! A refund changes the past for all later refunds: the levels since its charge would have been
//! lower by what it gave back. So the entries after the charge are lowered by that much.
//!
//! # Why the stack is bounded, and which way that errs
//!
//! The stack is short in practice, since a bucket in use runs low again and again. But it grows
//! while a bucket only fills. It must not grow with the number of calls, so it has 16 entries. When
//! it is full, two neighbours become one if the upper level is at most twice the lower: the lower
//! level stays, with the number of the upper. For example, (3, 20) (5, 30) become (5, 20), and a
//! refund of charge 3 or 4 is then at most 20 instead of 30. If no two are that close, the new
//! level is not recorded, and the newest entry takes the new number. Either way an answer may
//! become too low, and never too high. So a refund may be smaller than possible, but never lets
//! calls exceed the limit. Merging starts at the bottom of the stack, so that the latest charges,
//! whose calls are still in flight, keep their exact answers.
//!
//! The newest entry is a field of its own. A bucket that keeps running empty replaces it again and
//! again and touches nothing else.

use super::word::Word;

/// The number of entries: enough for levels that span a factor of 2^15, if each is twice as high as
/// the one below it.
const ENTRIES: usize = 16;

/// The lowest levels of a bucket, by charge.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct LowWater<W> {
    newest: Mark<W>,
    /// The number of entries in `older`.
    len: usize,
    older: [Mark<W>; ENTRIES - 1],
}

/// An entry: the level just before a charge, which no later level has reached.
#[derive(Clone, Copy, Debug)]
struct Mark<W> {
    charge: u64,
    level: W,
}

impl<W: Word> Default for LowWater<W> {
    fn default() -> Self {
        // Stands for no entry: it answers for no charge, and every level is at most as high.
        let none = Mark { charge: 0, level: W::MAX };
        Self { newest: none, older: [none; ENTRIES - 1], len: 0 }
    }
}

impl<W: Word> LowWater<W> {
    /// Records that the bucket was at `level` just before `charge`, the latest charge so far.
    #[inline]
    pub(crate) fn record(&mut self, charge: u64, level: W) {
        if level <= self.newest.level {
            self.newest = Mark { charge, level };
            if self.len > 0 {
                self.pop(level);
            }
        } else {
            self.push(charge, level);
        }
    }

    /// Removes the older entries that are not lower than `level`.
    #[inline(never)]
    fn pop(&mut self, level: W) {
        while self.len > 0 && self.older[self.len - 1].level >= level {
            self.len -= 1;
        }
    }

    /// Adds an entry that is higher than all others.
    #[inline(never)]
    fn push(&mut self, charge: u64, level: W) {
        if self.len == self.older.len() {
            self.merge();
        }
        if let Some(next) = self.older.get_mut(self.len) {
            *next = self.newest;
            self.newest.level = level;
            self.len += 1;
        }
        self.newest.charge = charge;
    }

    /// Merges the first two neighbours that are close, if there are any.
    fn merge(&mut self) {
        let mut pairs = self.older[..self.len].windows(2);
        if let Some(first) = pairs.position(|pair| pair[1].level <= pair[0].level.plus(pair[0].level)) {
            self.older[first].charge = self.older[first + 1].charge;
            self.older.copy_within(first + 2..self.len, first + 1);
            self.len -= 1;
        }
    }

    /// Returns the lowest level recorded after `charge`; the largest value if there is none.
    pub(crate) fn since(&self, charge: u64) -> W {
        let mut marks = self.older[..self.len].iter().chain([&self.newest]);
        marks.find(|mark| mark.charge > charge).map_or(W::MAX, |mark| mark.level)
    }

    /// Notes a refund of `weight` to `charge`, which is at most what [`since`](Self::since)
    /// returns.
    pub(crate) fn refund(&mut self, charge: u64, weight: W) {
        if self.newest.charge <= charge {
            return;
        }
        let first = self.older[..self.len].iter().take_while(|mark| mark.charge <= charge).count();
        for mark in self.older[first..self.len].iter_mut().chain([&mut self.newest]) {
            mark.level = mark.level.minus(weight);
        }
        // Older entries that are now not lower than the first of those are no minima any more.
        let lowest = self.older[..self.len].get(first).unwrap_or(&self.newest).level;
        let kept = self.older[..first].iter().take_while(|mark| mark.level < lowest).count();
        self.older.copy_within(first..self.len, kept);
        self.len -= first - kept;
    }
}

#[cfg(test)]
mod tests {
    use super::LowWater;

    #[test]
    fn levels_that_were_all_given_back_take_the_room_of_one() {
        let mut low = LowWater::<u64>::default();
        for charge in 1..=40 {
            low.record(charge, 10);
            low.refund(0, 10);
        }
        low.record(41, 500);
        assert_eq!((low.since(39), low.since(40), low.since(41)), (0, 500, u64::MAX));
    }
}
