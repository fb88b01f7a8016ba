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
//! `leak = A * (H - h)` leaks a nanosecond. So nothing is ever rounded, but the burst, down. With amounts below 2^63, periods and
//! bursts of at most 31 days (2^51.3 ns) and `H` of at most 5 000 (2^12.3), every product stays below 2^127.
//! Nearly every real limit fits into 64 bits, where the arithmetic takes a fifth of the time, and gets a
//! `Level<u64>`; the others get a `Level<u128>`.
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

use self::level::Level;
use crate::limits::Rate;

mod level;
mod low_water;
mod word;

#[allow(unused_imports, reason = "for backends that keep levels elsewhere")]
pub(crate) use self::low_water::LowWater;

#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "the usual one is where every call looks, the rare one apart")]
pub(crate) enum Bucket {
    Narrow(Level<u64>),
    Wide(Box<Level<u128>>),
}

/// What a level of 64 bits may weigh when a whole period is in it. So such a bucket is exact up to a debt of 15
/// further periods; a debt beyond that, from a call that used so much more than it may, counts as that much.
const NARROW: u128 = 1 << 60;

/// The longest period, and the longest burst, for which the products above stay in range.
pub(crate) const LONGEST_PERIOD: Duration = Duration::from_secs(31 * 86_400);

/// How a limit is metered. The builder has checked that the parts are in range.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Metering {
    pub(crate) rate: Rate,
    /// The burst, as time of the rate.
    pub(crate) burst: Duration,
    /// The part of the burst that is kept back for the network.
    pub(crate) jitter: Duration,
    /// The part of the rate that is left to others, as a fraction.
    pub(crate) headroom: (u64, u64),
}

impl Metering {
    /// Returns the most that one call may take: the amount of a whole period, or the burst if that
    /// is larger.
    pub(crate) fn most(&self) -> u64 {
        let amount = u128::from(self.rate.amount());
        let burst = self.burst.as_nanos() * amount / self.rate.period().as_nanos();
        self.rate.amount().max(u64::try_from(burst).unwrap_or(u64::MAX))
    }

    /// Returns the part of the burst that is kept back, in nanoseconds.
    pub(crate) fn kept_back(&self) -> u64 {
        self.jitter.min(self.burst).as_nanos() as u64
    }
}

/// A bucket at one moment.
pub(crate) struct Look {
    /// The largest amount that could be taken.
    pub(crate) available: u64,
    /// How much is in it beyond the burst, as an amount, rounded up.
    pub(crate) debt: u64,
    /// When it will be empty, in nanoseconds from that moment on.
    pub(crate) full_in: u64,
}

/// The same call on whichever level there is.
macro_rules! level {
    ($bucket:ident, $level:ident => $call:expr) => {
        match $bucket {
            Bucket::Narrow($level) => $call,
            Bucket::Wide($level) => $call,
        }
    };
}

impl Bucket {
    /// Creates an empty bucket.
    pub(crate) fn new(metering: &Metering) -> Self {
        let Metering { rate, burst, jitter, headroom: (kept, of) } = *metering;
        let (kept, of) = (u128::from(kept), u128::from(of));
        let amount = u128::from(rate.amount());
        let (unit, leak) = (rate.period().as_nanos() * of, amount * (of - kept));
        let common = gcd(unit, leak);
        let (unit, leak) = (unit / common, leak / common);
        // The burst is a time of the rate as declared: headroom does not make it smaller.
        let weigh = |time: Duration| time.as_nanos() * amount * of / common;
        let (burst_weight, fit) = (weigh(burst), weigh(burst.saturating_sub(jitter)));
        let most = metering.most();
        if unit.saturating_mul(most.into()).max(burst_weight).max(leak) <= NARROW {
            Self::Narrow(Level::new(unit as u64, leak as u64, burst_weight as u64, fit as u64, most))
        } else {
            Self::Wide(Box::new(Level::new(unit, leak, burst_weight, fit, most)))
        }
    }

    /// Takes `amount` if it can be admitted at `now`, and says whether it did.
    #[inline(always)]
    pub(crate) fn take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        match self {
            Self::Narrow(level) => level.take(amount, charge, now),
            Self::Wide(level) => take_wide(level, amount, charge, now),
        }
    }

    /// Puts back `amount` that was taken just before, at the same moment.
    pub(crate) fn put_back(&mut self, amount: u64) {
        level!(self, level => level.put_back(amount));
    }

    /// The first moment at which a call of `amount` can be admitted, once others have taken `ahead` before it.
    /// With nothing ahead it is exact, else a lower bound. A call that takes nothing is always due.
    #[inline]
    pub(crate) fn due(&self, amount: u64, ahead: u128) -> u64 {
        match self {
            Self::Narrow(level) => level.due(amount, ahead),
            Self::Wide(level) => due_wide(level, amount, ahead),
        }
    }

    /// How it stands at `now`.
    pub(crate) fn look(&self, now: u64) -> Look {
        level!(self, level => level.look(now))
    }

    /// Takes `amount` as of `at`, for a call that departs at `now`. `charge` numbers the charges of a limiter
    /// in their order.
    #[inline]
    pub(crate) fn charge(&mut self, amount: u64, charge: u64, at: u64, now: u64) {
        level!(self, level => level.charge(amount, charge, at, now));
    }

    /// Gives back `amount` of what was taken by `charge`, as far as the limit allows.
    ///
    /// Had the call never been, the bucket would have run empty the earlier, and could not have drained below
    /// nothing meanwhile. So of what it took, only as much still matters as was in the bucket at its emptiest
    /// since. To give back more would wipe out charges of later calls.
    pub(crate) fn refund(&mut self, amount: u64, charge: u64, now: u64) {
        level!(self, level => level.refund(amount, charge, now));
    }

    /// Empties it, and says what amount was in it, rounded up.
    #[allow(dead_code, reason = "for backends that stand in for another one")]
    pub(crate) fn empty(&mut self, now: u64) -> u64 {
        level!(self, level => level.empty(now))
    }
}

/// Apart, so that it takes no registers from the others.
#[inline(never)]
fn take_wide(level: &mut Level<u128>, amount: u64, charge: u64, now: u64) -> bool {
    level.take(amount, charge, now)
}

/// As `take_wide`.
#[inline(never)]
fn due_wide(level: &Level<u128>, amount: u64, ahead: u128) -> u64 {
    level.due(amount, ahead)
}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
