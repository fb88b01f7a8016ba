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
const OPEN: u64 = 1_000;

/// The terms of a limit, which the builder has checked to be in range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Metering {
    pub(crate) rate: Rate,
    /// The burst, as time of the rate.
    pub(crate) burst: Duration,
    /// The part of the burst that is kept back for late timers and the network, as time of the
    /// rate. A limit that is counted in windows adds it to the period instead.
    pub(crate) jitter: Duration,
    /// How long after its charge a call may arrive: the jitter as it was declared.
    pub(crate) late: Duration,
    /// The part of the rate that is left to other users of the quota, as a fraction.
    pub(crate) headroom: (u64, u64),
    /// The most that one call may take: the amount of a whole period, or the burst if that is
    /// larger. Where a process meters a share of a limit, it is still that of the whole limit.
    pub(crate) most: u64,
    /// True if the rate may become faster than declared.
    pub(crate) is_open: bool,
    /// How the provider counts.
    pub(crate) counting: Counting,
    /// The part of the limit that this is for, in percent: 100 for all of it.
    pub(crate) share: u8,
}

/// From this amount on, a share of a rate is rounded down to a whole amount. That makes it smaller
/// by less than a part in 10 000, and keeps the weights that `bucket` describes in range.
const COARSE: u64 = 1_000_000;

impl Metering {
    /// Creates the terms of a limit that refills continuously.
    pub(crate) fn new(rate: Rate, burst: Duration, jitter: Duration, headroom: (u64, u64)) -> Self {
        let most = rate.amount().max(rate.amount_in(burst));
        Self {
            rate,
            burst,
            jitter,
            late: jitter,
            headroom,
            most,
            is_open: false,
            counting: Counting::Refilling,
            share: 100,
        }
    }

    /// Returns the terms of a bucket for calls that may take so many percent of the limit: of its
    /// rate, and of what may be taken at once. A single call may be as large as before.
    pub(crate) fn share(&self, percent: u8) -> Self {
        if self.rate.has_resets() {
            let amount = u128::from(self.rate.amount()) * u128::from(percent) / 100;
            let rate = self.rate.with_amount(u64::try_from(amount).unwrap_or(u64::MAX).max(1));
            return Self { rate, share: percent, ..*self };
        }
        // In windows, the whole limit keeps the provider's bound. The share is ours alone.
        let whole = self.as_refilling();
        let (amount, period) = (whole.rate.amount(), whole.rate.period());
        let rate = if amount < COARSE {
            Rate::new(amount * u64::from(percent), period * 100)
        } else {
            let part = u128::from(amount) * u128::from(percent) / 100;
            Rate::new(u64::try_from(part).unwrap_or(u64::MAX), period)
        };
        // If one unit fits into the whole, it fits into the share, or its calls would have to
        // pause.
        let fits_one = time_of_one(whole.rate) <= whole.burst.saturating_sub(whole.jitter);
        let least = if fits_one { whole.jitter + time_of_one(rate) } else { Duration::ZERO };
        Self { rate, burst: whole.burst.max(least), share: percent, ..whole }
    }

    /// Opens a limit that may really be higher than declared: its rate may be raised, and calls may
    /// be larger, up to [`OPEN`] times as much, but no more than flows back in [`LONGEST_PERIOD`].
    /// In windows, that includes the pause before such a call, which is as long again.
    pub(crate) fn open(self) -> Self {
        let open = Self { is_open: true, ..self };
        if self.rate.has_resets() {
            let most = self.rate.amount().saturating_mul(OPEN).min(MOST_AMOUNT);
            return Self { most: self.most.max(most), ..open };
        }
        let Self { rate, headroom: (kept, of), .. } = open.as_refilling();
        let time = match self.counting {
            Counting::Refilling => LONGEST_PERIOD,
            Counting::InWindows => LONGEST_PERIOD / 2,
        };
        let (kept, of) = (u128::from(kept), u128::from(of));
        let longest =
            u128::from(rate.amount()) * time.as_nanos() / rate.period().as_nanos() * (of - kept) / of;
        let most = longest.min(u128::from(self.rate.amount()) * u128::from(OPEN)).min(MOST_AMOUNT.into());
        Self { most: self.most.max(u64::try_from(most).unwrap_or(u64::MAX)), ..open }
    }

    /// Returns the amount of a window of a limit that resets, less the headroom: at least one.
    pub(crate) fn of_window(&self) -> u64 {
        let (kept, of) = self.headroom;
        let left = u128::from(self.rate.amount()) * u128::from(of - kept) / u128::from(of);
        u64::try_from(left).unwrap_or(u64::MAX).max(1)
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

/// Returns the time in which one unit flows back, rounded up.
fn time_of_one(rate: Rate) -> Duration {
    let nanos = rate.period().as_nanos().div_ceil(rate.amount().max(1).into());
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
