//! `Resetting`: the state of a limit that resets by the calendar.
//!
//! # The rule
//!
//! Between two resets, which is a *window*, at most the amount is taken. Nothing leaks in between.
//! At a reset, the whole amount is back. A call is due now if what was taken plus its own amount is
//! at most the amount of the limit, and at the next reset otherwise.
//!
//! - **Just before a reset** no call departs: in the last `jitter` of a window, all are due at the
//!   reset. That is decided when a call departs, so it holds for late timers, too. A call that
//!   reaches the provider within the jitter is counted there in the window in which it is charged
//!   here. So of each window at most the amount is used, exactly, if the clocks agree.
//! - **A debt** (a call used more than it had reserved) is carried into the next window, which then
//!   begins with it.
//! - **A lower amount**, by an update or a response, applies from then on. What was taken before
//!   fitted the higher amount, so it is no debt: the first reset brings back the highest amount
//!   that was in force in the window. For example, 900 of 1 000 are taken when the amount becomes
//!   100. Then nothing is left of this window, and 100 of the next one.
//! - **A refund** counts in the window of its call, and is lost after that.
//! - **A call larger than the amount in force** can occur if the provider allows less than was
//!   declared, or if a part is kept for others. It needs a window of which nothing is taken, and
//!   leaves a debt. A call larger than the declared amount is never admitted.
//!
//! # The wall clock
//!
//! The wall clock is read for each decision. So no window depends on an earlier reading: it ends in
//! time if the machine was suspended, or if the clock was set.
//!
//! If the clock is set back beyond a reset, the reset comes again. What was taken since the earlier
//! window began, by the clock as it was then, counts in that window, because it may all have been
//! taken there. Otherwise, a clock that is set back by a second just after a reset would let the
//! whole amount out a second time. For that, what was taken in the last few windows is known.
//!
//! The timer runs on the monotonic clock. When a call waits for a reset, its time is computed anew
//! once a minute: the two clocks may differ by 40 s after a day, and either may stand still while
//! the machine is suspended.

use super::climb::Climb;
use super::in_window::{InWindow, is_about};
use super::look::Look;
use super::metering::Metering;
use super::taken::Count;
use super::word::narrow;
use super::{FASTEST, SLOWEST};
use crate::limits::{Calendar, Window};
use crate::time::Dates;

/// How often the date is compared with the clock while a call waits, in nanoseconds: once a minute.
const READ_EVERY: u64 = 60_000_000_000;

/// The state of one limit. Dates are in nanoseconds since 1970, other times in those of the
/// limiter's clock.
#[derive(Debug)]
pub(crate) struct Resetting {
    calendar: Calendar,
    dates: Dates,
    /// The amount of a window, less the headroom.
    amount: u64,
    /// The amount in force: another one if the provider allows another one.
    allowed: u64,
    /// The most that one call may take.
    most: u64,
    jitter: i64,
    count: Count,
    /// When the date was last compared with the clock.
    read: u64,
}

impl Resetting {
    /// Creates the state of a limit with these terms, of which nothing is taken.
    pub(super) fn new(metering: &Metering, calendar: Calendar, dates: Dates) -> Self {
        let amount = metering.of_window();
        let jitter = i64::try_from(metering.jitter.as_nanos()).unwrap_or(i64::MAX);
        Self {
            calendar,
            dates,
            amount,
            allowed: amount,
            most: metering.most,
            jitter,
            count: Count::NOTHING,
            read: 0,
        }
    }

    /// Creates the state of another limit with the same terms.
    pub(super) fn of_another(&self) -> Self {
        let (calendar, dates) = (self.calendar.clone(), self.dates.clone());
        Self { calendar, dates, allowed: self.amount, count: Count::NOTHING, read: 0, ..*self }
    }

    /// Changes the terms. What was taken in this window stays taken.
    pub(super) fn change(&mut self, metering: &Metering, now: u64) {
        self.ends_amount(now);
        let new = Self::new(metering, self.calendar.clone(), self.dates.clone());
        *self = Self { count: self.count, read: self.read, ..new };
    }

    /// Notes that another amount than now will be in force.
    fn ends_amount(&mut self, now: u64) {
        self.read(now);
        self.count.highest = self.count.back(self.allowed);
    }

    /// Returns the count at a date.
    #[inline]
    fn at(&self, date: i64) -> Count {
        if self.count.window.contains(date) { self.count } else { self.in_another_window(date) }
    }

    #[cold]
    #[inline(never)]
    fn in_another_window(&self, date: i64) -> Count {
        self.count.moved_to(self.calendar.window(date), self.allowed)
    }

    /// Moves on to the window of now. Returns the date.
    pub(super) fn read(&mut self, now: u64) -> i64 {
        let date = self.dates.read(now);
        if !self.count.window.contains(date) {
            self.count = self.in_another_window(date);
        }
        self.read = now;
        date
    }

    /// Returns when to compare the date with the clock again while a call waits.
    pub(super) fn reads_again(&self) -> u64 {
        self.read.saturating_add(READ_EVERY)
    }

    /// Returns the window at a date, and its state.
    #[inline]
    fn state(&self, date: i64) -> (Window, InWindow) {
        let count = self.at(date);
        let Count { window, taken, .. } = count;
        // No call departs just before the end.
        let is_ending = date >= window.ends.saturating_sub(self.jitter);
        let back = count.back(self.allowed);
        (window, InWindow { taken, allowed: self.allowed, back, most: self.most, is_ending })
    }

    /// Returns whether `amount` can be admitted now.
    pub(super) fn fits(&self, amount: u64, now: u64) -> bool {
        self.state(self.dates.read(now)).1.fits(amount)
    }

    /// Returns when a call of `amount` is due, after other calls have taken `ahead`.
    pub(super) fn due(&self, amount: u64, ahead: u128, now: u64) -> u64 {
        if amount == 0 {
            return 0;
        }
        let date = self.dates.read(now);
        let (window, state) = self.state(date);
        match state.resets_before(amount, ahead) {
            0 => now.saturating_sub(date.abs_diff(window.begins)),
            resets => now.saturating_add(self.calendar.wait_for(window, resets, date)),
        }
    }

    /// Returns true if it decides about all later calls as a new one would.
    pub(super) fn is_as_new(&self, now: u64) -> bool {
        let count = self.at(self.dates.read(now));
        self.allowed == self.amount && count.taken == 0 && count.back(self.allowed) == self.allowed
    }

    /// Takes `amount` now, however much was taken.
    pub(super) fn charge(&mut self, amount: u64, charge: u64, now: u64) {
        if amount > 0 {
            self.read(now);
            self.add(amount, charge);
        }
    }

    fn add(&mut self, amount: u64, charge: u64) {
        self.count.taken = self.count.taken.saturating_add(amount);
        self.count.first.get_or_insert(charge);
    }

    /// Gives back `amount` of `charge`, if that was in this window. Returns the rest.
    pub(super) fn refund(&mut self, amount: u64, charge: u64, now: u64) -> u64 {
        self.read(now);
        if !self.count.contains(charge) || charge <= self.count.replaced {
            return amount;
        }
        let given = amount.min(self.count.taken);
        self.count.taken -= given;
        amount - given
    }

    /// Returns true if a response is about the window of now, by the charge of its call and by the
    /// time until the reset that it states, as far as they are known.
    pub(super) fn is_meant(&self, charge: Option<u64>, resets_in: Option<u64>, now: u64) -> bool {
        let date = self.dates.read(now);
        let count = self.at(date);
        let window = count.window;
        charge.is_none_or(|charge| count.contains(charge))
            && is_about(resets_in, window.ends.abs_diff(date), window.ends.abs_diff(window.begins))
    }

    /// Changes the amount to `allowed` of what was `declared`.
    pub(super) fn set_rate(&mut self, allowed: u64, declared: u64, _: u64, now: u64) {
        self.ends_amount(now);
        let amount = u128::from(self.amount);
        let in_force = amount * u128::from(allowed) / u128::from(declared.max(1));
        let (least, most) = (amount.div_ceil(SLOWEST.into()), amount.saturating_mul(FASTEST.into()));
        self.allowed = narrow(in_force.clamp(least, most));
    }

    /// Returns false: an amount that is back at once has no pace that could be halved.
    pub(super) fn cut(&mut self, _: u64, _: u64, _: u64, _: u64) -> bool {
        false
    }

    /// Does nothing, for the same reason.
    pub(super) fn set_climb(&mut self, _: Climb, _: u64) {}

    /// Returns zero: the rate never climbs.
    pub(super) fn climbs_until(&self) -> u64 {
        0
    }

    /// Returns the real time.
    pub(super) fn clock(&self, now: u64) -> u64 {
        now
    }

    /// Does nothing: the whole amount may be taken at once.
    pub(super) fn widen(&mut self, _: u64) {}

    /// Raises what was taken so that at most `left` fits. What the provider counts does not lead
    /// into debt, which would be carried on, and its count replaces ours. So nothing of the charges
    /// before can be refunded.
    pub(super) fn cap(&mut self, left: i64, charge: u64, now: u64) {
        self.read(now);
        let left = u64::try_from(left).unwrap_or(0);
        let taken = self.allowed.saturating_sub(left);
        if self.count.taken < taken {
            (self.count.taken, self.count.replaced) = (taken, charge);
        }
    }

    /// Does nothing: a hold does not delay a reset.
    pub(super) fn freeze(&mut self, _: u64, _: u64) {}

    /// Does nothing.
    pub(super) fn thaw(&mut self, _: u64) {}

    /// Forgets what was taken in this window and before, and returns what this window had of it.
    pub(super) fn empty(&mut self, now: u64) -> u64 {
        self.read(now);
        let taken = self.count.taken;
        self.count = self.count.emptied();
        taken
    }

    /// Returns the state at `now`.
    pub(super) fn look(&self, now: u64) -> Look {
        let date = self.dates.read(now);
        let (window, state) = self.state(date);
        let full_in = self.due(self.most, 0, now).saturating_sub(now);
        state.look(window.ends.abs_diff(date), full_in, (self.allowed.into(), self.amount.into()))
    }
}
