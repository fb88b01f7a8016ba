//! `LowWater`: how empty a bucket has been since a given charge, which bounds what may be given back of it.
//!
//! The minima over all suffixes of a sequence form an increasing stack: each level recorded removes the higher
//! ones before it, and the answer for a charge is the first entry after it. The stack is short in practice, and
//! bounded here: when it is full, an entry also stands for the one after it, the first of those that are at least
//! half as high. Such an entry is at least as low as the truth, so a refund may become smaller, never larger. The latest ones
//! stay exact, and so do the lowest, which are what refunds come up against.
//!
//! The newest entry is kept apart from the others: a bucket that keeps running empty replaces it again and
//! again, and touches nothing else.

use super::word::Word;

/// Enough for levels from one to some thousand, each twice as high as the one before it.
const ENTRIES: usize = 16;

#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct LowWater<W> {
    newest: Mark<W>,
    /// How many entries there are before it.
    len: usize,
    older: [Mark<W>; ENTRIES - 1],
}

/// The level just before a charge, and the lowest from then on.
#[derive(Clone, Copy, Debug)]
struct Mark<W> {
    charge: u64,
    level: W,
}

impl<W: Word> Default for LowWater<W> {
    fn default() -> Self {
        // As good as none: no charge comes before it, and any level is at least as low.
        let none = Mark { charge: 0, level: W::MAX };
        Self { newest: none, older: [none; ENTRIES - 1], len: 0 }
    }
}

impl<W: Word> LowWater<W> {
    /// The bucket was at `level` just before `charge`, a later one than all before.
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

    /// Older entries that are no lower than `level` are no minima any more.
    #[inline(never)]
    fn pop(&mut self, level: W) {
        while self.len > 0 && self.older[self.len - 1].level >= level {
            self.len -= 1;
        }
    }

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

    /// Makes room, if there are two entries that are alike.
    fn merge(&mut self) {
        let mut pairs = self.older[..self.len].windows(2);
        if let Some(first) = pairs.position(|pair| pair[1].level <= pair[0].level.plus(pair[0].level)) {
            self.older[first].charge = self.older[first + 1].charge;
            self.older.copy_within(first + 2..self.len, first + 1);
            self.len -= 1;
        }
    }

    /// The lowest level before any charge after `charge`; unbounded if there was none.
    pub(crate) fn since(&self, charge: u64) -> W {
        let mut marks = self.older[..self.len].iter().chain([&self.newest]);
        marks.find(|mark| mark.charge > charge).map_or(W::MAX, |mark| mark.level)
    }

    /// `weight` of what `charge` took is given back, which is no more than [`since`](Self::since) allows: the
    /// lowest levels since then were that much lower in the history that now counts.
    pub(crate) fn refund(&mut self, charge: u64, weight: W) {
        if self.newest.charge <= charge {
            return;
        }
        let first = self.older[..self.len].iter().take_while(|mark| mark.charge <= charge).count();
        for mark in self.older[first..self.len].iter_mut().chain([&mut self.newest]) {
            mark.level = mark.level.minus(weight);
        }
        // What is no longer lower than an entry after it is no minimum any more.
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
