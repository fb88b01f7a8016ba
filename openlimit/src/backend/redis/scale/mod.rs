//! `Scale`: converts between amounts and weights in a shared bucket.
//!
//! Numbers in Redis' scripts are doubles, which are exact up to 2^53. Amounts times units, as
//! buckets in memory use them, would not fit. So a shared bucket counts in nanoseconds of its
//! limit's rate, and one nanosecond leaks in each. At a rate of `A` per `P` nanoseconds an amount
//! `a` weighs
//!
//! ```text
//! a * P / A
//! ```
//!
//! Weights are rounded up and refunds down. So a call costs up to one nanosecond too much, and
//! never too little.
//!
//! All clients of a bucket share its leak, but each may have a headroom of its own. So a headroom
//! of `h` (a fraction of one) makes the calls of its client heavier instead, by `1 / (1 - h)`. The
//! burst is a time of the declared rate, so it grows by the same factor and holds the same amount
//! as without.
//!
//! Example: 200 requests per minute, a burst of 1 s, a jitter of 50 ms, and no headroom. One
//! request weighs 60 s / 200 = 300 ms. The bucket holds 1 s, of which calls may fill 950 ms: three
//! requests at once, then one every 300 ms. With a headroom of 20 % a request weighs 375 ms and
//! calls may fill 1 187.5 ms: still three at once, then one every 375 ms, which is 160 per minute.
//!
//! The pause before a large call (see `bucket::due`) is at most as long as the jitter, or as the
//! whole amount of a limit that is counted in windows. The script takes one such number for all
//! limits. So in windows it is that of the slowest limit, and the burst of each limit is its `fit`
//! and that number. For what is larger than `fit`, the pause is then what it is larger by.
//!
//! # Limits that reset
//!
//! A limit that resets does not leak. Its bucket counts the amounts that were taken since the last
//! reset, so one unit weighs 1, whatever the rate and the headroom of the client. These change how
//! much of a window the client uses, which is its `fit`.

mod pace;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::bucket::{Ahead, FASTEST, Metering};
use crate::limits::Counting;

/// The largest weight and level: 2^52 nanoseconds, 52 days. The sum of two is still exact in a
/// double. The script calls it `FAR`.
pub(crate) const MOST: u64 = 1 << 52;

/// The scale of one limit. Weights and sizes are in nanoseconds of its rate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// An amount weighs `amount * over / under`.
    over: u128,
    under: u128,
    /// The burst. A call whose weight is larger takes the bucket into debt.
    pub(crate) burst: u64,
    /// The part of the burst that calls may fill: all but the jitter.
    pub(crate) fit: u64,
    /// The longest pause before a large call. It is the same for all limits of a limiter.
    pub(crate) pause: u64,
    /// What is kept back of a burst that is long enough.
    kept_back: u64,
    /// The most that one call may take, as an amount.
    pub(crate) most: u64,
    /// The rate that the provider allows, in parts of the declared one.
    rate: u64,
    /// The most that it may be.
    most_rate: u64,
    /// The rate now, in parts of the declared one. Calls weigh more by that, as with a headroom.
    pace: u64,
    /// The fastest pace that there was, for charges up to `since`.
    fastest: u64,
    /// The last charge before it became slower.
    since: u64,
    /// The amount of a window as declared, less the headroom, if the limit resets.
    window: Option<u64>,
    /// The period of the rate, in nanoseconds.
    period: u64,
}

/// A rate or a pace as declared.
pub(crate) const ONE: u64 = 1 << 32;

impl Scale {
    /// Creates the scale of a limit. `pause` is the longest pause before a large call, by
    /// [`longest_pause`](Self::longest_pause). It replaces the jitter of a limit that refills
    /// continuously.
    pub(crate) fn new(metering: &Metering, pause: Duration) -> Self {
        if metering.rate.has_resets() {
            return Self::of_windows(metering, pause);
        }
        let Metering { rate, burst, jitter, headroom: (kept, of), .. } = metering.as_refilling();
        let (kept, of) = (u128::from(kept), u128::from(of));
        let (over, under) = (rate.period().as_nanos() * of, u128::from(rate.amount()) * (of - kept));
        // The burst is a time of the declared rate, so headroom makes it as much heavier as calls.
        let weigh = |time: Duration| clamp(time.as_nanos() * of / (of - kept));
        let fit = match metering.counting {
            Counting::Refilling => weigh(burst.saturating_sub(jitter)),
            // Rounded up as calls are, so that what may leave at once fits.
            Counting::InWindows => clamp((u128::from(rate.amount_in(burst - jitter)) * over).div_ceil(under)),
        };
        let burst = match metering.counting {
            Counting::Refilling if jitter == pause => weigh(burst),
            // In windows, and for the share of a limit that is counted in windows.
            _ => clamp(u128::from(fit) + u128::from(clamp(pause.as_nanos()))),
        };
        Self { over, under, burst, fit, kept_back: weigh(pause), ..Self::of_units(metering, pause) }
    }

    /// Creates the scale of a limit that resets.
    fn of_windows(metering: &Metering, pause: Duration) -> Self {
        let amount = metering.of_window();
        let size = amount.min(MOST);
        Self { burst: size, fit: size, window: Some(amount), ..Self::of_units(metering, pause) }
    }

    /// Creates a scale by which one unit weighs 1, of a limit at its declared rate and of no size.
    fn of_units(metering: &Metering, pause: Duration) -> Self {
        Self {
            over: 1,
            under: 1,
            burst: 0,
            fit: 0,
            pause: clamp(pause.as_nanos()),
            kept_back: 0,
            most: metering.most,
            rate: ONE,
            most_rate: if metering.is_open { ONE * FASTEST } else { ONE },
            pace: ONE,
            fastest: ONE,
            since: 0,
            window: None,
            period: clamp(metering.rate.period().as_nanos()),
        }
    }

    /// Returns true if the limit resets.
    pub(crate) fn resets(&self) -> bool {
        self.window.is_some()
    }

    /// Returns the longest pause before a large call that one of the limits asks for.
    pub(crate) fn longest_pause(meterings: &[Metering]) -> Duration {
        let pause = |metering: &Metering| match metering.counting {
            Counting::Refilling => metering.jitter,
            Counting::InWindows => {
                Duration::from_nanos(Self::new(metering, Duration::ZERO).weight(metering.most))
            }
        };
        meterings.iter().map(pause).max().unwrap_or_default()
    }

    /// Returns half of what calls may fill of the shortest burst. A limit that resets has none.
    pub(crate) fn half_burst(scales: &[Self]) -> u64 {
        let leaking = scales.iter().filter(|scale| !scale.resets());
        leaking.map(|scale| scale.fit / 2).min().unwrap_or(u64::MAX)
    }

    /// Returns the weight of `amount`, rounded up, at most [`MOST`].
    pub(crate) fn weight(&self, amount: u64) -> u64 {
        clamp((u128::from(self.declared(amount)) * u128::from(ONE)).div_ceil(self.pace.into()))
    }

    /// Returns what a call of `amount` is charged beyond its weight, so that it may depart
    /// `late_by` later than usual: what leaks in that time. So its whole weight is in the bucket
    /// when it departs. A call that fits no more with that waits for an empty bucket.
    pub(crate) fn for_lateness(&self, amount: u64, late_by: u64) -> u64 {
        if self.resets() || amount == 0 { 0 } else { late_by }
    }

    /// Returns the weight of `amount` by the declared rate.
    fn declared(&self, amount: u64) -> u64 {
        // The product is below 2^63 * 2^51.3 * 2^12.3.
        clamp((u128::from(amount) * self.over).div_ceil(self.under))
    }

    /// Lets the bucket hold this amount, if that is more than the burst.
    pub(crate) fn widen(&mut self, amount: u64) {
        // A slower rate may recover, and a faster one is the provider's own.
        let weight = u128::from(self.declared(amount.min(self.most))) * u128::from(ONE);
        let burst = clamp(weight / u128::from(self.rate.max(ONE)));
        if burst > self.burst && !self.resets() {
            (self.burst, self.fit) = (burst, burst.saturating_sub(self.kept_back));
        }
    }

    /// Returns how long a call of `weight` has to wait, in nanoseconds, for a bucket at `level`. It
    /// is the rule of `decide/calls.lua`. A call that was granted waits for no reset.
    pub(crate) fn wait(&self, level: u64, weight: u64) -> u64 {
        if self.resets() {
            0
        } else if weight <= self.fit {
            (level + weight).saturating_sub(self.fit)
        } else {
            level + self.pause_before(weight)
        }
    }

    /// Returns the least wait, in nanoseconds, of a call of `amount` for a bucket at `level`, after
    /// calls have taken `ahead`. The limit does not reset. The pause before the first of all may be
    /// over if the bucket is empty.
    pub(crate) fn wait_behind(&self, level: u64, amount: u64, ahead: Ahead) -> u64 {
        let pauses = ahead.calls.saturating_sub(u64::from(level == 0));
        let pauses = self.pause_before(self.weight(1)).saturating_mul(pauses);
        let empty = level.saturating_add(self.weight_of_all(ahead.amount)).saturating_add(pauses).min(MOST);
        let weight = self.weight(amount);
        if weight > self.fit && ahead.calls == 0 { empty } else { self.wait(empty, weight) }
    }

    /// Returns for how long a bucket has to be empty before a call of `weight`.
    fn pause_before(&self, weight: u64) -> u64 {
        (weight + self.pause).saturating_sub(self.burst).min(self.pause)
    }

    /// Returns the weight of an amount that may be larger than that of any call.
    pub(crate) fn weight_of_all(&self, amount: u128) -> u64 {
        self.weight(u64::try_from(amount).unwrap_or(u64::MAX))
    }

    /// Returns the weight to give back for `amount` of a charge, rounded down. Since the charge the
    /// pace may only have become faster, unless it is from before `since`. So it weighed at least
    /// that much.
    pub(crate) fn refund(&self, amount: u64, charge: u64) -> u64 {
        let declared = clamp(u128::from(amount) * self.over / self.under);
        let pace = if charge > self.since { self.pace } else { self.fastest };
        clamp(u128::from(declared) * u128::from(ONE) / u128::from(pace))
    }

    /// Returns the amount of a lease, which is what the limit allows in a time: of a limit that
    /// resets, at least what the next call asks for, since its whole amount may leave at once.
    pub(crate) fn slice(&self, time: u64, asked: u64) -> u64 {
        if self.resets() {
            let part = u128::from(self.fit) * u128::from(time) / u128::from(self.period.max(1));
            return u64::try_from(part).unwrap_or(u64::MAX).max(asked).min(self.fit);
        }
        self.whole(time.min(self.fit))
    }

    /// Returns the largest amount that weighs no more than `weight`.
    pub(crate) fn whole(&self, weight: u64) -> u64 {
        let weight = u128::from(weight) * u128::from(self.pace) / u128::from(ONE);
        u64::try_from(weight.saturating_mul(self.under) / self.over).unwrap_or(u64::MAX)
    }

    /// Returns the amount that weighs `weight`, rounded up.
    pub(crate) fn amount(&self, weight: u64) -> u64 {
        let weight = (u128::from(weight) * u128::from(self.pace)).div_ceil(u128::from(ONE));
        u64::try_from(weight.saturating_mul(self.under).div_ceil(self.over)).unwrap_or(u64::MAX)
    }
}

fn clamp(weight: u128) -> u64 {
    u64::try_from(weight).unwrap_or(u64::MAX).min(MOST)
}
