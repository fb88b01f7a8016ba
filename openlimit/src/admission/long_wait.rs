//! Finds out how long a call would wait, and which calls wait for long and for what, for a program
//! that wants to know.
//!
//! Nobody can know how long a wait will be: a refund shortens it, a debt or a hold prolongs it. So
//! a wait is long if it is known on arrival that it will be, or as soon as it has been
//! (`queue/watch`).

use std::time::Duration;

use super::{Admission, Plan, WaitReason, Waiting};
use crate::backend::{Buckets as _, HOLD};
use crate::limits::Amounts;
use crate::queue::{Key, LONG, Notice, Refusal, Turn, Urgency, Waiter};

/// A long wait of a call. Times are in nanoseconds.
#[derive(Debug)]
pub(crate) struct LongWait {
    /// How long it has waited.
    pub(crate) waited: u64,
    /// A lower bound on its further wait, as things stand. `None` if none is known.
    pub(crate) further: Option<u64>,
    pub(crate) cause: Cause,
    /// The number of calls that were to go before it when it arrived.
    pub(crate) position: u32,
}

/// The cause of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The limit at this place.
    Limit(usize),
    Hold,
    /// As many calls are in flight as may be.
    Concurrency,
    /// The call at the head waits for another limiter of its stack.
    Stack,
    /// The store does not answer.
    Store,
}

impl Admission {
    /// Returns the wait of a call of normal priority that would be made now, if nothing changes.
    pub(crate) fn wait_for(&self, amounts: Amounts, now: u64) -> Result<u64, Refusal> {
        let call = Waiter::new(amounts, now, Urgency::default());
        match self.exhausted(now) {
            Some(refusal) => Err(refusal),
            None => Ok(self.backend.expected_wait(&call, &self.queue, now)),
        }
    }

    /// Notes that a call of a program that wants to know of long waits has joined the queue.
    /// Returns its wait if that is known to be long. Otherwise the call is woken when it is.
    pub(crate) fn begin_wait(&mut self, key: Key, now: u64) -> Option<LongWait> {
        let waiter = self.queue.waiter(key)?;
        let wait = self.backend.wait(waiter, &self.queue, now);
        if wait.0 <= LONG {
            self.queue.watch(key, now);
            return None;
        }
        self.give_notice(key, wait, now)
    }

    /// Does the same for a call of several limiters that has joined this queue, unless it is its
    /// turn here.
    pub(crate) fn begin_stacked_wait(&mut self, key: Key, now: u64) -> Option<LongWait> {
        self.queue.waiter(key).filter(|waiter| waiter.turn != Turn::Reported)?;
        self.begin_wait(key, now)
    }

    /// Returns the wait of a call that was woken because it is long.
    pub(crate) fn long_wait(&mut self, key: Key, now: u64) -> Option<LongWait> {
        let waiter = self.queue.waiter(key)?;
        let (wait, limit) = self.backend.wait_of_next(waiter.amounts.as_slice(), now);
        // Its turn comes after that of the head.
        let due = self.seldom.get().due;
        let of_head = if due == u64::MAX { 0 } else { due.saturating_sub(now) };
        self.give_notice(key, (wait.max(of_head), limit), now)
    }

    fn give_notice(&mut self, key: Key, (wait, limit): (u64, usize), now: u64) -> Option<LongWait> {
        let is_away = self.backend.store().is_some_and(|store| store.error.is_some());
        let (cause, further) = match limit {
            _ if is_away => (Cause::Store, None),
            HOLD => (Cause::Hold, Some(wait)),
            _ if wait == 0 && self.is_saturated() => (Cause::Concurrency, None),
            _ if self.waits_behind_stack(key) => (Cause::Stack, Some(wait).filter(|wait| *wait > 0)),
            limit => (Cause::Limit(limit), Some(wait)),
        };
        let waiter = self.queue.waiter_mut(key)?;
        waiter.notice = Notice::Given;
        Some(LongWait { waited: waiter.waited(now), further, cause, position: waiter.position })
    }

    /// Returns true if the call waits behind one whose turn it is here, and not in other queues.
    fn waits_behind_stack(&self, key: Key) -> bool {
        self.queue.head().is_some_and(|(head, waiter)| head != key && waiter.turn == Turn::Reported)
    }
}

impl LongWait {
    /// Describes it for the program.
    pub(crate) fn describe(&self, plan: &Plan) -> Waiting {
        let (reason, limit) = match self.cause {
            Cause::Limit(place) => (WaitReason::Limit, plan.limits().get(place).cloned()),
            Cause::Hold => (WaitReason::Hold, None),
            Cause::Concurrency => (WaitReason::Concurrency, None),
            Cause::Stack => (WaitReason::Stack, None),
            Cause::Store => (WaitReason::Redis, None),
        };
        Waiting {
            limiter: plan.name().clone(),
            reason,
            limit,
            waited: Duration::from_nanos(self.waited),
            wait: self.further.map(Duration::from_nanos),
            position: self.position.try_into().unwrap_or(usize::MAX),
        }
    }
}
