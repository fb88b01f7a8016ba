//! `Meter`: one limit as the provider enforces it, whatever way it counts.
//!
//! Providers count in buckets that refill continuously, or in windows. The account decides by this
//! trait alone, so that it does not know the difference.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::{Limit, Rate};

/// The state of one limit. All times are arguments, and never go back.
pub(super) trait Meter: fmt::Debug + Send {
    fn limit(&self) -> &Limit;

    /// Returns the amount that replies state: that of one window.
    fn amount(&self) -> u64 {
        self.limit().rate().amount()
    }

    /// Returns the time over which that amount is counted.
    fn window(&self) -> Duration {
        self.limit().rate().period()
    }

    /// Brings the state up to `now`.
    fn read(&mut self, now: Instant);

    /// Returns the most that one call may take.
    fn most(&self) -> u64;

    /// Returns the time until a call of `cost` fits, which is at most [`most`](Self::most).
    fn wait(&self, cost: u64) -> Duration;

    /// Takes `cost`, into debt if need be.
    fn take(&mut self, cost: u64);

    /// Takes `cost`, or as much of it as is left.
    fn take_what_is_left(&mut self, cost: u64);

    /// Gives back `cost` of what was taken at `since`, unless that does not count any more.
    fn give_back(&mut self, cost: u64, since: Instant);

    /// Forgets everything that was taken.
    fn fill(&mut self);

    /// Returns what is left, in whole units; below zero in debt.
    fn left(&self) -> i128;

    /// Returns the time until everything is left again.
    fn until_full(&self) -> Duration;

    /// Changes the rate. What was taken stays taken.
    ///
    /// # Errors
    /// The rate cannot be enforced. Then nothing changes.
    fn set_rate(&mut self, rate: Rate) -> io::Result<()>;
}
