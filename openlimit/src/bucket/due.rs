//! When a call is due, and the pause before a large one.
//!
//! # The pause before a large call
//!
//! A call larger than `fit` leaves no room for jitter. When our bucket is empty, the provider's is
//! not: a call that arrived late has not leaked there yet. The level there is up to `jitter`. A
//! call of weight `w` raises it to `jitter + w`, which must not exceed the burst. Or it has to find
//! level 0, if it is larger than the burst by itself. So our bucket has to be empty for a *pause*
//! before such a call, in which this weight leaks:
//!
//! ```text
//! min(jitter, max(0, jitter + w - burst))
//! ```
//!
//! For a call that fits it is zero. Before the first call of a limiter there is no pause, since no
//! call was there to arrive late. In the example of `bucket`, the call of 5 requests waits for
//! level 0, and for 50 ms more.
//!
//! Calls as large as the burst are spaced by the jitter more than the rate asks. A limit of 60 per
//! minute with a burst of 1 s admits one call every 1050 ms.
//!
//! Of the calls ahead of another one, only the sum and the number are known. So their pauses count
//! as if each call took one unit. The wait is exact if all take one, as requests do, and a lower
//! bound otherwise.
//!
//! The pause needs no state of its own. A level belongs to the time of the last charge, and what has
//! leaked since tells for how long the bucket is empty. So nothing else moves that time: not a look,
//! not a call that was refused, and not a refund. A refund lowers the level as of that charge. So
//! the bucket counts as empty since when it would have been if the call had taken less. After a call
//! that was cancelled, that is since its charge: for how long the bucket was empty before is not kept.

use super::ahead::Ahead;
use super::level::Level;
use super::word::Word;

impl<W: Word> Level<W> {
    /// Returns when a call of `amount` is due, after other calls have taken `ahead`, which they do
    /// not do before `now`.
    #[inline]
    pub(super) fn due(&self, amount: u64, ahead: Ahead, now: u64) -> u64 {
        let shown = if ahead.calls == 0 || amount == 0 {
            self.shown_when_due(amount)
        } else {
            self.shown_when_due_behind(amount, ahead, self.clock(now))
        };
        if self.pace.is_some() { self.time(shown) } else { shown }
    }

    /// Does the same on the bucket's clock for the call that goes next.
    #[inline]
    pub(super) fn shown_when_due(&self, amount: u64) -> u64 {
        let weight = self.terms.unit.times(amount);
        if amount == 0 {
            return self.at;
        }
        if weight > self.terms.fit {
            return self.due_after(weight, self.level.into(), self.pause_of_next(weight), self.at);
        }
        let missing = self.level.minus(self.terms.fit.minus(weight));
        // Usually all limits but one have room, and the division takes longest here.
        if missing == W::default() { self.at } else { self.at.saturating_add(missing.over(self.terms.leak)) }
    }

    /// Does the same for a call behind others.
    #[inline(never)]
    fn shown_when_due_behind(&self, amount: u64, ahead: Ahead, now: u64) -> u64 {
        let (weight, unit) = (self.terms.unit.times(amount), self.terms.unit);
        let asked = ahead.amount.saturating_mul(unit.into()).saturating_add(self.pauses(ahead, now));
        let level = self.level_at(now).into().saturating_add(asked);
        self.due_after(weight, level, self.pause(weight), self.at.max(now))
    }

    /// Returns the least weight of all pauses before calls, each of which takes at least one unit.
    /// That of the first one may be over.
    fn pauses(&self, ahead: Ahead, now: u64) -> u128 {
        let pause = self.pause(self.terms.unit).into();
        let leaked = self.terms.leak.times(now.saturating_sub(self.at));
        let over = if self.is_new() { pause } else { leaked.minus(self.level).into().min(pause) };
        pause.saturating_mul(ahead.calls.into()).saturating_sub(over)
    }

    /// Returns when a call of `weight` is due, of any size, with this pause before it, if this is
    /// the level at `at`.
    #[inline(never)]
    fn due_after(&self, weight: W, level: u128, pause: W, at: u64) -> u64 {
        let room: u128 = self.terms.fit.minus(weight).into();
        let missing = level.saturating_sub(room).saturating_add(pause.into());
        at.saturating_add(missing.over(self.terms.leak.into()))
    }

    /// Returns the pause before a call of `weight` that goes next. It is zero for the first of all.
    pub(super) fn pause_of_next(&self, weight: W) -> W {
        if self.is_new() { W::default() } else { self.pause(weight) }
    }

    /// Returns the weight that leaks while the bucket has to be empty before a call of `weight`,
    /// unless it is the first of all. It is zero for a call that fits.
    fn pause(&self, weight: W) -> W {
        self.terms.jitter.min(weight.plus(self.terms.jitter).minus(self.terms.burst))
    }
}
