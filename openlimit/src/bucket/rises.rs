//! `Rises`: an increasing sequence of levels, kept as the differences between neighbours.
//!
//! Each level is the sum of the rises up to it. The sums are kept in a
//! [Fenwick tree](https://en.wikipedia.org/wiki/Fenwick_tree), whose node at place `p` (from 1) is
//! the sum of as many rises as the lowest set bit of `p`, the last of them at `p`. So a level is
//! the sum of logarithmically many nodes, and a rise that changes changes as many. Levels are added
//! and removed at the end in constant time on average.
//!
//! To lower all levels from a place on by `w`, take `w` off the rise there. If the rise is smaller,
//! the levels before the place would now be higher than the one at it. They are minima no more:
//! what they say is what the level at the place says. So the rest of `w` comes off the rises before
//! it, the nearest first, which cuts those levels off at the new one. Say the levels are 10, 30 and
//! 60, which are the rises 10, 20 and 30. Lowering the last by 40 takes 30 off its own rise and 10
//! off the one before it: 10, 10 and 0, or the levels 10, 20 and 20.
//!
//! A rise that became zero adds nothing, since the level before it equals its own. They are removed
//! together once they are half of all.
//!
//! # Old levels
//!
//! Once in [`LONG`], the levels are thinned out that only charges before the last time need, if they
//! are more than [`OLD`]. A level goes, and the one before it takes its charge. So the answers for
//! the charges between the two are too low, by the difference of the two levels. Later refunds lower
//! both or neither, since the level has that charge now. So the difference, its *gap*, stays, and
//! more is added only if another level goes. A level goes as long as the gap is at most one part in
//! [`PARTS`] of what the old levels span.
//!
//! Refunds bring levels closer together, while their gaps stay. So more than [`OLD`] may be left. Then
//! the gaps may be twice as large.

use super::word::Word;

/// Levels that increase, each with the charge that it was recorded for.
#[derive(Clone, Debug)]
pub(super) struct Rises<W> {
    rises: Vec<Rise<W>>,
    /// The last level: the sum of all rises.
    top: W,
    /// How often a rise became zero since those were removed.
    flat: usize,
    /// When old levels were last thinned out, and the last charge then.
    thinned_at: u64,
    thinned: u64,
}

#[derive(Clone, Copy, Debug)]
struct Rise<W> {
    charge: u64,
    /// How far the level is above the one before it.
    rise: W,
    /// The node of the tree at this place.
    node: W,
    /// How much higher the last level is that went, and that this one stands for.
    gap: W,
}

/// The number of levels for which storage is kept, so that a bucket that fills a little and empties
/// again does not allocate each time. It is about 250 bytes, since a program may have a million
/// buckets.
const KEPT: usize = 8;

/// For how long levels are exact, in nanoseconds: 10 minutes. Clients give a call up before that.
pub(super) const LONG: u64 = 600_000_000_000;

/// The number of old levels that are kept.
const OLD: usize = 1_024;

/// The span of more old levels is kept in so many parts: within 0.4 %.
const PARTS: u128 = 256;

impl<W: Word> Default for Rises<W> {
    fn default() -> Self {
        Self { rises: Vec::new(), top: W::default(), flat: 0, thinned_at: 0, thinned: 0 }
    }
}

impl<W: Word> Rises<W> {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.rises.is_empty()
    }

    /// Returns the last level.
    #[inline]
    pub(super) fn top(&self) -> W {
        self.top
    }

    /// Iterates over the levels, lowest first, each with its charge and its gap.
    fn levels(&self) -> impl Iterator<Item = (u64, W, W)> {
        self.rises.iter().scan(W::default(), |level, rise| {
            *level = level.plus(rise.rise);
            Some((rise.charge, *level, rise.gap))
        })
    }

    /// Returns a copy whose levels are changed. `change` keeps their order.
    pub(super) fn map<N: Word>(&self, change: impl Fn(W) -> N) -> Rises<N> {
        let (thinned_at, thinned) = (self.thinned_at, self.thinned);
        let mut changed = Rises { thinned_at, thinned, ..Rises::default() };
        for (charge, level, gap) in self.levels() {
            let (level, highest) = (change(level), change(level.plus(gap)));
            changed.pop_down_to(level);
            changed.add(charge, level, highest.minus(level));
        }
        changed
    }

    /// Returns how many levels there is storage for.
    pub(super) fn storage(&self) -> usize {
        self.rises.capacity()
    }

    /// Adds a level at the end, which is not below the last.
    pub(super) fn push(&mut self, charge: u64, level: W) {
        self.add(charge, level, W::default());
    }

    /// Adds a level that stands for higher ones that went.
    #[inline]
    fn add(&mut self, charge: u64, level: W, gap: W) {
        let rise = level.minus(self.top);
        let place = self.rises.len() + 1;
        let (mut node, mut before) = (rise, place - 1);
        while before > place - lowest_bit(place) {
            node = node.plus(self.rises[before - 1].node);
            before -= lowest_bit(before);
        }
        self.rises.push(Rise { charge, rise, node, gap });
        self.top = level;
    }

    /// Thins out levels that are old by now, which is when `charge` was made, the last one so far.
    pub(super) fn age(&mut self, charge: u64, now: u64) {
        if now.saturating_sub(self.thinned_at) >= LONG {
            let old = self.index_after(self.thinned);
            if old > OLD {
                self.thin_out(old);
            }
            (self.thinned_at, self.thinned) = (now, charge);
        }
    }

    /// Thins out the first `old` levels.
    fn thin_out(&mut self, old: usize) {
        let mut levels: Vec<(u64, W, W)> = self.levels().collect();
        let recent = levels.split_off(old);
        let span: u128 = self.level(old).minus(self.level(1)).into();
        let mut most = span / PARTS;
        while levels.len() > OLD {
            levels.dedup_by(|next, last| {
                let gap = next.1.plus(next.2).minus(last.1);
                let goes = gap.into() <= most || next.1 <= last.1;
                if goes {
                    (last.0, last.2) = (next.0, gap);
                }
                goes
            });
            most = most.saturating_mul(2).max(1);
        }
        self.rises = Vec::with_capacity(levels.len() + recent.len());
        (self.top, self.flat) = (W::default(), 0);
        levels.into_iter().chain(recent).for_each(|(charge, level, gap)| self.add(charge, level, gap));
    }

    /// Removes the levels that are not below `level`, and storage that is not needed. Returns true
    /// if all of it can be dropped.
    pub(super) fn pop_down_to(&mut self, level: W) -> bool {
        while self.top >= level
            && let Some(last) = self.rises.pop()
        {
            self.top = self.top.minus(last.rise);
        }
        if self.storage() > KEPT.max(4 * self.rises.len()) {
            self.rises.shrink_to(2 * self.rises.len());
        }
        self.storage() == 0
    }

    /// Returns the first level recorded after a charge.
    pub(super) fn first_after(&self, charge: u64) -> Option<W> {
        let index = self.index_after(charge);
        (index < self.rises.len()).then(|| self.level(index + 1))
    }

    /// Lowers the levels after a charge by `weight`, and those before it to no more than the lowest
    /// of them.
    pub(super) fn lower_after(&mut self, charge: u64, weight: W) {
        let first = self.index_after(charge);
        if first == self.rises.len() {
            return;
        }
        let (mut rest, mut count) = (weight, first + 1);
        while rest > W::default() {
            let level = self.level(count);
            if level == W::default() {
                break;
            }
            // The last rise among them that is not zero.
            let index = self.reaching(level);
            rest = rest.minus(self.take(index, rest));
            count = index;
        }
        // No level is below zero, so what is left comes off the rises after the first.
        for index in first + 1..self.rises.len() {
            if rest == W::default() {
                break;
            }
            rest = rest.minus(self.take(index, rest));
        }
        if self.flat > (self.rises.len() / 2).max(KEPT) {
            self.compact();
        }
    }

    /// Takes up to `weight` off a rise, and returns how much.
    fn take(&mut self, index: usize, weight: W) -> W {
        let taken = weight.min(self.rises[index].rise);
        if taken > W::default() {
            self.rises[index].rise = self.rises[index].rise.minus(taken);
            self.flat += usize::from(self.rises[index].rise == W::default());
            self.top = self.top.minus(taken);
            let mut place = index + 1;
            while place <= self.rises.len() {
                self.rises[place - 1].node = self.rises[place - 1].node.minus(taken);
                place += lowest_bit(place);
            }
        }
        taken
    }

    /// Returns the index of the first level after a charge.
    fn index_after(&self, charge: u64) -> usize {
        self.rises.partition_point(|rise| rise.charge <= charge)
    }

    /// Returns the last of the first `count` levels; zero for none.
    fn level(&self, count: usize) -> W {
        let (mut level, mut place) = (W::default(), count);
        while place > 0 {
            level = level.plus(self.rises[place - 1].node);
            place -= lowest_bit(place);
        }
        level
    }

    /// Returns the index of the first level that is `level` or higher. `level` is not zero.
    fn reaching(&self, level: W) -> usize {
        let (mut index, mut below) = (0, W::default());
        let mut step = self.rises.len().next_power_of_two();
        while step > 0 {
            if let Some(rise) = self.rises.get(index + step - 1)
                && below.plus(rise.node) < level
            {
                below = below.plus(rise.node);
                index += step;
            }
            step /= 2;
        }
        index
    }

    /// Removes each level that the one after it equals.
    fn compact(&mut self) {
        let rises = std::mem::take(&mut self.rises);
        let mut level = W::default();
        (self.top, self.flat) = (level, 0);
        for (index, rise) in rises.iter().enumerate() {
            level = level.plus(rise.rise);
            if rises.get(index + 1).is_none_or(|next| next.rise > W::default()) {
                self.add(rise.charge, level, rise.gap);
            }
        }
    }
}

fn lowest_bit(place: usize) -> usize {
    place & place.wrapping_neg()
}
