//! Tells what a call waited for whose timeout ended: its limits, or the server.
//!
//! Both look alike, since a call waits for a slot either way. The first one is refused with
//! [`Timeout`](crate::AcquireError::Timeout), the second one with
//! [`Store`](crate::AcquireError::Store), which names the server. So each call is of one of two
//! kinds:
//!
//! * **Kept back by limits**, as far as replies say: there is no room, the calls in front of it are
//!   kept back, or the batch in flight does not ask for it. Then the server is at fault only if it
//!   is late: if four usual round trips have passed since it was asked, or since it could be.
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
        let is_in_flight = self.in_flight.is_some();
        // The server may grant a call that has arrived since its last reply what others gave back.
        let is_over = wait > 0 && !(is_in_flight && self.seen_at < waiter.arrived);
        // The batch may not be on its way yet, on a busy machine.
        if is_over || !is_in_flight && self.next_batch(queue, now) > now {
            return None;
        }
        let kept_until = self.kept_until(waiter, queue, now);
        let was_kept_back = kept_until > self.seen_at.saturating_sub(self.known_trip());
        let (since, patience) = if wait > 0 || was_kept_back || self.is_passed(waiter) {
            (if is_in_flight { self.asked_at } else { kept_until }, self.trips())
        } else {
            (self.seen_at, 0)
        };
        let is_silent = now >= since.saturating_add(patience);
        let silence = Duration::from_nanos(now.saturating_sub(since.max(waiter.arrived)));
        is_silent.then(|| StoreError::new(&self.server, StoreProblem::TimedOut(silence)))
    }

    /// Returns until when the last reply kept the calls of a lane back. That is long ago if it did
    /// not: before the batch began that it answers.
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
