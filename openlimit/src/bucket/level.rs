//! `Level`: how full a bucket is, and the arithmetic on it. What it means is in `bucket`.

use super::Look;
use super::low_water::LowWater;
use super::word::Word;

/// What every call changes comes last, so that threads pass one cache line to and fro and share the other.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Level<W> {
    /// The weight of one unit of amount.
    unit: W,
    /// What leaks in a nanosecond.
    leak: W,
    /// The part of `burst` that is not kept back for jitter.
    fit: W,
    /// What may be taken at once after idleness.
    burst: W,
    /// What one call may take at the most, as an amount: the rate's amount or its burst.
    most: u64,
    /// How far, in nanoseconds, departures may lag behind the charges that are still in the bucket.
    late: u64,
    level: W,
    /// The moment to which `level` belongs, in nanoseconds.
    at: u64,
    /// How empty the bucket has been since each charge that may still be refunded.
    low: LowWater<W>,
}

impl<W: Word> Level<W> {
    pub(super) fn new(unit: W, leak: W, burst: W, fit: W, most: u64) -> Self {
        Self { unit, leak, fit, level: W::default(), at: 0, late: 0, burst, most, low: LowWater::default() }
    }

    /// Takes `amount` if it can be admitted at `now`. What it changes it keeps in registers to the end.
    #[inline(always)]
    pub(super) fn take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        if amount == 0 {
            return true;
        }
        let weight = self.unit.times(amount);
        let before = self.level.minus(self.leak.times(now.saturating_sub(self.at)));
        let after = before.plus(weight);
        if self.late > 0 || after > self.fit {
            return (self.late > 0 || weight > self.fit) && self.take_slowly(amount, charge, now);
        }
        self.low.record(charge, before);
        self.level = after;
        self.at = self.at.max(now);
        true
    }

    /// The same while departures lag behind, and for calls larger than the burst.
    #[inline(never)]
    fn take_slowly(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        self.advance(now);
        let weight = self.unit.times(amount);
        let admitted = if weight <= self.fit {
            weight <= self.fit.minus(self.level)
        } else {
            // Larger than the burst: into an empty bucket, unless it could never be admitted.
            amount <= self.most && self.due(amount, 0) <= now
        };
        if admitted {
            self.low.record(charge, self.level);
            self.level = self.level.plus(weight);
        }
        admitted
    }

    pub(super) fn put_back(&mut self, amount: u64) {
        // What was recorded of the level stays true: it was that low.
        self.level = self.level.minus(self.unit.times(amount));
    }

    #[inline]
    pub(super) fn due(&self, amount: u64, ahead: u128) -> u64 {
        let weight = self.unit.times(amount);
        if amount == 0 {
            return self.at;
        }
        if ahead > 0 || weight > self.fit {
            return self.due_after(amount, ahead);
        }
        let missing = self.level.minus(self.fit.minus(weight));
        // Mostly there is room in all limits but one, and a division is what takes longest here.
        if missing == W::default() { self.at } else { self.at.saturating_add(missing.over(self.leak)) }
    }

    /// The same for calls larger than the burst, and behind others.
    #[inline(never)]
    fn due_after(&self, amount: u64, ahead: u128) -> u64 {
        self.at.saturating_add(self.missing(amount, ahead).over(self.leak.into()))
    }

    #[inline]
    pub(super) fn charge(&mut self, amount: u64, charge: u64, at: u64, now: u64) {
        if amount > 0 {
            self.advance(at);
            self.low.record(charge, self.level);
            self.level = self.level.plus(self.unit.times(amount));
            self.late = self.late.max(now.saturating_sub(self.at));
        }
    }

    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) {
        if amount > 0 {
            self.advance(now);
            let given = self.unit.times(amount).min(self.low.since(charge));
            self.level = self.level.minus(given);
            self.low.refund(charge, given);
        }
    }

    pub(super) fn empty(&mut self, now: u64) -> u64 {
        self.advance(now);
        let (level, unit): (u128, u128) = (self.level.into(), self.unit.into());
        (self.level, self.late, self.low) = (W::default(), 0, LowWater::default());
        u64::try_from(level.div_ceil(unit)).unwrap_or(u64::MAX)
    }

    pub(super) fn look(&self, now: u64) -> Look {
        let (unit, fit, burst): (u128, u128, u128) = (self.unit.into(), self.fit.into(), self.burst.into());
        let (level, late) = self.after(now);
        let lag = self.leak.into().saturating_mul(late.into());
        let level: u128 = level.into();
        let fits = fit.saturating_sub(level) / unit;
        // What is larger than the burst finds room in an empty bucket, and behind late departures only as far as the
        // burst covers them.
        let larger = match (level, lag) {
            (0, 0) => self.most.into(),
            (0, lag) => burst.saturating_sub(lag) / unit,
            _ => 0,
        };
        Look {
            available: u64::try_from(fits.max(larger)).map_or(self.most, |amount| amount.min(self.most)),
            debt: narrow(level.saturating_sub(burst).div_ceil(unit)),
            full_in: narrow(level.div_ceil(self.leak.into())),
        }
    }

    /// What has to leak, from `at` on, before a call of `amount` behind `ahead` is due.
    fn missing(&self, amount: u64, ahead: u128) -> u128 {
        let level = self.level.into().saturating_add(ahead.saturating_mul(self.unit.into()));
        let (weight, fit): (u128, u128) = (self.unit.times(amount).into(), self.fit.into());
        if weight <= fit {
            level.saturating_sub(fit - weight)
        } else {
            let lag: u128 = self.leak.into().saturating_mul(self.late.into());
            level.saturating_add(weight.saturating_add(lag).saturating_sub(self.burst.into()).min(lag))
        }
    }

    /// Lets leak what leaks until `now`.
    #[inline]
    fn advance(&mut self, now: u64) {
        (self.level, self.late) = self.after(now);
        self.at = self.at.max(now);
    }

    /// The level, and how far departures lag behind, at `now`.
    #[inline]
    fn after(&self, now: u64) -> (W, u64) {
        let passed = now.saturating_sub(self.at);
        let late = if self.late > 0 { self.lag_after(passed) } else { 0 };
        (self.level.minus(self.leak.times(passed)), late)
    }

    /// Idle time drains what lags behind, too. Of `passed`, that is what draining the level leaves. (In 128 bits:
    /// what leaks in a long time is more than a narrow level counts.)
    fn lag_after(&self, passed: u64) -> u64 {
        let leak: u128 = self.leak.into();
        let idle = leak.saturating_mul(passed.into()).saturating_sub(self.level.into()) / leak;
        self.late.saturating_sub(narrow(idle))
    }
}

/// At most the largest value.
fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
