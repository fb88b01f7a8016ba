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
//! Before such a call the bucket also has to be empty for a pause: see `due`.
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
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `metering`, `units` | the terms of a limit, and these terms in the units of a level |
//! | `level`, `word` | how full a bucket is, and the integers that this is kept in |
//! | `due`, `ahead` | when a call is due, also behind others |
//! | `low_water`, `rises` | what a refund may give back |
//! | `windows`, `resetting`, `taken`, `in_window` | limits counted in windows, and those that reset |
//! | `rates`, `climb`, `pace`, `unusual` | rates that change and climb back; their state |
//! | `change` | another limit, in use |
//! | `look` | a bucket as users see it |

mod ahead;
mod change;
mod climb;
mod due;
mod in_window;
mod level;
mod look;
mod low_water;
mod metering;
mod pace;
mod rates;
mod resetting;
mod rises;
mod taken;
mod units;
mod unusual;
mod windows;
mod word;

pub(crate) use self::ahead::Ahead;
#[allow(unused_imports, reason = "for backends that keep climbs elsewhere")]
pub(crate) use self::climb::{CLIMB, Climb, SLOW_CLIMB};
#[allow(unused_imports, reason = "for backends that keep counts elsewhere")]
pub(crate) use self::in_window::{InWindow, is_about};
use self::level::Level;
pub(crate) use self::level::Step;
pub(crate) use self::look::Look;
#[allow(unused_imports, reason = "for backends that keep levels elsewhere")]
pub(crate) use self::low_water::LowWater;
pub(crate) use self::metering::{LONGEST_PERIOD, Metering};
#[allow(unused_imports, reason = "for backends that keep levels elsewhere")]
pub(crate) use self::rates::{FASTEST, SLOWEST};
use self::resetting::Resetting;
use self::unusual::Unusual;
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

    /// Returns what a charge of `amount` would do at `now`, for [`take`](Self::take); `None` if it
    /// cannot be admitted.
    ///
    /// While the rate climbs, `now` is what the bucket's [`clock`](Self::clock) shows.
    #[inline(always)]
    pub(crate) fn step(&self, amount: u64, now: u64) -> Option<Step<u64>> {
        match self {
            Self::Narrow(level) => level.step(amount, now),
            // It is computed again.
            Self::Unusual(unusual) => unusual.fits(amount, now).then(Step::default),
        }
    }

    /// Takes `amount`, whose [`step`](Self::step) at `now` is known, under the number of its
    /// charge.
    #[inline(always)]
    pub(crate) fn take(&mut self, amount: u64, step: Step<u64>, charge: u64, now: u64) {
        match self {
            Self::Narrow(level) => level.take(amount, step, charge, now),
            Self::Unusual(unusual) => unusual.take(amount, charge, now),
        }
    }

    /// Returns the first moment at which a call of `amount` can be admitted, after other calls have
    /// taken `ahead`. It may be over.
    ///
    /// It is exact if nothing is ahead, and a lower bound otherwise. A call that takes nothing is
    /// always due. `now` matters to a limit that resets.
    #[inline]
    pub(crate) fn due(&self, amount: u64, ahead: Ahead, now: u64) -> u64 {
        match self {
            Self::Narrow(level) => level.due(amount, ahead, now),
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

    /// Lets the rate climb as another bucket's of the same limit does.
    #[allow(dead_code, reason = "for backends that stand in for another one")]
    pub(crate) fn set_climb(&mut self, climb: Climb, now: u64) {
        level!(self by as_mut, level => level.set_climb(climb, now));
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
