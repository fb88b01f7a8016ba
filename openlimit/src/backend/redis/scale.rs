//! `Scale`: what an amount weighs in a shared bucket.
//!
//! Numbers in Redis' scripts are doubles, exact up to 2^53. So a shared bucket counts in nanoseconds of its limit's rate: of
//! `A` per `P` nanoseconds, an amount `a` weighs `a * P / A`, and one nanosecond leaks in each. Weights are rounded up,
//! and what is given back down: a call costs up to a nanosecond too much, never too little. Headroom makes a call weigh
//! more, since the leak is everybody's.

use std::time::Duration;

use crate::bucket::Metering;

/// Beyond this the sums of the script would no longer be exact: 2^52 nanoseconds, 52 days.
pub(crate) const MOST: u64 = 1 << 52;

/// How a limit's amounts weigh, and what its bucket holds, in nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    /// An amount weighs `amount * over / under`.
    over: u128,
    under: u128,
    pub(crate) burst: u64,
    /// What calls may fill: the burst without what is kept back for jitter.
    pub(crate) fit: u64,
    /// The most that one call may take, as an amount.
    pub(crate) most: u64,
}

impl Scale {
    /// `jitter` is what the bucket keeps back, whatever the metering says.
    pub(crate) fn new(metering: &Metering, jitter: Duration) -> Self {
        let Metering { rate, burst, headroom: (kept, of), .. } = *metering;
        let (kept, of) = (u128::from(kept), u128::from(of));
        // Headroom makes calls heavier, and the burst with them: it is a time of the rate as declared.
        let weigh = |time: Duration| clamp(time.as_nanos() * of / (of - kept));
        Self {
            over: rate.period().as_nanos() * of,
            under: u128::from(rate.amount()) * (of - kept),
            burst: weigh(burst),
            fit: weigh(burst.saturating_sub(jitter)),
            most: metering.most(),
        }
    }

    /// What `amount` weighs, at most [`MOST`].
    pub(crate) fn weight(&self, amount: u64) -> u64 {
        // The product is below 2^63 * 2^51.3 * 2^12.3.
        clamp((u128::from(amount) * self.over).div_ceil(self.under))
    }

    /// What is given back for `amount`.
    pub(crate) fn refund(&self, amount: u64) -> u64 {
        clamp(u128::from(amount) * self.over / self.under)
    }

    /// The amount that weighs no more than `weight`.
    pub(crate) fn whole(&self, weight: u64) -> u64 {
        u64::try_from(u128::from(weight) * self.under / self.over).unwrap_or(u64::MAX)
    }

    /// The amount that weighs `weight`, rounded up.
    pub(crate) fn amount(&self, weight: u64) -> u64 {
        u64::try_from((u128::from(weight) * self.under).div_ceil(self.over)).unwrap_or(u64::MAX)
    }
}

fn clamp(weight: u128) -> u64 {
    u64::try_from(weight).unwrap_or(u64::MAX).min(MOST)
}
