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
//! refund, too. Charge 5 is the latest, so nothing else bounds its refund. If it has leaked by now,
//! the refund still says that the bucket was empty earlier, which matters to large calls (`due`).
//!
//! A refund changes the past for all later refunds: the levels since its charge would have been
//! lower by what it gave back. So the entries after the charge are lowered by that much.
//!
//! # Exact, for any number of calls in flight
//!
//! While a bucket only fills, each charge adds an entry. A refund must not visit all of them, so
//! the older entries are kept as differences, in [`Rises`]: each is how far its level is above the
//! one below it. Lowering all entries after a charge then changes a single difference, and the
//! level of an entry is a sum of differences. Both take logarithmic time.
//!
//! An entry goes when the level falls to it or below, or when refunds have lowered it to the one
//! below it. The newest entry is a field of its own. A bucket that keeps running empty replaces it
//! again and again and touches nothing else, and a bucket that has not filled in steps has no other
//! storage.
//!
//! # Calls of long ago
//!
//! A bucket does not know which calls have ended. A limit per day may fill all day, and then no
//! entry goes by itself. So if a thousand entries are there that only calls of more than ten minutes
//! ago need ([`LONG`](super::rises::LONG)), they are thinned out. A refund of such a call may be
//! bounded too low, by 0.4 % of what has come together in the bucket. So memory grows with the calls
//! of the last minutes, and shrinks again.

use super::rises::Rises;
use super::word::Word;

/// The lowest levels of a bucket, by charge.
#[derive(Clone, Debug)]
#[repr(C)]
pub(crate) struct LowWater<W> {
    newest: Mark<W>,
    /// The entries before it, lowest first.
    older: Option<Box<Rises<W>>>,
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
        Self { newest: Mark { charge: 0, level: W::MAX }, older: None }
    }
}

impl<W: Word> LowWater<W> {
    /// Records that the bucket was at `level` just before `charge`, the latest charge so far, at
    /// `at`.
    #[inline]
    pub(crate) fn record(&mut self, charge: u64, level: W, at: u64) {
        if level <= self.newest.level {
            self.newest = Mark { charge, level };
            if self.older.as_ref().is_some_and(|older| !older.is_empty() && older.top() >= level) {
                self.trim();
            }
        } else {
            self.push(charge, level, at);
        }
    }

    /// Returns the lowest level recorded after `charge`; the largest value if there is none.
    pub(crate) fn since(&self, charge: u64) -> W {
        if self.newest.charge <= charge {
            return W::MAX;
        }
        self.older.as_ref().and_then(|older| older.first_after(charge)).unwrap_or(self.newest.level)
    }

    /// Notes a refund of `weight` to `charge`, which is at most what [`since`](Self::since)
    /// returns. A larger one lowers no level below zero.
    pub(crate) fn refund(&mut self, charge: u64, weight: W) {
        if self.newest.charge <= charge {
            return;
        }
        self.newest.level = self.newest.level.minus(weight);
        if let Some(older) = &mut self.older {
            older.lower_after(charge, weight);
            self.trim();
        }
    }

    /// Returns a copy whose levels are changed. `change` keeps their order.
    pub(crate) fn map<N: Word>(&self, change: impl Fn(W) -> N) -> LowWater<N> {
        let Mark { charge, level } = self.newest;
        if level == W::MAX {
            return LowWater::default();
        }
        let older = self.older.as_ref().map(|older| Box::new(older.map(&change)));
        let mut low = LowWater { newest: Mark { charge, level: change(level) }, older };
        low.trim();
        low
    }

    /// Adds an entry that is higher than all others.
    #[inline(never)]
    fn push(&mut self, charge: u64, level: W, at: u64) {
        let Mark { charge: before, level: below } =
            std::mem::replace(&mut self.newest, Mark { charge, level });
        let older = self.older.get_or_insert_default();
        older.push(before, below);
        older.age(charge, at);
    }

    /// Removes the older entries that are not lower than the newest.
    #[inline(never)]
    fn trim(&mut self) {
        if let Some(older) = &mut self.older
            && older.pop_down_to(self.newest.level)
        {
            self.older = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::LowWater;

    #[test]
    fn levels_that_were_all_given_back_take_the_room_of_one() {
        let mut low = LowWater::<u64>::default();
        for charge in 1..=40 {
            low.record(charge, 10, 0);
            low.refund(0, 10);
        }
        low.record(41, 500, 0);
        assert_eq!((low.since(39), low.since(40), low.since(41)), (0, 500, u64::MAX));
    }

    /// Every level, and nothing clever.
    #[derive(Default)]
    struct All(Vec<(u64, u64)>);

    impl All {
        fn since(&self, charge: u64) -> u64 {
            let later = self.0.iter().filter(|(of, _)| *of > charge);
            later.map(|(_, level)| *level).min().unwrap_or(u64::MAX)
        }

        fn refund(&mut self, charge: u64, weight: u64) {
            for (_, level) in self.0.iter_mut().filter(|(of, _)| *of > charge) {
                *level = level.saturating_sub(weight);
            }
        }
    }

    /// Returns a function that returns a random number below the one that it is given.
    fn random() -> impl FnMut(u64) -> u64 {
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        move |most| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % most
        }
    }

    #[test]
    fn it_is_as_exact_as_all_levels_together() {
        let mut below = random();
        for round in 0..500 {
            let (mut low, mut all, mut level) = (LowWater::<u64>::default(), All::default(), 0_u64);
            let step = [4, 50, 1_000_000][round % 3];
            for charge in 1..=below(200) {
                level = match below(3) {
                    0 => level.saturating_sub(below(4 * step)),
                    _ => level + below(step),
                };
                low.record(charge, level, 0);
                all.0.push((charge, level));
                for _ in 0..below(4) {
                    let of = below(charge + 1);
                    let most = all.since(of);
                    assert_eq!(low.since(of), most);
                    // Mostly no more than that, and now and then more.
                    let weight = if below(10) == 0 { below(10 * step) } else { below(most.min(step) + 1) };
                    low.refund(of, weight);
                    all.refund(of, weight);
                }
            }
            for of in 0..200 {
                assert_eq!(low.since(of), all.since(of));
            }
        }
    }

    #[test]
    fn a_hundred_thousand_calls_in_flight_are_refunded_in_full_and_leave_no_storage() {
        const CALLS: u64 = 100_000;
        for newest_first in [false, true] {
            let mut low = LowWater::<u64>::default();
            for charge in 1..=CALLS {
                low.record(charge, charge - 1, 0);
            }
            for step in 1..=CALLS {
                let charge = if newest_first { CALLS + 1 - step } else { step };
                assert!(low.since(charge) >= 1, "charge {charge}");
                low.refund(charge, 1);
            }
            low.record(CALLS + 1, 0, 0);
            let kept = low.older.as_ref().map_or(0, |older| older.storage());
            assert!(kept <= 8, "storage for {kept} levels is kept");
        }
    }

    #[test]
    fn a_bucket_that_fills_all_day_keeps_the_levels_of_some_minutes_and_bounds_old_refunds_well() {
        const SECOND: u64 = 1_000_000_000;
        const LAST: u64 = 40_000;
        for is_updated in [false, true] {
            let mut low = LowWater::<u64>::default();
            for charge in 1..=LAST {
                low.record(charge, 10 * charge, charge * SECOND);
                if is_updated && charge % 300 == 0 {
                    low = low.map(|level| level);
                }
                let kept = low.older.as_ref().map_or(0, |older| older.storage());
                assert!(kept <= 4_096, "storage for {kept} levels is kept after {charge} s");
            }
            for charge in 0..LAST {
                let missing = 10 * (charge + 1) - low.since(charge);
                let most = if charge < LAST - 600 { 10 * LAST / 256 } else { 0 };
                assert!(missing <= most, "{missing} are missing for charge {charge}");
            }
        }
    }

    #[test]
    fn refunds_between_two_times_of_thinning_out_do_not_add_to_what_it_takes_from_old_calls() {
        const STEP: u64 = 300_000_000;
        let mut below = random();
        let (mut low, mut all, mut level, mut calls) = (LowWater::default(), All::default(), 0, Vec::new());
        let (mut highest, mut missing) = (0, 0);
        for _ in 0..10 {
            for _ in 0..2_000 {
                let charge = all.0.len() as u64 + 1;
                low.record(charge, level, charge * STEP);
                all.0.push((charge, level));
                calls.push(charge);
                level += 10;
            }
            highest = highest.max(level);
            for step in 0..calls.len() / 2 {
                let place = below(calls.len() as u64);
                let charge = calls.swap_remove(usize::try_from(place).unwrap());
                let most = low.since(charge);
                if step % 16 == 0 {
                    missing = missing.max(all.since(charge).min(level) - most.min(level));
                }
                let given = 10.min(most).min(level);
                low.refund(charge, given);
                all.refund(charge, given);
                level -= given;
            }
        }
        assert!(missing <= highest / 256, "{missing} of {highest} are missing");
    }
}
