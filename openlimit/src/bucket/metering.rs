//! `Metering`: the terms of a limit, from which its bucket is made.
//!
//! They are apart from the bucket, since every backend needs them, also one that keeps its levels
//! elsewhere.

use std::time::Duration;

use crate::limits::{Counting, MOST_AMOUNT, Rate};

/// The longest period, burst and jitter: 31 days, a month of quota. With more, the products that
/// `bucket` describes would not stay in range.
pub(crate) const LONGEST_PERIOD: Duration = Duration::from_secs(31 * 86_400);

/// By how much calls may be larger than a declared limit that is only the one to start with. A call
/// of a thousand minutes of the lowest limits is larger than what any model reads.
const OPEN: u128 = 1_000;

/// The terms of a limit, which the builder has checked to be in range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metering {
    pub(crate) rate: Rate,
    /// The burst, as time of the rate.
    pub(crate) burst: Duration,
    /// The part of the burst that is kept back for late timers and the network, as time of the
    /// rate. A limit that is counted in windows adds it to the period instead.
    pub(crate) jitter: Duration,
    /// The part of the rate that is left to other users of the quota, as a fraction.
    pub(crate) headroom: (u64, u64),
    /// The most that one call may take: the amount of a whole period, or the burst if that is
    /// larger. Where a process meters a share of a limit, it is still that of the whole limit.
    pub(crate) most: u64,
    /// True if the rate may become faster than declared.
    pub(crate) is_open: bool,
    /// How the provider counts.
    pub(crate) counting: Counting,
}

impl Metering {
    /// Creates the terms of a limit that refills continuously.
    pub(crate) fn new(rate: Rate, burst: Duration, jitter: Duration, headroom: (u64, u64)) -> Self {
        let most = rate.amount().max(rate.amount_in(burst));
        Self { rate, burst, jitter, headroom, most, is_open: false, counting: Counting::Refilling }
    }

    /// Opens a limit that may really be higher than declared: its rate may be raised, and calls may
    /// be larger, up to [`OPEN`] times as much, but no more than flows back in [`LONGEST_PERIOD`].
    /// In windows, that includes the pause before such a call, which is as long again.
    pub(crate) fn open(self) -> Self {
        let open = Self { is_open: true, ..self };
        let Self { rate, headroom: (kept, of), .. } = open.as_refilling();
        let time = match self.counting {
            Counting::Refilling => LONGEST_PERIOD,
            Counting::InWindows => LONGEST_PERIOD / 2,
        };
        let (kept, of) = (u128::from(kept), u128::from(of));
        let longest =
            u128::from(rate.amount()) * time.as_nanos() / rate.period().as_nanos() * (of - kept) / of;
        let most = longest.min(u128::from(self.rate.amount()) * OPEN).min(MOST_AMOUNT.into());
        Self { most: self.most.max(u64::try_from(most).unwrap_or(u64::MAX)), ..open }
    }

    /// Returns the time by which departures may be late, in nanoseconds: the jitter, but never more
    /// than the burst that it is taken from.
    pub(crate) fn lateness(&self) -> u64 {
        let lateness = match self.counting {
            Counting::Refilling => self.jitter.min(self.burst),
            Counting::InWindows => self.jitter,
        };
        lateness.as_nanos() as u64
    }
}
