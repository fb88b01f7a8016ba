//! `Waiter`: a call that waits, and `Outcome`: how its wait ended.
//!
//! Both are plain data. A limit is named by its place in the limiter, so that nothing here is
//! copied while the limiter is locked; `Plan` turns a `Refusal` into the error that callers see.

use std::task::Waker;

use crate::error::StoreError;
use crate::limits::Amounts;

/// A call that waits. All times are in nanoseconds of the limiter's clock.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) amounts: Amounts,
    /// When it joined.
    pub(crate) arrived: u64,
    /// The longest wait; the largest value for no limit.
    pub(crate) timeout: u64,
    pub(crate) waker: Waker,
    /// Identifies the waiter. The queue assigns it on joining, since a key is reused.
    pub(crate) number: u64,
}

impl Waiter {
    /// Creates a waiter that arrives now. It has no waker yet.
    pub(crate) fn new(amounts: Amounts, arrived: u64, timeout: u64) -> Self {
        Self { amounts, arrived, timeout, waker: Waker::noop().clone(), number: 0 }
    }

    /// Returns when its timeout ends; the largest value for never.
    pub(crate) fn deadline(&self) -> u64 {
        self.arrived.saturating_add(self.timeout)
    }

    /// Returns how long it has waited.
    pub(crate) fn waited(&self, now: u64) -> u64 {
        now.saturating_sub(self.arrived)
    }

    /// Refuses it at `now`, because it would have to wait for `further` more.
    pub(crate) fn timed_out(&self, further: u64, limit: usize, now: u64) -> Refusal {
        let waited = self.waited(now);
        Refusal::TimedOut { timeout: self.timeout, waited, wait: waited.saturating_add(further), limit }
    }

    /// Refuses it at `now`, because what holds the buckets did not decide.
    #[allow(dead_code, reason = "memory always decides")]
    pub(crate) fn undecided(&self, error: &StoreError, now: u64) -> Refusal {
        Refusal::Undecided { waited: self.waited(now), error: error.clone() }
    }
}

/// How a wait ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Admitted(Grant),
    Refused(Refusal),
}

/// What an admitted call was granted.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) amounts: Amounts,
    /// The number of the charge, which dates it.
    pub(crate) charge: u64,
    pub(crate) wait: Option<Wait>,
}

/// How a call waited.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    pub(crate) nanos: u64,
    /// The limit that it waited for, by its place in the limiter.
    pub(crate) limit: usize,
}

/// Why a call was refused. Times are in nanoseconds, limits by their place in the limiter.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// It would have had to wait for `wait` since it arrived, longer than its timeout.
    TimedOut { timeout: u64, waited: u64, wait: u64, limit: usize },
    /// It does not wait, and would have to.
    WouldWait { wait: u64, limit: usize },
    /// What holds the buckets did not decide.
    #[allow(dead_code, reason = "memory always decides")]
    Undecided { waited: u64, error: StoreError },
}
