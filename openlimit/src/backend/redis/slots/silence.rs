//! Tells what a call waited for whose timeout ended: its limits, or the server.
//!
//! Both look alike, since a call waits for a slot either way. The first one is refused with
//! [`Timeout`](crate::AcquireError::Timeout), the second one with
//! [`Store`](crate::AcquireError::Store), which names the server. So each call is of one of two
//! kinds:
//!
//! * **Kept back by limits**, as far as replies say: there is no room, it was asked for in vain,
//!   the calls in front of it are kept back, or the batch in flight does not ask for it. Then the
//!   server is at fault only if it has not replied for four usual round trips, and for as long as
//!   would [hold up](super::reply) a reply.
//! * **Kept back by nothing.** Then the call waited for the server alone, however short its timeout
//!   was.

use std::time::Duration;

use super::state::Slots;
use crate::error::{StoreError, StoreProblem};
use crate::queue::{Queue, Waiter};

impl Slots {
    /// Returns the error of a call whose timeout ended while it waited for the server. `wait` is
    /// a lower bound on what the limits would still have asked for.
    pub(super) fn unanswered(
        &self,
        waiter: &Waiter,
        queue: &Queue,
        wait: u64,
        now: u64,
    ) -> Option<StoreError> {
        if let Some(error) = self.away() {
            return Some(error.clone());
        }
        let (since, is_silent) = if wait > 0 || self.is_kept_back(waiter, queue, now) {
            let patience = self.trips().max(self.known_trip().saturating_add(self.terms.slack()));
            (self.asked_at, self.in_flight.is_some() && now >= self.asked_at.saturating_add(patience))
        } else {
            // The batch is on its way, or will be as soon as a busy machine allows it.
            (self.seen_at, self.next_batch(queue, now) <= now)
        };
        let silence = Duration::from_nanos(now.saturating_sub(since.max(waiter.arrived)));
        is_silent.then(|| StoreError::new(&self.server, StoreProblem::TimedOut(silence)))
    }

    /// Returns true if a call for which there is room is kept back:
    ///
    /// - The last reply is to a batch that began after the call arrived. So it was asked for in
    ///   vain, or could not be asked for.
    /// - Its lane has been kept back since that batch began.
    /// - The batch in flight does not ask for it.
    fn is_kept_back(&self, waiter: &Waiter, queue: &Queue, now: u64) -> bool {
        waiter.arrived < self.answered_from
            || self.kept_until(waiter, queue, now) > self.answered_from
            || self.is_passed(waiter)
    }

    /// Returns until when a reply, or a large slot, kept the calls of its lane back. That is long
    /// ago if the last reply did not.
    fn kept_until(&self, waiter: &Waiter, queue: &Queue, now: u64) -> u64 {
        let waits_below = self.takes_share(waiter.amounts.as_slice())
            || self.in_line == Some(true)
            || self.holds_up(queue, now);
        self.ask_at.max(if waits_below { self.below_from(now) } else { 0 })
    }

    /// Returns true if the batch in flight could have asked for a call, and does not.
    fn is_passed(&self, waiter: &Waiter) -> bool {
        self.in_flight.as_ref().is_some_and(|calls| {
            let mut numbers = calls.iter().filter_map(|call| call.waiter);
            waiter.arrived < self.asked_at && numbers.all(|(_, number)| number != waiter.number)
        })
    }
}
