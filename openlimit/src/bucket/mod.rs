//! `Bucket`: the state of one limit, in exact integers.
//!
//! # The rule
//!
//! A limit is a leaky bucket used as a meter, also known as GCRA (generic cell rate algorithm).
//! Each admitted call adds its amount to the bucket. The bucket leaks at the limit's rate, until it
//! is empty. The amount in it is its *level*. A call is admitted if the level after it is at most
//! the *burst* of the limit.
//!
//! This keeps the promise of the crate. After each admitted call the level is at most the burst,
//! and during a time `w` at most `rate * w` leaks out. So the calls admitted in that time added at
//! most `rate * w + burst`.
//!
//! The public docs show the same bucket the other way round, as users of an API see it: what is
//! available refills. A full bucket there is one at level zero here.
//!
//! # Burst and jitter
//!
//! Calls that leave on schedule can reach the provider in bunches, because the network delays one
//! call more than the next. To the provider, a bunch looks like a larger burst. So a part of the
//! burst is kept back for *jitter*: a call fits if the level after it is at most `burst - jitter`,
//! which the code calls `fit`. This makes the bursts smaller and leaves the rate as it is. A jitter
//! longer than the burst leaves a `fit` of zero.
//!
//! The jitter covers two delays. `admission` lets a call depart up to half of the jitter after the
//! moment that it is charged for. The other half is left to the network.
//!
//! For example, a limit allows 200 requests per minute, with a burst of 1 s and a jitter of 50 ms.
//! In this table, levels are given as time of the rate, in milliseconds. A request is 300 ms.
//!
//! | time | event | level after it | |
//! | --- | --- | --- | --- |
//! | 0 ms | a call arrives | 300 | fits, since `fit` is 950 |
//! | 0 ms | a second call | 600 | fits |
//! | 0 ms | a third call | 900 | fits |
//! | 0 ms | a fourth call | | waits: 1200 is above 950, so 250 have to leak first |
//! | 250 ms | the fourth call is due | 950 | 650 were left, and it adds 300 |
//! | 550 ms | a fifth call is due | 950 | and from then on one every 300 ms |
//!
//! # Calls larger than the burst
//!
//! A call larger than `fit` would never fit. It waits until the bucket is empty. If it is larger
//! than the burst, it then takes the bucket into debt: the level rises above the burst, and later
//! calls wait until it has leaked. In the example, a call of 5 requests waits for level 0 and
//! raises it to 1500. The next single request fits when the level is 650, which is 850 ms later.
//!
//! After such a call the level is the size of the call. So after any call the level is at most the
//! burst or the largest call so far, and the promise becomes `rate * w + max(burst, largest call)`.
//!
//! # The pause before a large call
//!
//! A call larger than `fit` leaves no room for jitter. When our bucket is empty, the provider's is
//! not: a call that arrived late has not leaked there yet. The level there is up to `jitter`. A
//! call of weight `w` raises it to `jitter + w`, which must not exceed the burst. Or it has to find
//! level 0, if it is larger than the burst by itself. So our bucket has to be empty for a *pause*
//! before such a call, in which this weight leaks:
//!
//! ```text
//! min(jitter, max(0, jitter + w - burst))
//! ```
//!
//! For a call that fits it is zero. Before the first call of a limiter there is no pause, since no
//! call was there to arrive late. In the example, the call of 5 requests waits for level 0, and for
//! 50 ms more.
//!
//! Calls as large as the burst are spaced by the jitter more than the rate asks. A limit of 60 per
//! minute with a burst of 1 s admits one call every 1050 ms.
//!
//! The pause needs no state of its own. A level belongs to the time of the last charge or refund,
//! and what has leaked since tells for how long the bucket is empty. So nothing else moves that
//! time: not a look, not a call that was refused, and not a refund of nothing.
//!
//! # Limits in windows
//!
//! A limit that the provider counts in windows has such a bucket, too, with other terms. The page
//! of `windows` derives them, and the pause that is right there.
//!
//! # Limits that reset
//!
//! A limit that resets by the calendar does not leak. It counts what was taken since the last
//! reset, as the page of `resetting` says.
//!
//! # Calls larger than the limit
//!
//! A call larger than the limit's whole amount (or than its burst, if that is larger) is never
//! admitted.
//!
//! # Rates that change
//!
//! If the provider allows another rate than was declared, the same amount has another weight, and
//! the leak stays. The burst and the jitter are weights, so they stay the same times of the rate.
//! After a refusal the rate is cut, and climbs back continuously. Then the bucket runs on a slower
//! clock, as `climb` explains.
//!
//! The declared limit itself may be changed, too: see `change`.
//!
//! # Units: why nothing rounds
//!
//! A rate of `A` per `P` nanoseconds leaks `A / P` of one token (or request) in a nanosecond. With
//! a headroom of `h / H` it leaks `A * (H - h) / (P * H)`. This is hardly ever a whole number, so
//! the level counts neither tokens nor nanoseconds. It counts *weight*, a unit so small that a
//! token and the leak of a nanosecond are both whole numbers of it:
//!
//! ```text
//! unit = P * H            the weight of one token
//! leak = A * (H - h)      the weight that leaks in a nanosecond
//! ```
//!
//! The burst and the jitter are times of the declared rate, without headroom. Their nanosecond has
//! the weight `A * H`, which is a whole number, too. All three are divided by their greatest common
//! divisor. In the example, without headroom, `P` is 60 * 10^9 and `A` is 200. So `unit` is
//! 300 000 000 and `leak` is 1: a request weighs 300 million, and a nanosecond leaks 1. With the
//! default headroom of 1/5000, `unit` is 1.5 * 10^12 and `leak` is 4999. One request then leaks in
//! 300 060 012.002 ns, and the level is exact all the same. Only the time at which a call is due is
//! rounded, up to the next nanosecond.
//!
//! Amounts are below 2^63, periods, bursts and jitter are at most 31 days (2^51.3 ns), and `H` is
//! at most 5000 (2^12.3), so every product stays below 2^127. Nearly every real limit fits into 64
//! bits, where the arithmetic takes a fifth of the time. Such a limit gets a `Level<u64>`, the
//! others get a `Level<u128>`.

mod change;
mod climb;
mod in_window;
mod level;
mod look;
mod low_water;
mod metering;
mod resetting;
mod rises;
mod windows;
mod word;

use std::sync::Arc;

#[allow(unused_imports, reason = "for backends that keep climbs elsewhere")]
pub(crate) use self::climb::{CLIMB, Climb, SLOW_CLIMB};
#[allow(unused_imports, reason = "for backends that keep counts elsewhere")]
pub(crate) use self::in_window::{InWindow, is_about};
#[allow(unused_imports, reason = "for backends that keep levels elsewhere")]
pub(crate) use self::level::{FASTEST, SLOWEST};
use self::level::{Level, Weights};
pub(crate) use self::look::Look;
pub(crate) use self::metering::{LONGEST_PERIOD, Metering};
use self::resetting::Resetting;
use crate::limits::Calendar;
use crate::time::Dates;

/// The state of one limit.
///
/// A million limiters may have two each, so it is small: what equal limits have in common is shared
/// by their buckets, until it changes for one of them.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "every call reads the usual variant, which must not be boxed")]
pub(crate) enum Bucket {
    /// A level of 64 bits, which nearly every limit has.
    Narrow(Level<u64>),
    Unusual(Box<Unusual>),
}

/// A state that few limits have.
#[derive(Debug)]
pub(crate) enum Unusual {
    /// A level of 128 bits.
    Wide(Level<u128>),
    /// That of a limit that resets by the calendar.
    Resetting(Resetting),
}

/// The largest weight of a whole period, of the burst and of the jitter in a level of 64 bits.
///
/// This leaves a factor of 16. So the bucket is exact up to a debt of 15 further periods. A larger
/// debt can only come from calls that used far more than they had reserved, or that are larger than
/// the declared limit, and from updates to a much longer burst. It is cut to that much.
const NARROW: u128 = 1 << 60;

/// Makes the same call on each kind of state. `by` is how it is borrowed.
macro_rules! level {
    ($bucket:ident by $by:ident, $level:ident => $call:expr) => {
        match $bucket {
            Bucket::Narrow($level) => $call,
            Bucket::Unusual(unusual) => match unusual.$by() {
                Unusual::Wide($level) => $call,
                Unusual::Resetting($level) => $call,
            },
        }
    };
}

impl Bucket {
    /// Creates a bucket from which nothing was taken. `dates` matter to a limit that resets.
    pub(crate) fn new(metering: &Metering, dates: &Dates) -> Self {
        if let Ok(Some(calendar)) = Calendar::of(metering.rate) {
            let count = Resetting::new(metering, calendar, dates.clone());
            return Self::Unusual(Box::new(Unusual::Resetting(count)));
        }
        Self::refilling(metering)
    }

    /// Creates a bucket at level zero, of a limit that does not reset.
    fn refilling(metering: &Metering) -> Self {
        let Metering { rate, burst, jitter, headroom: (left, of), most, .. } = metering.as_refilling();
        let usual = most.min(Metering::new(rate, burst, jitter, (left, of)).most);
        let (left, of) = (u128::from(left), u128::from(of));
        let amount = u128::from(rate.amount());
        let (unit, leak, nanosecond) = (rate.period().as_nanos() * of, amount * (of - left), amount * of);
        let common = gcd(gcd(unit, leak), nanosecond);
        let (unit, leak, nanosecond) = (unit / common, leak / common, nanosecond / common);
        let (burst, jitter) = (burst.as_nanos() * nanosecond, jitter.as_nanos() * nanosecond);
        if unit.saturating_mul(usual.into()).max(burst).max(jitter).max(leak) <= NARROW {
            let terms = Weights::new(unit as u64, leak as u64, burst as u64, jitter as u64, most);
            Self::Narrow(Level::new(Arc::new(terms)))
        } else {
            let terms = Weights::new(unit, leak, burst, jitter, most);
            Self::Unusual(Box::new(Unusual::Wide(Level::new(Arc::new(terms)))))
        }
    }

    /// Creates a bucket with the same terms, from which nothing was taken.
    pub(crate) fn of_another(&self) -> Self {
        match self {
            Self::Narrow(level) => Self::Narrow(level.of_another()),
            Self::Unusual(unusual) => Self::Unusual(Box::new(match &**unusual {
                Unusual::Wide(level) => Unusual::Wide(level.of_another()),
                Unusual::Resetting(count) => Unusual::Resetting(count.of_another()),
            })),
        }
    }

    /// Returns whether a call of `amount` can be admitted at `now`.
    ///
    /// While the rate climbs, `now` is what the bucket's [`clock`](Self::clock) shows.
    #[inline(always)]
    pub(crate) fn fits(&self, amount: u64, now: u64) -> bool {
        match self {
            Self::Narrow(level) => level.fits(amount, now),
            Self::Unusual(unusual) => unusual.fits(amount, now),
        }
    }

    /// Takes `amount` if it [fits](Self::fits) at `now`. Returns whether it did.
    #[inline(always)]
    pub(crate) fn try_take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        match self {
            Self::Narrow(level) => level.try_take(amount, charge, now),
            Self::Unusual(unusual) => unusual.try_take(amount, charge, now),
        }
    }

    /// Takes `amount`, which [fits](Self::fits) at `now`, under the number of its charge.
    #[inline(always)]
    pub(crate) fn take(&mut self, amount: u64, charge: u64, now: u64) {
        match self {
            Self::Narrow(level) => level.take(amount, charge, now),
            Self::Unusual(unusual) => unusual.take(amount, charge, now),
        }
    }

    /// Returns the first moment at which a call of `amount` can be admitted, after other calls have
    /// taken `ahead`. It may be over.
    ///
    /// It is exact if nothing is ahead, and a lower bound otherwise. A call that takes nothing is
    /// always due. `now` matters to a limit that resets.
    #[inline]
    pub(crate) fn due(&self, amount: u64, ahead: u128, now: u64) -> u64 {
        match self {
            Self::Narrow(level) => level.due(amount, ahead),
            Self::Unusual(unusual) => unusual.due(amount, ahead, now),
        }
    }

    /// Returns when the due time of a call that waits has to be computed anew although nothing has
    /// happened: the largest value if never. Computing it anew begins with
    /// [`read_date`](Self::read_date).
    pub(crate) fn due_changes(&self) -> u64 {
        self.resetting().map_or(u64::MAX, Resetting::reads_again)
    }

    /// Compares a limit that resets with the wall clock.
    pub(crate) fn read_date(&mut self, now: u64) {
        if let Self::Unusual(unusual) = self
            && let Unusual::Resetting(count) = unusual.as_mut()
        {
            count.read(now);
        }
    }

    /// Returns true if a response of which these are known, the charge of its call and the time
    /// until the reset that it states, is about what the bucket counts now: always, unless it
    /// resets and the response is about another window.
    pub(crate) fn is_meant(&self, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool {
        self.resetting().is_none_or(|count| count.is_meant(charge, resets_in, now))
    }

    fn resetting(&self) -> Option<&Resetting> {
        match self {
            Self::Unusual(unusual) => match &**unusual {
                Unusual::Resetting(count) => Some(count),
                Unusual::Wide(_) => None,
            },
            Self::Narrow(_) => None,
        }
    }

    /// Returns the bucket's state at `now`.
    pub(crate) fn look(&self, now: u64) -> Look {
        level!(self by as_ref, level => level.look(now))
    }

    /// Returns true if it decides about all later calls as a new bucket would.
    pub(crate) fn is_as_new(&self, now: u64) -> bool {
        level!(self by as_ref, level => level.is_as_new(now))
    }

    /// Takes `amount` as of `at`. The level may rise to any height.
    ///
    /// `charge` is the number of the charge. A limiter numbers its charges in their order.
    #[inline]
    pub(crate) fn charge(&mut self, amount: u64, charge: u64, at: u64) {
        level!(self by as_mut, level => level.charge(amount, charge, at));
    }

    /// Gives back `amount` of what `charge` took, as far as that still matters. The page of
    /// `low_water` derives how far that is. Returns the rest, rounded up.
    pub(crate) fn refund(&mut self, amount: u64, charge: u64, now: u64) -> u64 {
        level!(self by as_mut, level => level.refund(amount, charge, now))
    }

    /// Changes the rate to `allowed` of what was `declared`, but to no less than an eighth and no
    /// more than [`FASTEST`] times as much.
    ///
    /// `charge` is the number of a charge that stands for the change.
    pub(crate) fn set_rate(&mut self, allowed: u64, declared: u64, charge: u64, now: u64) {
        level!(self by as_mut, level => level.set_rate(allowed, declared, charge, now));
    }

    /// Halves the rate, which then climbs back: in `span` nanoseconds it would climb from zero to
    /// the whole. Returns false, and does nothing, if it was cut already after `charge`.
    ///
    /// `charge` is that of the call that was refused, and `last` the number of the last charge.
    pub(crate) fn cut(&mut self, span: u64, charge: u64, last: u64, now: u64) -> bool {
        level!(self by as_mut, level => level.cut(span, charge, last, now))
    }

    /// Returns when the rate is whole again after a cut. It may be over.
    pub(crate) fn climbs_until(&self) -> u64 {
        level!(self by as_ref, level => level.climbs_until())
    }

    /// Returns what the bucket's own clock shows, which runs slower while the rate climbs. The page
    /// of `climb` says why.
    pub(crate) fn clock(&self, now: u64) -> u64 {
        level!(self by as_ref, level => level.clock(now))
    }

    /// Raises the burst to `amount`, if it is less, but to no more than one call may take.
    pub(crate) fn widen(&mut self, amount: u64) {
        level!(self by as_mut, level => level.widen(amount));
    }

    /// Raises the level so that at most `left` fits. `charge` is the number of that charge.
    pub(crate) fn cap(&mut self, left: i64, charge: u64, now: u64) {
        level!(self by as_mut, level => level.cap(left, charge, now));
    }

    /// Stops the leak until `until`. The level stands until then.
    pub(crate) fn freeze(&mut self, until: u64, now: u64) {
        level!(self by as_mut, level => level.freeze(until, now));
    }

    /// Ends that at `now`, if it is not over.
    pub(crate) fn thaw(&mut self, now: u64) {
        level!(self by as_mut, level => level.thaw(now));
    }

    /// Sets the level to zero. Returns the amount that was in the bucket, rounded up.
    #[allow(dead_code, reason = "for backends that stand in for another one")]
    pub(crate) fn empty(&mut self, now: u64) -> u64 {
        level!(self by as_mut, level => level.empty(now))
    }
}

/// None of these is inlined, so that they take no registers from the usual state.
impl Unusual {
    #[inline(never)]
    fn fits(&self, amount: u64, now: u64) -> bool {
        match self {
            Self::Wide(level) => level.fits(amount, now),
            Self::Resetting(count) => count.fits(amount, now),
        }
    }

    #[inline(never)]
    fn try_take(&mut self, amount: u64, charge: u64, now: u64) -> bool {
        let fits = self.fits(amount, now);
        if fits {
            self.take(amount, charge, now);
        }
        fits
    }

    #[inline(never)]
    fn take(&mut self, amount: u64, charge: u64, now: u64) {
        match self {
            Self::Wide(level) => level.take(amount, charge, now),
            Self::Resetting(count) => count.charge(amount, charge, now),
        }
    }

    #[inline(never)]
    fn due(&self, amount: u64, ahead: u128, now: u64) -> u64 {
        match self {
            Self::Wide(level) => level.due(amount, ahead),
            Self::Resetting(count) => count.due(amount, ahead, now),
        }
    }
}

/// Returns the greatest common divisor.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}
