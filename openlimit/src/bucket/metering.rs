//! `Metering`: the terms of a limit, from which its bucket is made.
//!
//! They are apart from the bucket, since every backend needs them, also one that keeps its levels
//! elsewhere.

use std::time::Duration;

use crate::limits::Rate;

/// The longest period, burst and jitter: 31 days, a month of quota. With more, the products that
/// `bucket` describes would not stay in range.
pub(crate) const LONGEST_PERIOD: Duration = Duration::from_secs(31 * 86_400);

/// The terms of a limit, which the builder has checked to be in range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metering {
    pub(crate) rate: Rate,
    /// The burst, as time of the rate.
    pub(crate) burst: Duration,
    /// The part of the burst that is kept back for late timers and the network, as time of the
    /// rate.
    pub(crate) jitter: Duration,
    /// The part of the rate that is left to other users of the quota, as a fraction.
    pub(crate) headroom: (u64, u64),
    /// The most that one call may take: the amount of a whole period, or the burst if that is
    /// larger. Where a process meters a share of a limit, it is still that of the whole limit.
    pub(crate) most: u64,
}

impl Metering {
    pub(crate) fn new(rate: Rate, burst: Duration, jitter: Duration, headroom: (u64, u64)) -> Self {
        let mut metering = Self { rate, burst, jitter, headroom, most: 0 };
        metering.most = rate.amount().max(metering.amount_in(burst));
        metering
    }

    /// Returns the amount of the rate in some time, rounded down.
    pub(crate) fn amount_in(&self, time: Duration) -> u64 {
        let amount = time.as_nanos() * u128::from(self.rate.amount()) / self.rate.period().as_nanos();
        u64::try_from(amount).unwrap_or(u64::MAX)
    }

    /// Returns the jitter that is really kept back, in nanoseconds: never more than the burst.
    pub(crate) fn jitter_within_burst(&self) -> u64 {
        self.jitter.min(self.burst).as_nanos() as u64
    }
}
