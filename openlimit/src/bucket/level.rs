//! `Level`: how full a bucket is, and the arithmetic on it.
//!
//! The page of the module `bucket` derives the rules and the units. Here they are written for a
//! [`Word`], an integer of 64 or 128 bits. All times are nanoseconds of the limiter's clock.
//! Threads read it before they take the lock, so times can arrive out of order. An earlier time
//! than the last one counts as the last one, so the level never leaks twice for the same time.

use std::sync::Arc;

use super::climb::Climb;
use super::look::Look;
use super::low_water::LowWater;
use super::word::{Word, narrow};

/// The largest factor by which a rate is slowed down. A level of 64 bits has room for that.
pub(crate) const SLOWEST: u64 = 8;

/// The largest factor by which a rate is raised, whatever a header says. From the rates at which
/// the discovery of limits starts, it reaches beyond the limits of any provider.
pub(crate) const FASTEST: u64 = 1 << 16;

/// The level of one limit.
///
/// What does not change with a call is in [`Weights`], which the levels of equal limits share, and
/// what few levels have is in boxes.
#[derive(Debug)]
pub(crate) struct Level<W> {
    pub(super) terms: Arc<Weights<W>>,
    /// The weight in the bucket at `at`.
    pub(super) level: W,
    /// The time to which `level` belongs, on the bucket's [clock](Climb). Only a charge or a refund
    /// moves it, so `level` also tells since when the bucket is empty.
    pub(super) at: u64,
    /// The lowest level since each charge that may still be refunded.
    pub(super) low: LowWater<W>,
    /// Set once the rate was not as declared.
    pub(super) pace: Option<Box<Pace<W>>>,
}

/// The terms of a limit, by weight.
#[derive(Clone, Debug)]
pub(super) struct Weights<W> {
    /// The weight of one unit of amount.
    pub(super) unit: W,
    /// The weight that leaks in a nanosecond.
    pub(super) leak: W,
    /// The burst less the jitter: a call fits if the level after it is at most this.
    fit: W,
    /// The weight that may be taken at once after an idle time.
    pub(super) burst: W,
    /// The weight of the jitter, which may exceed the burst.
    jitter: W,
    /// The most that one call may take, as an amount: the rate's amount or its burst.
    most: u64,
}

impl<W: Word> Weights<W> {
    pub(super) fn new(unit: W, leak: W, burst: W, jitter: W, most: u64) -> Self {
        Self { unit, leak, fit: burst.minus(jitter), burst, jitter, most }
    }
}

/// A rate that differs from the declared one, or that did.
#[derive(Clone, Debug)]
pub(super) struct Pace<W> {
    /// The weight of one unit of amount by the declared rate.
    pub(super) unit: W,
    /// The least that it ever weighed.
    pub(super) least: W,
    /// The last charge before that weight changed.
    pub(super) since: u64,
    /// The last charge before each [change](super::change) of the limit, and the least that a unit
    /// of the charges up to it weighs now.
    pub(super) eras: Vec<(u64, W)>,
    pub(super) climb: Climb,
    /// The last charge before the rate was cut.
    pub(super) cut: u64,
}

impl<W: Word> Pace<W> {
    /// Returns the least that a unit of a charge weighs. Later charges weigh `unit`.
    fn weighed(&self, charge: u64, unit: W) -> W {
        match self.eras.iter().find(|(last, _)| charge <= *last) {
            Some((_, weight)) => *weight,
            None if charge <= self.since => self.least,
            None => unit,
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

    /// Returns whether `amount` can be admitted when the bucket's clock shows `now`.
    ///
    /// Every call that does not wait runs through this and [`take`](Self::take). So the usual case
    /// comes first.
    #[inline(always)]
    pub(super) fn fits(&self, amount: u64, now: u64) -> bool {
        let weight = self.terms.unit.times(amount);
        self.level_at(now).plus(weight) <= self.terms.fit
            || amount == 0
            || weight > self.terms.fit && self.fits_large(amount, now)
    }

    /// Does the same for a call larger than `fit`: into debt, unless it can never be admitted.
    #[inline(never)]
    fn fits_large(&self, amount: u64, now: u64) -> bool {
        amount <= self.terms.most && self.shown_when_due(amount, 0) <= now
    }

    /// Takes `amount` if it [fits](Self::fits). Returns whether it did.
    #[inline(always)]
    pub(super) fn try_take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        let fits = self.fits(amount, now);
        if fits {
            self.take(amount, charge, now);
        }
        fits
    }

    /// Takes `amount` when the bucket's clock shows `now`. The level may rise to any height.
    #[inline(always)]
    pub(super) fn take(&mut self, amount: u64, charge: u64, now: u64) {
        if amount > 0 {
            let before = self.level_at(now);
            self.raise(before, before.plus(self.terms.unit.times(amount)), charge, now);
        }
    }

    /// Returns when a call of `amount` is due, after other calls have taken `ahead`.
    #[inline]
    pub(super) fn due(&self, amount: u64, ahead: u128) -> u64 {
        let shown = self.shown_when_due(amount, ahead);
        if self.pace.is_some() { self.time(shown) } else { shown }
    }

    /// Does the same on the bucket's clock.
    #[inline]
    fn shown_when_due(&self, amount: u64, ahead: u128) -> u64 {
        let weight = self.terms.unit.times(amount);
        if amount == 0 {
            return self.at;
        }
        if ahead > 0 || weight > self.terms.fit {
            return self.due_after(weight, ahead);
        }
        let missing = self.level.minus(self.terms.fit.minus(weight));
        // Usually all limits but one have room, and the division takes longest here.
        if missing == W::default() { self.at } else { self.at.saturating_add(missing.over(self.terms.leak)) }
    }

    /// Does the same behind other calls, and for calls larger than `fit`.
    #[inline(never)]
    fn due_after(&self, weight: W, ahead: u128) -> u64 {
        let level = self.level.into().saturating_add(ahead.saturating_mul(self.terms.unit.into()));
        let room: u128 = self.terms.fit.minus(weight).into();
        let missing = level.saturating_sub(room).saturating_add(self.pause(weight).into());
        self.at.saturating_add(missing.over(self.terms.leak.into()))
    }

    /// Returns the weight that leaks while the bucket has to be empty before a call of `weight`. It
    /// is zero for a call that fits, and for the first call of all.
    fn pause(&self, weight: W) -> W {
        if self.is_new() {
            W::default()
        } else {
            self.terms.jitter.min(weight.plus(self.terms.jitter).minus(self.terms.burst))
        }
    }

    /// Returns true if nothing was ever taken.
    fn is_new(&self) -> bool {
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
        self.take(amount, charge, self.clock(at));
    }

    /// Gives back `amount` of `charge`, but no more than the lowest level since. Returns the rest,
    /// rounded down.
    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) -> u64 {
        let now = self.clock(now);
        let level = self.level_at(now);
        let unit = self.pace.as_ref().map_or(self.terms.unit, |pace| pace.weighed(charge, self.terms.unit));
        if unit == W::default() {
            return amount;
        }
        let asked = unit.times(amount);
        let given = asked.min(level).min(self.low.since(charge));
        if given > W::default() {
            (self.level, self.at) = (level.minus(given), self.at.max(now));
            self.low.refund(charge, given);
        }
        // Mostly nothing, and the division takes long.
        if given < asked { amount.saturating_sub(given.over(unit)) } else { 0 }
    }

    /// Changes the rate to `allowed` of what was `declared`. The same amount has another weight
    /// from then on, after the charge `since`, and what is in the bucket stays.
    ///
    /// But if the rate was never as fast, what is in the bucket weighs less by as much: otherwise a
    /// few calls at a low rate would block a high one for long. The levels before are of another
    /// weight then, so nothing of those charges can be refunded. It happens once for each rate, so
    /// rates that alternate do not drain the bucket.
    pub(super) fn set_rate(&mut self, allowed: u64, declared: u64, since: u64, now: u64) {
        let now = self.clock(now);
        let pace = self.pace(since);
        let (wide, least): (u128, W) = (pace.unit.into(), pace.least);
        let unit = wide.saturating_mul(declared.into()).div_ceil(allowed.max(1).into());
        let slowest = wide.saturating_mul(SLOWEST.into());
        let unit = W::narrowed(unit.clamp(wide.div_ceil(FASTEST.into()), slowest));
        (pace.least, pace.since) = (least.min(unit), since);
        Arc::make_mut(&mut self.terms).unit = unit;
        let level = self.level_at(now);
        if unit < least && level > W::default() {
            self.raise(W::default(), level.part(unit, least), since, now);
        }
    }

    /// Halves the rate, which then climbs back. Does nothing if it was cut already after `charge`,
    /// which was refused. `last` is the last charge. Returns whether it was cut.
    pub(super) fn cut(&mut self, span: u64, charge: u64, last: u64, now: u64) -> bool {
        // During a hold the rate stands still.
        let (from, is_new) = (now.max(self.time(self.at)), self.is_new());
        let pace = self.pace(0);
        if charge <= pace.cut {
            return false;
        }
        let shown = pace.climb.clock(from);
        (pace.climb, pace.cut) = (pace.climb.cut(span, from), last);
        let gained = pace.climb.clock(from).saturating_sub(shown);
        // A bucket that was never used stays so.
        if !is_new {
            self.at = self.at.saturating_add(gained);
        }
        true
    }

    /// Returns when the rate is whole again after a cut. It may be over.
    pub(super) fn climbs_until(&self) -> u64 {
        self.pace.as_ref().map_or(0, |pace| pace.climb.end())
    }

    /// Raises the burst to `amount`, if it is less, but to no more than one call may take.
    pub(super) fn widen(&mut self, amount: u64) {
        // A slower rate may recover, and a faster one is the provider's own.
        let unit = self.pace.as_ref().map_or(self.terms.unit, |pace| pace.unit.min(self.terms.unit));
        let burst = unit.times(amount.min(self.terms.most));
        if burst > self.terms.burst {
            let terms = Arc::make_mut(&mut self.terms);
            (terms.burst, terms.fit) = (burst, burst.minus(terms.jitter));
        }
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

    /// Stops the leak until `until`. The level stands until then, and so does a climb of the rate.
    pub(super) fn freeze(&mut self, until: u64, now: u64) {
        self.level = self.level_at(self.clock(now));
        // It may stand for longer already.
        let until = until.max(self.time(self.at));
        self.move_climb(until, now);
        self.at = self.at.max(self.clock(until));
    }

    /// Ends that at `now`, if it is not over.
    pub(super) fn thaw(&mut self, now: u64) {
        self.move_climb(now, now);
        self.at = self.at.min(self.clock(now));
    }

    /// Lets a climb go on at `to`, from where it stands at `now` or at the end of a hold.
    fn move_climb(&mut self, to: u64, now: u64) {
        let from = now.max(self.time(self.at));
        if let Some(pace) = &mut self.pace {
            pace.climb = pace.climb.moved(from, to);
        }
    }

    /// Returns the pace, of which a new one is as declared.
    fn pace(&mut self, since: u64) -> &mut Pace<W> {
        let unit = self.terms.unit;
        self.pace.get_or_insert_with(|| {
            Box::new(Pace { unit, least: unit, since, eras: Vec::new(), climb: Climb::default(), cut: 0 })
        })
    }

    /// Returns what the bucket's clock shows at a real time.
    #[inline]
    pub(super) fn clock(&self, time: u64) -> u64 {
        self.pace.as_ref().map_or(time, |pace| pace.climb.clock(time))
    }

    /// Returns the real time at which the bucket's clock shows `shown`.
    #[inline(never)]
    fn time(&self, shown: u64) -> u64 {
        self.pace.as_ref().map_or(shown, |pace| pace.climb.time(shown))
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
        let pause = self.pause(self.terms.unit.times(self.terms.most)).into();
        let full_in = narrow(before.saturating_add(pause).saturating_sub(leaked).div_ceil(leak));
        Look {
            available: narrow(fits.max(larger)).min(self.terms.most),
            at_once: narrow(fit / unit),
            debt: narrow(level.saturating_sub(burst).div_ceil(unit)),
            full_in: self.time(now.saturating_add(full_in)).saturating_sub(real),
            // During a hold the rate stands still.
            part: self.part(real.max(self.time(self.at))),
            resets_in: None,
        }
    }

    /// Returns the part of the declared rate at which the bucket leaks, as a fraction.
    fn part(&self, now: u64) -> (u128, u128) {
        self.pace.as_ref().map_or((1, 1), |pace| {
            let (part, of) = pace.climb.part(now);
            let (declared, unit): (u128, u128) = (pace.unit.into(), self.terms.unit.into());
            (declared.saturating_mul(part.into()), unit.saturating_mul(of.into()))
        })
    }

    /// Moves the level from `before` to `after` for a charge at `at`.
    #[inline(always)]
    fn raise(&mut self, before: W, after: W, charge: u64, at: u64) {
        self.low.record(charge, before);
        (self.level, self.at) = (after, self.at.max(at));
    }

    /// Returns the level when the bucket's clock shows `now`.
    #[inline(always)]
    pub(super) fn level_at(&self, now: u64) -> W {
        self.level.minus(self.terms.leak.times(now.saturating_sub(self.at)))
    }
}
