//! `Bucket`: one limit's state, a leaky bucket used as a meter (GCRA), in exact integers.
//!
//! Calls fill the bucket, time empties it. A call fits if the level after it stays within the burst less the
//! jitter. A call that cannot fit even an empty bucket waits until the bucket is empty and then takes it into
//! debt, so that later calls wait for it.
//!
//! # Units
//!
//! A rate of `A` per `P` nanoseconds with a headroom of `h / H` leaks `A * (H - h) / (P * H)` of an amount in a
//! nanosecond. Both sides of that fraction, reduced, are kept: one unit of amount weighs `unit = P * H`, and
//! `leak = A * (H - h)` leaks a nanosecond. So nothing is ever rounded. With amounts below 2^63, periods and
//! bursts of at most 31 days (2^51.3 ns) and `H` of at most 5 000 (2^12.3), every product stays below 2^127.
//!
//! # Two moments
//!
//! A call that waited departs when its timer fires, a little after the moment at which it was due. It is
//! charged as of the due moment, or else every wait would cost the timer's granularity in throughput. But then
//! the provider sees it later than the bucket does, and so may hold up to `leak * late` more than `level`,
//! where `late` is the longest such delay whose effect has not drained yet. Calls that fit leave room for it:
//! the jitter kept back is at least twice the longest delay. A call into debt leaves none, so it waits for
//! what the burst does not cover.

use std::time::Duration;

use self::low_water::LowWater;
use crate::Rate;

mod low_water;

#[derive(Debug)]
pub(crate) struct Bucket {
    /// The weight of one unit of amount.
    unit: u128,
    /// What leaks in a nanosecond.
    leak: u128,
    /// What may be taken at once after idleness.
    burst: u128,
    /// The part of `burst` that is not kept back for jitter.
    fit: u128,
    /// What one call may take at the most, as an amount: the rate's amount or its burst.
    most: u64,

    level: u128,
    /// The moment to which `level` belongs, in nanoseconds.
    at: u64,
    /// How far, in nanoseconds, departures may lag behind the charges that are still in the bucket.
    late: u64,
    /// How empty the bucket has been since each charge that may still be refunded.
    low: LowWater,
}

impl Bucket {
    /// An empty bucket. The builder has checked that the parts are in range.
    pub(crate) fn new(rate: Rate, burst: Duration, jitter: Duration, headroom: (u64, u64)) -> Self {
        let (kept, of) = (u128::from(headroom.0), u128::from(headroom.1));
        let amount = u128::from(rate.amount());
        let (unit, leak) = (rate.period().as_nanos() * of, amount * (of - kept));
        let common = gcd(unit, leak);
        // The burst is a time of the rate as declared: headroom does not make it smaller.
        let scale = |time: Duration| time.as_nanos().saturating_mul(amount * of) / common;
        let most = burst.as_nanos() * amount / rate.period().as_nanos();
        Self {
            unit: unit / common,
            leak: leak / common,
            burst: scale(burst),
            fit: scale(burst.saturating_sub(jitter)),
            most: rate.amount().max(u64::try_from(most).unwrap_or(u64::MAX)),
            level: 0,
            at: 0,
            late: 0,
            low: LowWater::default(),
        }
    }

    /// The most that one call may take: the amount of the whole period, or the burst where that is larger.
    pub(crate) fn most(&self) -> u64 {
        self.most
    }

    /// Whether a call of `amount` can be admitted at `now`.
    pub(crate) fn admits(&mut self, amount: u64, now: u64) -> bool {
        self.advance(now);
        let weight = self.weight(amount);
        if amount == 0 {
            // Even into a bucket in debt.
            true
        } else if weight <= self.fit {
            self.level.saturating_add(weight) <= self.fit
        } else {
            self.due(amount, 0) <= now
        }
    }

    /// The first moment at which a call of `amount` can be admitted, once others have taken `ahead` before it.
    /// With nothing ahead it is exact, else a lower bound. A call that takes nothing is always due.
    pub(crate) fn due(&self, amount: u64, ahead: u128) -> u64 {
        let wait = self.missing(amount, ahead).div_ceil(self.leak);
        self.at.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX))
    }

    /// What has to leak, from the last charge on, before a call of `amount` behind `ahead` is due.
    pub(crate) fn missing(&self, amount: u64, ahead: u128) -> u128 {
        if amount == 0 {
            return 0;
        }
        let weight = self.weight(amount);
        let level = self.level.saturating_add(ahead.saturating_mul(self.unit));
        if weight <= self.fit {
            level.saturating_add(weight).saturating_sub(self.fit)
        } else {
            let lag = product(self.leak, self.late);
            level.saturating_add(weight.saturating_add(lag).saturating_sub(self.burst).min(lag))
        }
    }

    /// What is missing at `now` of [`missing`](Self::missing), and how much leaks in a nanosecond.
    pub(crate) fn shortage(&self, amount: u64, ahead: u128, now: u64) -> (u128, u128) {
        (self.missing(amount, ahead).saturating_sub(self.leaked(now)), self.leak)
    }

    /// Takes `amount` as of `at`, for a call that departs at `now`. `charge` numbers the charges of a limiter
    /// in their order.
    pub(crate) fn charge(&mut self, amount: u64, charge: u64, at: u64, now: u64) {
        if amount == 0 {
            return;
        }
        self.advance(at);
        self.low.record(charge, self.level);
        self.level = self.level.saturating_add(self.weight(amount));
        self.late = self.late.max(now.saturating_sub(self.at));
    }

    /// Gives back `amount` of what was taken by `charge`, as far as the limit allows.
    ///
    /// Had the call never been, the bucket would have run empty the earlier, and could not have drained below
    /// nothing meanwhile. So of what it took, only as much still matters as was in the bucket at its emptiest
    /// since. To give back more would wipe out charges of later calls.
    pub(crate) fn refund(&mut self, amount: u64, charge: u64, now: u64) {
        if amount == 0 {
            return;
        }
        self.advance(now);
        let given = self.weight(amount).min(self.low.since(charge));
        self.level -= given.min(self.level);
        self.low.refund(charge, given);
    }

    /// Lets leak what leaks until `now`.
    fn advance(&mut self, now: u64) {
        if now <= self.at {
            return;
        }
        let leaked = self.leaked(now);
        if self.late > 0 && leaked > self.level {
            // Idle time drains what lags behind, too.
            let idle = (leaked - self.level) / self.leak;
            self.late = self.late.saturating_sub(u64::try_from(idle).unwrap_or(u64::MAX));
        }
        self.level = self.level.saturating_sub(leaked);
        self.at = now;
    }

    fn leaked(&self, now: u64) -> u128 {
        product(self.leak, now.saturating_sub(self.at))
    }

    fn weight(&self, amount: u64) -> u128 {
        product(self.unit, amount)
    }
}

/// `a * b`, at most the largest value. Nearly always `a` is a small number in a wide type, since it is a term of
/// a reduced fraction, and one multiplication does.
fn product(a: u128, b: u64) -> u128 {
    match u64::try_from(a) {
        Ok(a) => u128::from(a) * u128::from(b),
        Err(_) => a.saturating_mul(b.into()),
    }
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
