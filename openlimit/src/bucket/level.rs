//! `Level`: how full a bucket is, and the arithmetic on it.
//!
//! The page of the module `bucket` derives the rules, and that of `units` the units. Here they are
//! written for a [`Word`], an integer of 64 or 128 bits. All times are nanoseconds of the limiter's
//! clock. Threads read it before they take the lock, so times can arrive out of order. An earlier
//! time than the last one counts as the last one, so the level never leaks twice for the same time.

use std::sync::Arc;

use super::look::Look;
use super::low_water::LowWater;
use super::pace::Pace;
use super::word::{Word, narrow};

/// The level of one limit.
///
/// What does not change with a call is in [`Weights`], which the levels of equal limits share, and
/// what few levels have is in boxes.
#[derive(Debug)]
pub(crate) struct Level<W> {
    pub(super) terms: Arc<Weights<W>>,
    /// The weight in the bucket at `at`.
    pub(super) level: W,
    /// The time to which `level` belongs, on the bucket's [clock](Climb). Only a charge moves it, so
    /// `level` also tells since when the bucket is empty.
    pub(super) at: u64,
    /// The lowest level since each charge that may still be refunded.
    pub(super) low: LowWater<W>,
    /// Set once the rate was not as declared.
    pub(super) pace: Option<Box<Pace<W>>>,
}

/// The level before a charge and after it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step<W> {
    before: W,
    after: W,
}

/// The terms of a limit, by weight.
#[derive(Clone, Debug)]
pub(super) struct Weights<W> {
    /// The weight of one unit of amount.
    pub(super) unit: W,
    /// The weight that leaks in a nanosecond.
    pub(super) leak: W,
    /// The burst less the jitter: a call fits if the level after it is at most this.
    pub(super) fit: W,
    /// The weight that may be taken at once after an idle time.
    pub(super) burst: W,
    /// The weight of the jitter, which may exceed the burst.
    pub(super) jitter: W,
    /// The most that one call may take, as an amount: the rate's amount or its burst.
    pub(super) most: u64,
    /// The weight of the most that one call may take by the declared limit, or by the one in force.
    pub(super) whole: W,
    /// The weight of a nanosecond of the declared rate: what would leak without headroom.
    pub(super) nanosecond: W,
    /// How long after its charge a call may arrive, in nanoseconds.
    pub(super) late: u64,
}

impl Weights<u128> {
    /// Returns the same terms in 64 bits, which must have room for them.
    pub(super) fn narrowed(self) -> Weights<u64> {
        Weights {
            unit: narrow(self.unit),
            leak: narrow(self.leak),
            fit: narrow(self.fit),
            burst: narrow(self.burst),
            jitter: narrow(self.jitter),
            most: self.most,
            whole: narrow(self.whole),
            nanosecond: narrow(self.nanosecond),
            late: self.late,
        }
    }
}

impl<W: Word> Level<W> {
    /// Creates a level of zero.
    pub(super) fn new(terms: Arc<Weights<W>>) -> Self {
        Self { terms, level: W::default(), at: 0, low: LowWater::default(), pace: None }
    }

    /// Creates a level of zero with the same terms.
    pub(super) fn of_another(&self) -> Self {
        Self::new(Arc::clone(&self.terms))
    }

    /// Returns what a charge of `amount` would do when the bucket's clock shows `now`; `None` if it
    /// cannot be admitted.
    ///
    /// Every call that does not wait runs through this and [`take`](Self::take). So the usual case
    /// comes first.
    #[inline(always)]
    pub(super) fn step(&self, amount: u64, now: u64) -> Option<Step<W>> {
        let weight = self.terms.unit.times(amount);
        let step = self.step_by(weight, now);
        let fits = step.after <= self.terms.fit
            || amount == 0
            || weight > self.terms.fit && self.fits_large(amount, now);
        fits.then_some(step)
    }

    /// Returns what a charge of `weight` does, of any size.
    #[inline(always)]
    fn step_by(&self, weight: W, now: u64) -> Step<W> {
        let before = self.level_at(now);
        Step { before, after: before.plus(weight) }
    }

    /// Does the same for a call larger than `fit`: into debt, unless it can never be admitted.
    #[inline(never)]
    fn fits_large(&self, amount: u64, now: u64) -> bool {
        amount <= self.terms.most && self.shown_when_due(amount) <= now
    }

    /// Takes `amount`, whose [`step`](Self::step) at the same moment is known.
    #[inline(always)]
    pub(super) fn take(&mut self, amount: u64, step: Step<W>, charge: u64, now: u64) {
        if amount > 0 {
            self.raise(step.before, step.after, charge, now);
        }
    }

    /// Returns true if nothing was ever taken.
    pub(super) fn is_new(&self) -> bool {
        self.at == 0 && self.level == W::default()
    }

    /// Returns true if it decides about all later calls as a new level would: the bucket was empty
    /// for the longest pause, and the rate is as declared.
    pub(super) fn is_as_new(&self, now: u64) -> bool {
        let is_as_declared =
            self.pace.as_ref().is_none_or(|pace| pace.unit == self.terms.unit && pace.climb.end() <= now);
        let leaked = self.terms.leak.times(self.clock(now).saturating_sub(self.at));
        is_as_declared && (self.is_new() || self.level.plus(self.terms.jitter) <= leaked)
    }

    /// Takes `amount` as of `at`. The level may rise to any height.
    #[inline]
    pub(super) fn charge(&mut self, amount: u64, charge: u64, at: u64) {
        let now = self.clock(at);
        let step = self.step_by(self.terms.unit.times(amount), now);
        self.take(amount, step, charge, now);
    }

    /// Gives back `amount` of `charge`, but no more than the lowest level since. Returns the rest,
    /// rounded down.
    ///
    /// The level is lowered as of the last charge, since the call took less already then. So a
    /// bucket that is empty by now counts as empty from when it would have been.
    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) -> u64 {
        let level = self.level_at(self.clock(now));
        let unit = self.pace.as_ref().map_or(self.terms.unit, |pace| pace.weighed(charge, self.terms.unit));
        if unit == W::default() {
            return amount;
        }
        let asked = unit.times(amount);
        let lowered = asked.min(self.level).min(self.low.since(charge));
        if lowered > W::default() {
            self.level = self.level.minus(lowered);
            self.low.refund(charge, lowered);
        }
        let given = lowered.min(level);
        // Mostly nothing, and the division takes long.
        if given < asked { amount.saturating_sub(given.over(unit)) } else { 0 }
    }

    /// Raises the level so that at most `left` fits, if more does. The provider's count replaces
    /// ours then, so nothing of the charges before can be refunded any more.
    pub(super) fn cap(&mut self, left: i64, charge: u64, now: u64) {
        let now = self.clock(now);
        let amount = self.terms.unit.times(left.unsigned_abs());
        let level = if left < 0 { self.terms.fit.plus(amount) } else { self.terms.fit.minus(amount) };
        let before = self.level_at(now);
        if before < level {
            self.raise(W::default(), level, charge, now);
        }
    }

    /// Sets the level to zero. Returns the amount that was in the bucket, rounded up.
    pub(super) fn empty(&mut self, now: u64) -> u64 {
        let now = self.clock(now);
        let (level, unit): (u128, u128) = (self.level_at(now).into(), self.terms.unit.into());
        (self.level, self.at, self.low) = (W::default(), self.at.max(now), LowWater::default());
        narrow(level.div_ceil(unit))
    }

    /// Returns the state at `now`.
    pub(super) fn look(&self, now: u64) -> Look {
        let (real, now) = (now, self.clock(now));
        let (unit, leak): (u128, u128) = (self.terms.unit.into(), self.terms.leak.into());
        let (fit, burst, jitter): (u128, u128, u128) =
            (self.terms.fit.into(), self.terms.burst.into(), self.terms.jitter.into());
        let (before, leaked) = (self.level.into(), leak.saturating_mul(now.saturating_sub(self.at).into()));
        let (level, paused) = (before.saturating_sub(leaked), leaked.saturating_sub(before));
        let fits = fit.saturating_sub(level) / unit;
        // A call larger than `fit` finds room in a bucket that was empty for long enough.
        let larger = if level > 0 {
            0
        } else if self.is_new() || paused >= jitter {
            self.terms.most.into()
        } else {
            burst.saturating_add(paused).saturating_sub(jitter) / unit
        };
        let pause = self.pause_of_next(self.terms.whole).into();
        let full_in = narrow(before.saturating_add(pause).saturating_sub(leaked).div_ceil(leak));
        // During a hold the level is as of its end, and the rate stands still until then.
        let (shown, since) = (now.max(self.at), real.max(self.time(self.at)));
        Look {
            available: narrow(fits.max(larger)).min(self.terms.most),
            at_once: narrow(fit / unit),
            debt: narrow(level.saturating_sub(burst).div_ceil(unit)),
            full_in: self.time(shown.saturating_add(full_in)).saturating_sub(since),
            part: self.part(since),
            resets_in: None,
        }
    }

    /// Moves the level from `before` to `after` for a charge at `at`.
    #[inline(always)]
    pub(super) fn raise(&mut self, before: W, after: W, charge: u64, at: u64) {
        self.low.record(charge, before, at);
        (self.level, self.at) = (after, self.at.max(at));
    }

    /// Returns the level when the bucket's clock shows `now`.
    #[inline(always)]
    pub(super) fn level_at(&self, now: u64) -> W {
        self.level.minus(self.terms.leak.times(now.saturating_sub(self.at)))
    }
}
