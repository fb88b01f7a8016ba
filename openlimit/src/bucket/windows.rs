//! Limits that the provider counts in windows: at most the amount in any window of one period.
//!
//! # The rule
//!
//! No log of calls is kept. A bucket with other terms keeps such a limit, too. Say the limit allows
//! an amount `A` in a period `P`, calls may depart up to `jitter` late, and at most `B` may leave
//! at once (`B` is the declared burst in whole units, and at least one). Then the bucket
//!
//! ```text
//! admits a call if the level after it is at most  fit  = B
//! leaks at                                        rate = (A + 1 - B) / (P + jitter)
//! lets a call of C > B wait for an empty bucket, and for (C - B) / rate more
//! ```
//!
//! # Why it holds
//!
//! Times are those at which calls are charged. A call reaches the provider up to `jitter` later
//! (half of that in this process, half in the network). So what reaches it in a half-open window of
//! one period was charged in a half-open window of `P + jitter`. Let the first charge in it come at
//! `s` and the last one at `t`, so that `t - s < P + jitter`. All charges in it add up to
//!
//! ```text
//! level after t - level before s + leaked between s and t
//! ```
//!
//! 1. If the last call fits, the level after it is at most `B`, and at most `rate * (t - s)` has
//!    leaked.
//! 2. If the last call is larger, with `C`, the level after it is `C`. The bucket was empty before
//!    it, and nothing leaked for `(C - B) / rate`. If this time began after `s`, at most
//!    `rate * (t - s) - (C - B)` has leaked. If it began before, the call is alone in the window,
//!    and `C <= A`.
//!
//! So the sum is at most `B + rate * (t - s)`, which is less than `A + 1`. Amounts are integers, so
//! it is at most `A`. It does not matter what came between: large calls, small ones, or both. Nor
//! does it matter if nothing came before the first call, so that no pause is made.
//!
//! A refund leaves what there would be if the call had taken less (`low_water` derives that). So
//! the same sum holds for what calls have used in the end. Headroom makes the bucket leak more
//! slowly, and so does a rate that was slowed down. Both only lower the sum.
//!
//! # A rate that may be raised
//!
//! A limit that is adopted from responses may allow `k` times the declared amount. Its calls then
//! weigh less, and everything else stays. So the sum is less than `k * (A + 1)`, which may be up to
//! `k` more than the limit. Such a limit leaks at `(A - B) / (P + jitter)` instead, and the sum is
//! at most `k * A`. Only a declared amount of one leaves no room for that.
//!
//! # What it costs
//!
//! Of the amount, `B - 1` is lost, and `jitter / P`. So requests, with `B = 1`, lose only the
//! latter: 0.08 % of a limit per minute. A limit on tokens loses its burst, but with a smaller one,
//! more calls are larger than it. A stream of calls of `C > B` uses `C / (2 C - B)` of the rate,
//! which is two thirds if `C` is twice as large. A burst of a twentieth loses 5 %, and holds most
//! calls.
//!
//! # Why it is exact
//!
//! The terms are those of a [`Metering`], which has times. `rate` is written as a rate of `k` per
//! `T` nanoseconds, for which `T` is rounded up. That makes it slower by at most one part in
//! [`FINEST`]. The time of `B` is rounded up to the next nanosecond, so that a call of `B` fits.
//! That admits up to `rate` times a nanosecond more, and for that the period is a nanosecond
//! longer.
//!
//! The pause is that of the page of `due`, which is at most as long as the jitter. So the burst
//! is the time of the whole amount, of which all but the time of `B` is kept back as jitter. That
//! leaves `B` to fit, and the pause before a call of `C` is the time of `C - B`.

use std::time::Duration;

use super::metering::Metering;
use crate::limits::{Counting, Rate};

/// The least time that the rate is written for, in nanoseconds: 1 ms. With longer ones, limits of
/// 100 million tokens per minute would not fit into 64 bits.
const FINEST: u128 = 1_000_000;

impl Metering {
    /// Returns the terms of the bucket that keeps a limit, however the provider counts: those of a
    /// limit that refills continuously.
    pub(crate) fn as_refilling(&self) -> Self {
        match self.counting {
            Counting::Refilling => *self,
            Counting::InWindows => of_windows(self),
        }
    }
}

fn of_windows(metering: &Metering) -> Metering {
    let Metering { rate, burst, jitter, most, .. } = *metering;
    let at_once = rate.amount_in(burst).clamp(1, rate.amount());
    let spare = u64::from(!metering.is_open || at_once == rate.amount());
    let amount = u128::from(rate.amount() - at_once + spare);
    let period = (rate.period() + jitter).as_nanos() + 1;
    let part = (amount * FINEST).div_ceil(period).min(amount);
    let time = (period * part).div_ceil(amount);
    let time_of = |amount: u64| nanos((u128::from(amount) * time).div_ceil(part));
    let kept_back = time_of(most - at_once);
    Metering {
        rate: Rate::new(u64::try_from(part).unwrap_or(u64::MAX), nanos(time)),
        burst: time_of(at_once) + kept_back,
        jitter: kept_back,
        counting: Counting::Refilling,
        ..*metering
    }
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Counting, Metering, Rate};
    use crate::bucket::Bucket;

    fn metering(amount: u64, burst: Duration) -> Metering {
        let metering = Metering::new(Rate::per_minute(amount), burst, Duration::from_millis(50), (1, 5_000));
        Metering { counting: Counting::InWindows, ..metering }
    }

    #[test]
    fn usual_limits_have_levels_of_64_bits() {
        for amount in [1, 7, 600, 30_000, 150_001, 10_000_000, 149_999_999] {
            for burst in [1, 1_000, 3_000] {
                let bucket = Bucket::refilling(&metering(amount, Duration::from_millis(burst)));
                assert!(matches!(bucket, Bucket::Narrow(_)), "{amount}");
            }
        }
    }

    #[test]
    fn the_rate_is_slower_than_the_rule_by_less_than_a_part_in_a_hundred_thousand() {
        for amount in [1, 7, 600, 30_000, 150_001, 10_000_000, 149_999_999] {
            let burst = Duration::from_secs(3);
            let rate = metering(amount, burst).as_refilling().rate;
            let at_once = (amount / 20).max(1);
            // By the rule, a period and the jitter allow all but what may leave at once.
            let allowed = amount + 1 - at_once;
            let refilled = rate.amount_in(Duration::from_nanos(60_050_000_001) * 100_000);
            let of = allowed * 100_000;
            assert!((of - allowed - 1..=of).contains(&refilled), "{refilled} of {of}");
        }
    }
}
