//! `Waiter`: a call that waits. And `Outcome`: the end of a wait.
//!
//! Both are plain data and cheap to move, since they are made while the limiter is locked. So a
//! limit is given by its place in the order of declaration, and times in nanoseconds. `Plan` turns
//! a `Refusal` into the error that callers see, after the lock is released.

use std::task::Waker;

use super::Urgency;
use crate::error::{AcquireError, StoreError};
use crate::learning::Lesson;
use crate::limits::Amounts;

/// The place of an entry in the slab.
pub(crate) type Key = usize;

/// What a call does when it is its turn: it is the head of the queue, and due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It departs.
    Departs,
    /// It is woken and stays the head, because it departs together with its turns in other queues.
    /// It is also woken if its turn is known to come after `patience`. If `is_early`, it may be
    /// woken before its turn, to ask in other queues meanwhile.
    Reports { patience: u64, is_early: bool },
    /// It was woken, and stays the head until it is taken out.
    Reported,
}

impl Turn {
    /// Reports, whenever that is.
    pub(crate) const REPORTS: Self = Self::Reports { patience: u64::MAX, is_early: true };

    /// Returns true if it has been its turn, and it may keep its turns in other queues for that.
    pub(crate) fn is_kept(self) -> bool {
        !matches!(self, Self::Departs | Self::REPORTS)
    }
}

/// A call that waits. All times are in nanoseconds of the limiter's clock.
#[derive(Debug)]
pub(crate) struct Waiter {
    pub(crate) amounts: Amounts,
    /// The parts of its cost, if the limiter learns from it.
    pub(crate) lesson: Option<Box<Lesson>>,
    /// The time at which it arrived.
    pub(crate) arrived: u64,
    pub(crate) urgency: Urgency,
    pub(crate) turn: Turn,
    /// How much longer than usual its slot lasts, because it asks other limiters meanwhile. Zero in
    /// memory.
    pub(crate) late_by: u64,
    pub(crate) waker: Waker,
    /// Identifies the waiter for ever, which a key does not, since keys are reused. The queue
    /// assigns it on joining, from 1 on.
    pub(crate) number: u64,
    /// The number of calls that were to go before it when it joined, as far as it can be counted.
    pub(crate) position: u32,
    pub(crate) notice: Notice,
}

/// A call that is woken when its wait becomes long: when that is, its key, and its number.
pub(super) type Watched = (u64, Key, u64);

/// Whether the program knows that a call has to wait for long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// It does not, or does not want to.
    None,
    /// The call was woken to tell it.
    Due,
    /// It does.
    Given,
}

impl Waiter {
    /// Creates a waiter. It has no waker yet.
    pub(crate) fn new(amounts: Amounts, arrived: u64, urgency: Urgency) -> Self {
        let urgency = urgency.at(arrived);
        let (turn, waker) = (Turn::Departs, Waker::noop().clone());
        let (position, notice) = (0, Notice::None);
        Self { amounts, lesson: None, arrived, urgency, turn, late_by: 0, waker, number: 0, position, notice }
    }

    /// Returns the place of its priority among all priorities, the highest one first.
    pub(super) fn line(&self) -> usize {
        self.urgency.priority().place()
    }

    /// Returns the longest wait; the largest value for no timeout.
    pub(crate) fn timeout(&self) -> u64 {
        self.urgency.timeout()
    }

    /// Returns when its timeout ends; the largest value for never. It does not end in this queue
    /// once it is its turn here, as it waits only for other queues then.
    pub(crate) fn deadline(&self) -> u64 {
        if self.turn == Turn::Reported { u64::MAX } else { self.arrived.saturating_add(self.timeout()) }
    }

    /// Returns how long it has waited.
    pub(crate) fn waited(&self, now: u64) -> u64 {
        now.saturating_sub(self.arrived)
    }

    /// Returns its refusal at `now`, because it would have to wait for `further` more.
    pub(crate) fn timed_out(&self, further: u64, limit: usize, now: u64) -> Refusal {
        let waited = self.waited(now);
        Refusal::TimedOut { timeout: self.timeout(), waited, wait: waited.saturating_add(further), limit }
    }

    /// Returns its refusal at `now`, because the store that holds the buckets did not decide.
    #[allow(dead_code, reason = "memory always decides")]
    pub(crate) fn undecided(&self, error: &StoreError, now: u64) -> Refusal {
        Refusal::Undecided { waited: self.waited(now), error: error.clone() }
    }
}

/// The end of a wait.
#[derive(Debug)]
pub(crate) enum Outcome {
    Admitted(Grant),
    Refused(Refusal),
}

/// The grant of an admitted call. The permit keeps it, to settle or cancel the call.
#[derive(Clone, Debug)]
pub(crate) struct Grant {
    pub(crate) amounts: Amounts,
    /// The parts of its cost, if the limiter learns from it.
    pub(crate) lesson: Option<Box<Lesson>>,
    /// The number of the charge. It identifies the charge, and says which charges came later.
    pub(crate) charge: u64,
    /// The number of the call among those in flight; `None` if these are not limited.
    pub(crate) flight: Option<u64>,
    /// `None` if the call was admitted at once.
    pub(crate) wait: Option<Wait>,
    /// True if the call was admitted to find out if a used-up quota is back.
    pub(crate) is_probe: bool,
    /// True if it also takes from the share of the calls below a priority for which a part of every
    /// limit is kept.
    pub(crate) is_below: bool,
}

impl Grant {
    /// Creates the grant of a call that was admitted at once.
    pub(crate) fn at_once(amounts: Amounts, charge: u64) -> Self {
        Self { amounts, lesson: None, charge, flight: None, wait: None, is_probe: false, is_below: false }
    }
}

/// The wait of an admitted call.
#[derive(Clone, Debug)]
pub(crate) struct Wait {
    /// From arrival to admission.
    pub(crate) nanos: u64,
    /// The limit that it waited for last, by its place in the limiter.
    pub(crate) limit: usize,
    /// The number of calls that were to go before it when it joined the queue.
    #[allow(dead_code, reason = "for events")]
    pub(crate) position: u32,
}

/// The reason why a call was refused. Times are in nanoseconds, limits are given by their place in
/// the limiter.
#[derive(Clone, Debug)]
pub(crate) enum Refusal {
    /// It waited for `waited`, and would need a wait of at least `wait`, longer than its timeout.
    TimedOut { timeout: u64, waited: u64, wait: u64, limit: usize },
    /// It does not wait, and would need a wait of at least `wait`.
    WouldWait { wait: u64, limit: usize },
    /// It waited for `waited` and may not wait longer, and `calls` are in flight, of at most
    /// `most`.
    InFlight { calls: u32, most: u32, waited: u64 },
    /// So many calls wait already, and no more may. It waited for `waited`, and would need a wait
    /// of at least `wait` if it queued now.
    QueueFull { waiting: usize, waited: u64, wait: u64 },
    /// A quota is used up. No call is admitted for so long.
    Exhausted { until: u64 },
    /// The store that holds the buckets did not decide.
    #[allow(dead_code, reason = "memory always decides")]
    Undecided { waited: u64, error: StoreError },
    /// The limiter is closed.
    Closed,
    /// It can never be admitted any more, since the limits were lowered.
    TooLarge(Box<AcquireError>),
}

/// The waiters to refuse at once, and why.
pub(crate) type Refusals = Vec<(Key, Refusal)>;
