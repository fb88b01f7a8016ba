//! `LowWater`: how empty a bucket has been since a given charge, which bounds what may be given back of it.
//!
//! The minima over all suffixes of a sequence form an increasing stack: each level recorded removes the higher
//! ones before it, and the answer for a charge is the first entry after it. The stack is short in practice, and
//! bounded here: when it is full, the newest entry also stands for the next one. Such an entry is at least
//! as low as the truth, so a refund may become smaller, never larger; and it is a high one, since the stack
//! increases, so it rarely matters.

use super::word::Word;

/// Levels at the bottom of the stack are what refunds need; these many are exact.
const EXACT: usize = 16;

#[derive(Debug, Default)]
pub(super) struct LowWater<W> {
    /// `(charge, level)`, both increasing: the level just before `charge`, and the lowest from then on.
    stack: [(u64, W); EXACT],
    len: usize,
}

impl<W: Word> LowWater<W> {
    /// The bucket was at `level` just before `charge`, a later one than all before.
    #[inline]
    pub(super) fn record(&mut self, charge: u64, level: W) {
        while self.len > 0 && self.stack[self.len - 1].1 >= level {
            self.len -= 1;
        }
        if self.len == EXACT {
            self.stack[EXACT - 1].0 = charge;
        } else {
            self.stack[self.len] = (charge, level);
            self.len += 1;
        }
    }

    /// The lowest level before any charge after `charge`; unbounded if there was none.
    pub(super) fn since(&self, charge: u64) -> W {
        self.entries().iter().find(|(at, _)| *at > charge).map_or(W::MAX, |(_, level)| *level)
    }

    /// `weight` of what `charge` took is given back, which is no more than [`since`](Self::since) allows: the
    /// lowest levels since then were that much lower in the history that now counts.
    pub(super) fn refund(&mut self, charge: u64, weight: W) {
        let first = self.entries().iter().take_while(|(at, _)| *at <= charge).count();
        for (_, level) in &mut self.stack[first..self.len] {
            *level = level.minus(weight);
        }
        if first < self.len {
            // What is no longer lower than an entry after it is no minimum any more.
            let lowest = self.stack[first].1;
            let kept = self.stack[..first].iter().take_while(|(_, level)| *level < lowest).count();
            self.stack.copy_within(first..self.len, kept);
            self.len -= first - kept;
        }
    }

    fn entries(&self) -> &[(u64, W)] {
        &self.stack[..self.len]
    }
}
