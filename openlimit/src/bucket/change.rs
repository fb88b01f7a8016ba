//! Changes the limit of a bucket while it is in use.
//!
//! # The rule
//!
//! A level stays the same time of the rate, and so does a debt. What would leak in 3 s by the old
//! limit leaks in 3 s by the new one. Usually only the rate changes, and the burst is a time of the
//! rate. So a bucket that is filled by 30 % of its old burst is filled by 30 % of the new one. If
//! only the burst changes, the amount in the bucket stays.
//!
//! Let all amounts be times of the rate at which they were admitted. What calls add during a window
//! is the level at its end, less that at its beginning, and what leaked. The change lowers no
//! level. After each call the level is at most the burst of that moment, or the call. So the
//! promise of the crate holds across the change, by the longer of the two bursts.
//!
//! # Calls that are late across the change
//!
//! A call from before the change may still be late by the jitter that was in force then. The part
//! of the burst that is kept back covers that, but if the jitter is lowered, less is kept back. So
//! what was charged counts as if it had been charged later, by as much as the jitter is shorter. A
//! lower jitter makes room only as the bucket leaks.
//!
//! For example, a limit allows 1 000 tokens per second, with a burst of 1 s and a jitter of 100 ms.
//! A call of 1 000 is charged at 1 s. It departs at 1.05 s, when the level is 950, and the jitter
//! is changed to zero. If the level stayed, a call of 50 could depart at the same moment. But the
//! level becomes 1 050, so the next token goes at 1.101 s.
//!
//! # A raised burst of a limit that is counted in windows
//!
//! Such a bucket leaks what its burst leaves of the amount (`windows`). With the old burst `B` and
//! the new one `C`, as parts of the amount, what leaked within a period before the change and what
//! fits after it add up to `(1 - B) + C`. So if `fit` is longer than before, the level rises by the
//! difference, and the room is there once that has leaked. A bucket that was empty for a period
//! needs no such wait, since nothing has leaked from it.
//!
//! Raises add up, and a lowered burst takes none of them back. So if bursts alternate faster than
//! the bucket leaks, calls wait although little was taken. A cap on the level would be wrong: a
//! refund may lower a level that was above the cap, and the room of the raise has to be left then.
//!
//! # Refunds across the change
//!
//! Another rate has other units of weight, so levels are written in those. So are the levels that
//! bound refunds, and each *era* between two changes keeps what one unit of it weighs now.
//!
//! Levels are rounded up, and what is given back is rounded down. Both are less than what leaks in
//! a nanosecond for each unit.

use super::level::Level;
use super::pace::Pace;
use super::unusual::Unusual;
use super::word::Word;
use super::{Bucket, Metering};
use crate::limits::Counting;

/// The most eras that are remembered. The calls of earlier ones count as the lightest of them.
const MOST_ERAS: usize = 32;

impl Bucket {
    /// Changes the terms of the bucket. `charge` is the number of a charge that stands for the
    /// change.
    ///
    /// The rate is as declared then, unless it climbs. The burst that [`widen`](Self::widen) raised
    /// is the declared one again.
    pub(crate) fn change(&mut self, metering: &Metering, charge: u64, now: u64) {
        let (new, counting) = (Self::refilling(metering), metering.counting);
        let changed = match self {
            Self::Narrow(old) => new.filled_as(old, counting, charge, now),
            Self::Unusual(unusual) => match &mut **unusual {
                Unusual::Wide(old) => new.filled_as(old, counting, charge, now),
                // An update replaces a limit by one that resets at the same times.
                Unusual::Resetting(count) => return count.change(metering, now),
            },
        };
        *self = changed;
    }

    /// Returns the bucket, which is new, filled as a level is.
    fn filled_as<W: Word>(self, old: &Level<W>, counting: Counting, charge: u64, now: u64) -> Self {
        match self {
            Self::Narrow(new) => Self::Narrow(changed(old, new, counting, charge, now)),
            Self::Unusual(unusual) => Self::Unusual(Box::new(match *unusual {
                Unusual::Wide(new) => Unusual::Wide(changed(old, new, counting, charge, now)),
                Unusual::Resetting(new) => Unusual::Resetting(new),
            })),
        }
    }
}

/// Returns `new`, filled for the same time as `old`.
fn changed<W: Word, N: Word>(
    old: &Level<W>,
    mut new: Level<N>,
    counting: Counting,
    charge: u64,
    now: u64,
) -> Level<N> {
    let ratio = Ratio { part: new.terms.nanosecond.into(), of: old.terms.nanosecond.into() };
    let down = |weight: W| N::narrowed(ratio.times(weight.into()).0);
    let shown = old.clock(now);
    let later = if old.is_new() { 0 } else { old.terms.late.saturating_sub(new.terms.late) };
    let emptied = old.at.saturating_add(old.level.over(old.terms.leak));
    let counted = emptied.saturating_add(later);
    let room = new.terms.fit.minus(down(old.terms.fit));
    let waits = counting == Counting::InWindows && room > N::default() && !old.is_as_new(now);
    let (level, at) = if counted <= shown && !waits {
        // Since when the bucket is empty decides about large calls.
        (N::default(), counted)
    } else {
        let (whole, rest) = ratio.times(old.level_at(shown).into());
        let level = N::narrowed(whole.saturating_add(u128::from(rest > 0)));
        let late = new.terms.nanosecond.times(later.min(counted.saturating_sub(shown)));
        let level = level.plus(late);
        (if waits { level.plus(room) } else { level }, old.at.max(shown))
    };
    let (mut eras, mut least) = (Vec::new(), new.terms.unit.min(down(old.terms.unit)));
    if let Some(pace) = &old.pace {
        eras.extend(pace.eras.iter().map(|(last, weight)| (*last, down(*weight))));
        end_era(&mut eras, pace.since, down(pace.least));
        least = least.min(down(pace.least));
    }
    end_era(&mut eras, charge, down(old.terms.unit));
    while eras.len() > MOST_ERAS {
        let (_, weight) = eras.remove(0);
        eras[0].1 = eras[0].1.min(weight);
    }
    let (climb, cut) = old.pace.as_ref().map_or_else(Default::default, |pace| (pace.climb, pace.cut));
    let pace = Pace { unit: new.terms.unit, least, since: charge, eras, climb, cut };
    (new.level, new.at, new.low, new.pace) = (level, at, old.low.map(down), Some(Box::new(pace)));
    new
}

/// Ends an era with a charge that stands for a change. Eras without calls are left out.
fn end_era<N>(eras: &mut Vec<(u64, N)>, last: u64, weight: N) {
    if eras.last().is_none_or(|(before, _)| last > before + 1) {
        eras.push((last, weight));
    }
}

/// A fraction whose parts are below 2^127, as all weights of a bucket's terms are.
struct Ratio {
    part: u128,
    of: u128,
}

impl Ratio {
    /// Returns the whole part of a number times the fraction, and the rest in parts of `of`.
    fn times(&self, number: u128) -> (u128, u128) {
        let (whole, rest) = (number / self.of, number % self.of);
        let (small, rest) = match rest.checked_mul(self.part) {
            Some(product) => (product / self.of, product % self.of),
            None => self.times_bit_by_bit(rest),
        };
        (whole.saturating_mul(self.part).saturating_add(small), rest)
    }

    /// Does the same for a number below `of` whose product has more than 128 bits.
    fn times_bit_by_bit(&self, number: u128) -> (u128, u128) {
        let (mut whole, mut rest) = (0, 0);
        for bit in (0..u128::BITS).rev() {
            whole *= 2;
            for more in [rest, if self.part >> bit & 1 == 1 { number } else { 0 }] {
                rest += more;
                if rest >= self.of {
                    (whole, rest) = (whole + 1, rest - self.of);
                }
            }
        }
        (whole, rest)
    }
}

#[cfg(test)]
mod tests {
    use super::Ratio;

    #[test]
    fn both_ways_to_multiply_agree() {
        for (part, of, number) in
            [(7, 3, 2), (1, 1_000_003, 999_999), (1 << 60, (1 << 59) + 1, 1 << 59), (0, 5, 4)]
        {
            let ratio = Ratio { part, of };
            assert_eq!(ratio.times(number), ratio.times_bit_by_bit(number));
        }
    }

    #[test]
    fn a_product_of_more_than_128_bits_is_exact() {
        let of = (1 << 126) + 1;
        let ratio = Ratio { part: of - 1, of };
        // (of - 1)^2 / of = of - 2, and the rest is 1.
        assert_eq!(ratio.times(of - 1), (of - 2, 1));
        assert_eq!(ratio.times(3 * of), (3 * (of - 1), 0));
    }
}
