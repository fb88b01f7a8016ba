//! The rules of admission: which call is admitted next, and when.
//!
//! # The rules
//!
//! - **All or nothing.** A call takes its amounts from all limits at once, or from none. This is
//!   the work of [`Backend`], which holds the buckets.
//! - **Strictly in order.** While a call waits, no other one is admitted before it, however small.
//!   Otherwise small calls would keep the buckets too full for a large one, for ever.
//! - **The queue decides when.** Only the head of the queue waits for the buckets. The others wait
//!   for the head. So no call is given a time on arrival, and a change affects all of them: a
//!   refund or a waiter that leaves moves them forward, and debt moves them back. After each such
//!   change, [`pump`](Admission::pump) admits the waiters that are due and computes when the next
//!   head is.
//! - **A part for urgent calls.** A part of every limit can be kept for a priority (`reserve`).
//! - **So many in flight.** Where the number of calls in flight is limited, the head also waits for
//!   one of them to end (`in_flight`).
//! - **Known failures are early.** A call whose wait is known to be longer than its timeout is
//!   refused, on arrival or when the queue moves back later (`hopeless`). While a quota of the
//!   provider is used up, all calls are (`exhausted`).
//!
//! # Files
//!
//! | file | contains |
//! | --- | --- |
//! | `pump`, `seldom` | admits the waiters that are due; the state that few limiters need |
//! | `in_flight`, `flights` | waits for a call to end; counts those in flight |
//! | `reserve` | a part for urgent calls |
//! | `stacked`, `announced` | calls of several limiters; those that have not joined the queue yet |
//! | `full`, `hopeless`, `checks` | refusals by a full queue, and for deadlines |
//! | `exhausted`, `probes` | a used-up quota; the call that finds out if it is back |
//! | `plan`, `policy` | what only an update changes: limits and prices; the rules |
//! | `costs`, `errors` | prices as amounts; refusals as errors |
//! | `provider` | what responses say |
//! | `remaining`, `reported`, `calls` | what is left; what was said; the call that is meant |
//! | `learned`, `returned` | what calls reserve by experience, and what they gave back |
//! | `changes`, `as_new` | charges, updates, resets, closing; whether the state can be forgotten |
//! | `long_wait`, `waiting` | how long calls wait, for programs that want to know |
//!
//! # Testing
//!
//! This module contains only state and arithmetic. The time is an argument, and wakers are
//! collected for the caller. So all of it can be tested without threads and clocks. `limiter`
//! guards it with a lock. What never changes is in [`Plan`], outside of the lock.

mod announced;
mod as_new;
mod calls;
mod changes;
mod checks;
mod costs;
mod errors;
mod exhausted;
mod flights;
mod full;
mod hopeless;
mod in_flight;
mod learned;
mod long_wait;
mod plan;
mod policy;
mod probes;
mod provider;
mod pump;
mod remaining;
mod reported;
mod reserve;
mod returned;
mod seldom;
mod stacked;
mod waiting;

use std::sync::Arc;
use std::task::Waker;

use crate::backend::{Backend, Buckets as _};
use crate::queue::{Grant, Key, Queue, Refusal, Waiter};

pub(crate) use self::flights::NO_SUCCESS;
pub(crate) use self::full::Cap;
pub(crate) use self::long_wait::LongWait;
pub(crate) use self::plan::{Plan, Raises};
pub(crate) use self::policy::Policy;
use self::remaining::Remaining;
pub(crate) use self::remaining::Standing;
pub use self::returned::Returned;
use self::seldom::Seldom;
pub(crate) use self::seldom::{Lazily, Unused};
pub(crate) use self::waiting::OnWait;
pub use self::waiting::{WaitReason, Waiting};

/// The buckets and the queue of one limiter.
///
/// The fields that every call reads come first, beside the lock. Of the backend they come first,
/// too, and then the buckets.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Admission {
    pub(crate) queue: Queue,
    /// The contents of responses. `None` before the first one.
    remaining: Option<Box<Remaining>>,
    pub(crate) backend: Backend,
    policy: Arc<Policy>,
    seldom: Lazily<Seldom>,
    /// What settled calls gave back, by the place of each limit. Empty before the first.
    returned: Box<[Returned]>,
}

/// The decision about a call that arrived. A refusal is an `E`.
#[derive(Debug)]
pub(crate) enum Decided<E> {
    /// It is admitted, with the number of its charge.
    Admitted(u64),
    /// It waits, under this key.
    Waits(Key),
    Refused(E),
}

impl Admission {
    /// Creates the admission of a new limiter.
    pub(crate) fn new(backend: Backend, queue: Queue, policy: Arc<Policy>) -> Self {
        Self { backend, queue, remaining: None, policy, seldom: Lazily::default(), returned: Box::default() }
    }

    /// Admits a call at `now`, if no call waits, every limit has room, and the driver does not have
    /// to be called. Returns the number of its charge.
    #[inline(always)]
    pub(crate) fn take(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        if !self.queue.is_empty() {
            return None;
        }
        let charge = self.backend.take_quickly(amounts, now);
        if self.remaining.is_some() {
            self.note(amounts, charge, now);
        }
        charge
    }

    /// Does the same although calls wait. The driver may have to be called then.
    fn take_past(&mut self, amounts: &[u64], now: u64) -> Option<u64> {
        let charge = self.backend.take(amounts, now);
        if self.remaining.is_some() {
            self.note(amounts, charge, now);
        }
        charge
    }

    /// Notes what was charged, for what responses say.
    #[cold]
    #[inline(never)]
    fn note(&mut self, amounts: &[u64], charge: Option<u64>, now: u64) {
        if let (Some(remaining), Some(charge)) = (&mut self.remaining, charge) {
            remaining.charge(amounts, charge, now);
        }
    }

    /// Decides about a call that may wait, which [`take`](Self::take) did not admit at the same
    /// moment. It joins the queue, unless it is known that it would wait for too long.
    pub(crate) fn arrive(&mut self, call: Waiter, now: u64, wakers: &mut Vec<Waker>) -> Decided<Refusal> {
        if self.backend.is_exhausted() {
            return self.arrive_exhausted(call, now, wakers);
        }
        if self.in_flight().is_some() {
            return self.arrive_in_flight(call, now, wakers);
        }
        // It may be smaller than the call that was next, and those that it overtakes may not be
        // able to make their deadlines any more.
        let overtakes = !self.queue.goes_last(&call);
        let makes_room = overtakes || self.is_full() || self.waits_too_long(&call, now).is_some();
        if makes_room && !self.queue.is_empty() {
            // Waiters may be due already, with a timer that is about to fire. They go first.
            self.pump(now, wakers);
        }
        if (makes_room || self.queue.is_empty())
            && let Some(grant) = self.pass(&call, now, wakers)
        {
            return Decided::Admitted(grant.charge);
        }
        if let Some(refusal) = self.waits_too_long(&call, now) {
            self.backend.refresh(now);
            return Decided::Refused(refusal);
        }
        let key = self.join(call);
        if overtakes {
            self.pump(now, wakers);
        } else if self.queue.head().is_some_and(|(head, _)| head == key) {
            let (due, limit) = self.head_due(now).map_or((u64::MAX, None), |(_, due)| Self::known(due));
            self.set_due(due, limit);
        }
        self.or_shed(key, now, wakers)
    }

    /// Refuses a call that may not wait, which [`take`](Self::take) did not admit at the same
    /// moment. Admits it if waiters that are due make room, or if only the driver has to be called.
    pub(crate) fn refuse_now(
        &mut self,
        call: &Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<Grant, Refusal> {
        if self.backend.is_exhausted() {
            return self.probe_now(call, now, wakers);
        }
        if !self.queue.is_empty() {
            self.pump(now, wakers);
        }
        if !self.is_saturated()
            && let Some(grant) = self.pass(call, now, wakers)
        {
            return Ok(grant);
        }
        Err(self.would_wait(call, now))
    }

    /// Returns the refusal of a call that would have to wait and may not.
    fn would_wait(&mut self, call: &Waiter, now: u64) -> Refusal {
        self.saturated(0, now).unwrap_or_else(|| self.backend.would_wait(call, &self.queue, now))
    }

    /// Returns the refusal of a call whose wait is known to be longer than its timeout.
    fn waits_too_long(&self, call: &Waiter, now: u64) -> Option<Refusal> {
        let timeout = call.timeout();
        if timeout == u64::MAX {
            return None;
        }
        let (wait, limit) = self.backend.wait(call, &self.queue, now);
        // A timeout of zero does not even wait for the timer to fire. If lower calls wait, the call
        // joins the queue, which admits or refuses it.
        let is_too_long = wait > timeout || timeout == 0 && self.queue.goes_last(call);
        is_too_long.then(|| call.timed_out(wait, limit, now))
    }
}

#[cfg(test)]
mod tests;
