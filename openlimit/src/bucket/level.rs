//! `Level`: how full a bucket is, and the arithmetic on it.
//!
//! The page of the module `bucket` derives the rules and the units. Here they are written for a
//! [`Word`], an integer of 64 or 128 bits. All times are nanoseconds of the limiter's clock.
//! Threads read it before they take the lock, so times can arrive out of order. An earlier time
//! than the last one counts as the last one, so the level never leaks twice for the same time.

use super::look::Look;
use super::low_water::LowWater;
use super::word::Word;

/// The largest factor by which a rate is slowed down. A level of 64 bits has room for that.
const SLOWEST: u128 = 8;

/// The level of one limit.
///
/// The fields that every call changes come last. So threads pass one cache line between them and
/// share the one before it.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Level<W> {
    /// The weight of one unit of amount.
    unit: W,
    /// The weight that leaks in a nanosecond.
    leak: W,
    /// The burst less the jitter: a call fits if the level after it is at most this.
    fit: W,
    /// The weight that may be taken at once after an idle time.
    burst: W,
    /// The weight of the jitter, which may exceed the burst.
    jitter: W,
    /// The most that one call may take, as an amount: the rate's amount or its burst.
    most: u64,
    /// The weight in the bucket at `at`.
    level: W,
    /// The time to which `level` belongs. Only a charge or a refund moves it, so `level` also tells
    /// since when the bucket is empty.
    at: u64,
    /// The values of `level` and `at` before the last charge, for `put_back`.
    before: (W, u64),
    /// Set once the rate was slowed down.
    slowed: Option<Box<Slowed<W>>>,
    /// The lowest level since each charge that may still be refunded.
    low: LowWater<W>,
}

/// A rate that was slowed down, and perhaps is as declared again.
#[derive(Clone, Debug)]
struct Slowed<W> {
    /// The weight of one unit of amount by the declared rate.
    unit: W,
    /// The last charge before the rate changed.
    since: u64,
}

impl<W: Word> Level<W> {
    /// Creates a level of zero.
    pub(super) fn new(unit: W, leak: W, burst: W, jitter: W, most: u64) -> Self {
        Self {
            unit,
            leak,
            fit: burst.minus(jitter),
            burst,
            jitter,
            most,
            level: W::default(),
            at: 0,
            before: (W::default(), 0),
            slowed: None,
            low: LowWater::default(),
        }
    }

    /// Takes `amount` if it can be admitted at `now`. Returns whether it did.
    ///
    /// Every call that does not wait runs through this. So the usual case comes first, and writes
    /// to memory only once it is decided.
    #[inline(always)]
    pub(super) fn take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        if amount == 0 {
            return true;
        }
        let weight = self.unit.times(amount);
        let before = self.level_at(now);
        let after = before.plus(weight);
        if after > self.fit {
            return weight > self.fit && self.take_large(amount, charge, now);
        }
        self.raise(before, after, charge, now);
        true
    }

    /// Does the same for a call larger than `fit`: into debt, unless it can never be admitted.
    #[inline(never)]
    fn take_large(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        let admitted = amount <= self.most && self.due(amount, 0) <= now;
        if admitted {
            self.charge(amount, charge, now);
        }
        admitted
    }

    /// Undoes the last `take`.
    pub(super) fn put_back(&mut self, amount: u64) {
        if amount > 0 {
            // The recorded low water stays true: the level was that low.
            (self.level, self.at) = self.before;
        }
    }

    /// Returns when a call of `amount` is due, after other calls have taken `ahead`.
    #[inline]
    pub(super) fn due(&self, amount: u64, ahead: u128) -> u64 {
        let weight = self.unit.times(amount);
        if amount == 0 {
            return self.at;
        }
        if ahead > 0 || weight > self.fit {
            return self.due_after(weight, ahead);
        }
        let missing = self.level.minus(self.fit.minus(weight));
        // Usually all limits but one have room, and the division takes longest here.
        if missing == W::default() { self.at } else { self.at.saturating_add(missing.over(self.leak)) }
    }

    /// Does the same behind other calls, and for calls larger than `fit`.
    #[inline(never)]
    fn due_after(&self, weight: W, ahead: u128) -> u64 {
        let level = self.level.into().saturating_add(ahead.saturating_mul(self.unit.into()));
        let room: u128 = self.fit.minus(weight).into();
        let missing = level.saturating_sub(room).saturating_add(self.pause(weight).into());
        self.at.saturating_add(missing.over(self.leak.into()))
    }

    /// Returns the weight that leaks while the bucket has to be empty before a call of `weight`. It
    /// is zero for a call that fits, and for the first call of all.
    fn pause(&self, weight: W) -> W {
        if self.is_new() { W::default() } else { self.jitter.min(weight.plus(self.jitter).minus(self.burst)) }
    }

    /// Returns true if nothing was ever taken.
    fn is_new(&self) -> bool {
        self.at == 0 && self.level == W::default()
    }

    /// Takes `amount` as of `at`.
    #[inline]
    pub(super) fn charge(&mut self, amount: u64, charge: u64, at: u64) {
        if amount > 0 {
            let before = self.level_at(at);
            self.raise(before, before.plus(self.unit.times(amount)), charge, at);
        }
    }

    /// Gives back `amount` of `charge`, but no more than the lowest level since. Returns the rest,
    /// rounded up.
    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) -> u64 {
        let level = self.level_at(now);
        let unit = match &self.slowed {
            // It weighed at least that much.
            Some(slowed) if charge <= slowed.since => slowed.unit,
            _ => self.unit,
        };
        let asked = unit.times(amount);
        let given = asked.min(level).min(self.low.since(charge));
        if given > W::default() {
            (self.level, self.at) = (level.minus(given), self.at.max(now));
            self.low.refund(charge, given);
        }
        // Mostly nothing, and the division takes long.
        if given < asked { asked.minus(given).over(unit) } else { 0 }
    }

    /// Slows the rate down to `allowed` of what was `declared`, which is at least as much. The same
    /// amount weighs more from then on, after the charge `since`, and what is in the bucket stays.
    pub(super) fn slow(&mut self, allowed: u64, declared: u64, since: u64) {
        let unit = self.slowed.as_ref().map_or(self.unit, |slowed| slowed.unit);
        let wide: u128 = unit.into();
        let slow = wide.saturating_mul(declared.into()).div_ceil(allowed.max(1).into());
        self.unit = W::narrowed(slow.min(wide.saturating_mul(SLOWEST)));
        self.slowed = Some(Box::new(Slowed { unit, since }));
    }

    /// Raises the burst to `amount`, if it is less, but to no more than one call may take.
    pub(super) fn widen(&mut self, amount: u64) {
        // The burst is one of the declared rate.
        let unit = self.slowed.as_ref().map_or(self.unit, |slowed| slowed.unit);
        let burst = unit.times(amount.min(self.most));
        if burst > self.burst {
            (self.burst, self.fit) = (burst, burst.minus(self.jitter));
        }
    }

    /// Raises the level so that at most `left` fits, if more does. The provider's count replaces
    /// ours then, so nothing of the charges before can be refunded any more.
    pub(super) fn cap(&mut self, left: i64, charge: u64, now: u64) {
        let amount = self.unit.times(left.unsigned_abs());
        let level = if left < 0 { self.fit.plus(amount) } else { self.fit.minus(amount) };
        let before = self.level_at(now);
        if before < level {
            self.raise(W::default(), level, charge, now);
        }
    }

    /// Stops the leak until `until`. The level stands until then.
    pub(super) fn freeze(&mut self, until: u64, now: u64) {
        self.level = self.level_at(now);
        self.at = self.at.max(until);
    }

    /// Ends that at `now`, if it is not over.
    pub(super) fn thaw(&mut self, now: u64) {
        self.at = self.at.min(now);
    }

    /// Sets the level to zero. Returns the amount that was in the bucket, rounded up.
    pub(super) fn empty(&mut self, now: u64) -> u64 {
        let (level, unit): (u128, u128) = (self.level_at(now).into(), self.unit.into());
        (self.level, self.at, self.low) = (W::default(), self.at.max(now), LowWater::default());
        narrow(level.div_ceil(unit))
    }

    /// Returns the state at `now`.
    pub(super) fn look(&self, now: u64) -> Look {
        let (unit, leak): (u128, u128) = (self.unit.into(), self.leak.into());
        let (fit, burst, jitter): (u128, u128, u128) =
            (self.fit.into(), self.burst.into(), self.jitter.into());
        let (before, leaked) = (self.level.into(), leak.saturating_mul(now.saturating_sub(self.at).into()));
        let (level, paused) = (before.saturating_sub(leaked), leaked.saturating_sub(before));
        let fits = fit.saturating_sub(level) / unit;
        // A call larger than `fit` finds room in a bucket that was empty for long enough.
        let larger = if level > 0 {
            0
        } else if self.is_new() || paused >= jitter {
            self.most.into()
        } else {
            burst.saturating_add(paused).saturating_sub(jitter) / unit
        };
        let pause = self.pause(self.unit.times(self.most)).into();
        Look {
            available: narrow(fits.max(larger)).min(self.most),
            debt: narrow(level.saturating_sub(burst).div_ceil(unit)),
            full_in: narrow(before.saturating_add(pause).saturating_sub(leaked).div_ceil(leak)),
        }
    }

    /// Moves the level from `before` to `after` for a charge at `at`.
    #[inline(always)]
    fn raise(&mut self, before: W, after: W, charge: u64, at: u64) {
        self.low.record(charge, before);
        self.before = (self.level, self.at);
        (self.level, self.at) = (after, self.at.max(at));
    }

    /// Returns the level at `now`.
    #[inline(always)]
    fn level_at(&self, now: u64) -> W {
        self.level.minus(self.leak.times(now.saturating_sub(self.at)))
    }
}

/// Returns the value; the largest that fits if it is larger.
fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
