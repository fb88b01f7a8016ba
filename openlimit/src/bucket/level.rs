//! `Level`: how full a bucket is, and the arithmetic on it. What it means is in `bucket`.

use super::low_water::LowWater;
use super::word::Word;

#[derive(Debug)]
pub(super) struct Level<W> {
    /// The weight of one unit of amount.
    unit: W,
    /// What leaks in a nanosecond.
    leak: W,
    /// The part of `burst` that is not kept back for jitter.
    fit: W,
    level: W,
    /// The moment to which `level` belongs, in nanoseconds.
    at: u64,
    /// How far, in nanoseconds, departures may lag behind the charges that are still in the bucket.
    late: u64,
    /// What may be taken at once after idleness.
    burst: W,
    /// How empty the bucket has been since each charge that may still be refunded.
    low: LowWater<W>,
}

impl<W: Word> Level<W> {
    pub(super) fn new(unit: W, leak: W, burst: W, fit: W) -> Self {
        Self { unit, leak, fit, level: W::default(), at: 0, late: 0, burst, low: LowWater::default() }
    }

    #[inline]
    pub(super) fn take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        self.advance(now);
        let weight = self.unit.times(amount);
        let admitted = if weight <= self.fit {
            weight <= self.fit.minus(self.level)
        } else {
            self.due(amount, 0) <= now
        };
        if admitted && amount > 0 {
            self.low.record(charge, self.level);
            self.level = self.level.plus(weight);
        }
        admitted
    }

    pub(super) fn put_back(&mut self, amount: u64) {
        // What was recorded of the level stays true: it was that low.
        self.level = self.level.minus(self.unit.times(amount));
    }

    pub(super) fn due(&self, amount: u64, ahead: u128) -> u64 {
        self.at.saturating_add(quotient(self.missing(amount, ahead), self.leak.into()))
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

    /// What has to leak, from `at` on, before a call of `amount` behind `ahead` is due.
    fn missing(&self, amount: u64, ahead: u128) -> u128 {
        if amount == 0 {
            return 0;
        }
        let level = self.level.into().saturating_add(ahead.saturating_mul(self.unit.into()));
        let weight: u128 = self.unit.times(amount).into();
        let fit = self.fit.into();
        if weight <= fit {
            level.saturating_add(weight).saturating_sub(fit)
        } else {
            let lag: u128 = self.leak.into().saturating_mul(self.late.into());
            level.saturating_add(weight.saturating_add(lag).saturating_sub(self.burst.into()).min(lag))
        }
    }

    /// Lets leak what leaks until `now`.
    #[inline]
    fn advance(&mut self, now: u64) {
        if now > self.at {
            let leaked = self.leak.times(now - self.at);
            if self.late > 0 {
                self.drain_lag(leaked);
            }
            self.level = self.level.minus(leaked);
            self.at = now;
        }
    }

    /// Idle time drains what lags behind, too.
    #[cold]
    fn drain_lag(&mut self, leaked: W) {
        let idle = leaked.minus(self.level).into() / self.leak.into();
        self.late = self.late.saturating_sub(u64::try_from(idle).unwrap_or(u64::MAX));
    }
}

/// `a / b`, rounded up, at most the largest value. Division of wide numbers takes ten times as long.
fn quotient(a: u128, b: u128) -> u64 {
    match (u64::try_from(a), u64::try_from(b)) {
        (Ok(a), Ok(b)) => a.div_ceil(b),
        _ => u64::try_from(a.div_ceil(b)).unwrap_or(u64::MAX),
    }
}
