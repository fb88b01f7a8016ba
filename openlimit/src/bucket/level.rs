//! `Level`: how full a bucket is, and the arithmetic on it.
//!
//! The page of the module `bucket` derives the rules and the units. Here they are written for a
//! [`Word`], an integer of 64 or 128 bits. All times are nanoseconds of the limiter's clock.
//! Threads read it before they take the lock, so times can arrive out of order. An earlier time
//! than the last one counts as the last one, so the level never leaks twice for the same time.

use super::look::Look;
use super::low_water::LowWater;
use super::word::Word;

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
    /// The most that one call may take, as an amount: the rate's amount or its burst.
    most: u64,
    /// The time by which departures may lag behind the charges that are still in the bucket.
    late: u64,
    /// The weight in the bucket at `at`.
    level: W,
    /// The time to which `level` belongs.
    at: u64,
    /// The lowest level since each charge that may still be refunded.
    low: LowWater<W>,
}

impl<W: Word> Level<W> {
    /// Creates a level of zero.
    pub(super) fn new(unit: W, leak: W, burst: W, fit: W, most: u64) -> Self {
        Self { unit, leak, fit, level: W::default(), at: 0, late: 0, burst, most, low: LowWater::default() }
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

    /// Does the same while departures lag behind, and for calls larger than `fit`.
    #[inline(never)]
    fn take_slowly(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        self.advance(now);
        let weight = self.unit.times(amount);
        let admitted = if weight <= self.fit {
            weight <= self.fit.minus(self.level)
        } else {
            // Into debt, once the bucket is empty, unless the call can never be admitted.
            amount <= self.most && self.due(amount, 0) <= now
        };
        if admitted {
            self.low.record(charge, self.level);
            self.level = self.level.plus(weight);
        }
        admitted
    }

    /// Undoes the last `take`.
    pub(super) fn put_back(&mut self, amount: u64) {
        // The recorded low water stays true: the level was that low.
        self.level = self.level.minus(self.unit.times(amount));
    }

    /// Returns when a call of `amount` is due, after other calls have taken `ahead`.
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
        // Usually all limits but one have room, and the division takes longest here.
        if missing == W::default() { self.at } else { self.at.saturating_add(missing.over(self.leak)) }
    }

    /// Does the same behind other calls, and for calls larger than `fit`.
    #[inline(never)]
    fn due_after(&self, amount: u64, ahead: u128) -> u64 {
        self.at.saturating_add(self.missing(amount, ahead).over(self.leak.into()))
    }

    /// Takes `amount` as of `at`, for a call that departs at `now`.
    #[inline]
    pub(super) fn charge(&mut self, amount: u64, charge: u64, at: u64, now: u64) {
        if amount > 0 {
            self.advance(at);
            self.low.record(charge, self.level);
            self.level = self.level.plus(self.unit.times(amount));
            self.late = self.late.max(now.saturating_sub(self.at));
        }
    }

    /// Gives back `amount` of `charge`, but no more than the lowest level since.
    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) {
        if amount > 0 {
            self.advance(now);
            let given = self.unit.times(amount).min(self.low.since(charge));
            self.level = self.level.minus(given);
            self.low.refund(charge, given);
        }
    }

    /// Sets the level to zero. Returns the amount that was in the bucket, rounded up.
    pub(super) fn empty(&mut self, now: u64) -> u64 {
        self.advance(now);
        let (level, unit): (u128, u128) = (self.level.into(), self.unit.into());
        (self.level, self.late, self.low) = (W::default(), 0, LowWater::default());
        u64::try_from(level.div_ceil(unit)).unwrap_or(u64::MAX)
    }

    /// Returns the state at `now`.
    pub(super) fn look(&self, now: u64) -> Look {
        let (unit, fit, burst): (u128, u128, u128) = (self.unit.into(), self.fit.into(), self.burst.into());
        let (level, late) = self.after(now);
        let lag = self.leak.into().saturating_mul(late.into());
        let level: u128 = level.into();
        let fits = fit.saturating_sub(level) / unit;
        // A call larger than `fit` finds room in an empty bucket. Behind late departures it does so
        // only as far as the burst covers them.
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

    /// Returns the weight that has to leak, from `at` on, before a call of `amount` is due behind
    /// `ahead`.
    fn missing(&self, amount: u64, ahead: u128) -> u128 {
        let level = self.level.into().saturating_add(ahead.saturating_mul(self.unit.into()));
        let (weight, fit): (u128, u128) = (self.unit.times(amount).into(), self.fit.into());
        if weight <= fit {
            level.saturating_sub(fit - weight)
        } else {
            // The whole level, and the part of the lag that the burst does not cover.
            let lag: u128 = self.leak.into().saturating_mul(self.late.into());
            level.saturating_add(weight.saturating_add(lag).saturating_sub(self.burst.into()).min(lag))
        }
    }

    /// Moves the level on to `now`.
    #[inline]
    fn advance(&mut self, now: u64) {
        (self.level, self.late) = self.after(now);
        self.at = self.at.max(now);
    }

    /// Returns `level` and `late` at `now`.
    #[inline]
    fn after(&self, now: u64) -> (W, u64) {
        let passed = now.saturating_sub(self.at);
        let late = if self.late > 0 { self.lag_after(passed) } else { 0 };
        (self.level.minus(self.leak.times(passed)), late)
    }

    /// Returns `late` after `passed` nanoseconds. Time in which the bucket is empty reduces it: the
    /// part of `passed` that is left when the level has drained.
    ///
    /// The product needs 128 bits: more may leak in a long time than a narrow level can hold.
    fn lag_after(&self, passed: u64) -> u64 {
        let leak: u128 = self.leak.into();
        let idle = leak.saturating_mul(passed.into()).saturating_sub(self.level.into()) / leak;
        self.late.saturating_sub(narrow(idle))
    }
}

/// Returns the value; the largest that fits if it is larger.
fn narrow(wide: u128) -> u64 {
    u64::try_from(wide).unwrap_or(u64::MAX)
}
