//! A quota that is used up: calls are refused, and now and then one is admitted as a probe.
//!
//! A used-up quota comes back late, or not before somebody pays. To let calls wait for that would
//! stop a program in silence. So all calls are refused at once, those in the queue included. When
//! the time is over, nobody knows if the quota is back, and if it is not, each further call is
//! refused by the provider again. So a single call finds out:
//!
//! 1. Calls queue again. The first that is admitted is the *probe*, and the others are refused.
//! 2. The limiter stays shut until the response to the probe is known. If the quota is used up
//!    still, that begins anew. Any other end of the probe opens the limiter, except that it was
//!    never sent: then the next call is the probe. A hold of one limit is another matter, and
//!    lasts.
//! 3. If the response never becomes known, the next call is the probe after a while (`probes`).
//!
//! # All calls, whatever the refusal names
//!
//! A hold may be about one limit, but this is about the limiter. Most refusals of this kind are
//! about money, and name no limit. Others name requests or tokens of a day, which nearly every call
//! takes from. With a scope, each limit would need a state and a probe of its own, because a probe
//! that takes nothing from the limit finds out nothing. Calls with a quota of their own, such as
//! images, belong into a limiter of their own.

use std::task::Waker;

use super::{Admission, Decided};
use crate::backend::Buckets as _;
use crate::queue::{Grant, Outcome, Refusal, Urgency, Waiter};

impl Admission {
    /// Returns the refusal of all calls at `now`, if a quota is used up and no probe may depart, or
    /// if the limiter is closed.
    pub(super) fn exhausted(&self, now: u64) -> Option<Refusal> {
        if self.is_closed() {
            return Some(Refusal::Closed);
        }
        let backend = &self.backend;
        let until = (backend.is_exhausted() && now < backend.held_until()).then(|| backend.held_until())?;
        Some(Refusal::Exhausted { until: until - now })
    }

    /// Notes that the call of this charge departs, which is a probe if a quota is used up. Returns
    /// true if it is.
    pub(super) fn departs(&mut self, charge: u64, now: u64) -> bool {
        let is_probe = self.backend.is_exhausted();
        if is_probe {
            let patience = self.seldom.change().probes.depart(charge, self.policy.max_hold);
            self.backend.exhaust(now.saturating_add(patience), now);
        }
        is_probe
    }

    /// Decides about a call that may wait, while a quota is used up. If a probe may depart, it
    /// joins the queue, where it may be admitted or refused at once.
    pub(super) fn arrive_exhausted(
        &mut self,
        call: Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Decided<Refusal> {
        // With a timeout of zero it is admitted at once, or its time is over.
        let late = || if call.timeout() > 0 { self.waits_too_long(&call, now) } else { None };
        if let Some(refusal) = self.exhausted(now).or_else(late) {
            self.backend.refresh(now);
            return Decided::Refused(refusal);
        }
        let key = self.join(call);
        self.pump(now, wakers);
        self.or_shed(key, now, wakers)
    }

    /// Admits a call that may not wait as a probe, or refuses it.
    pub(super) fn probe_now(
        &mut self,
        call: &Waiter,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<Grant, Refusal> {
        if let Some(refusal) = self.exhausted(now) {
            self.backend.refresh(now);
            return Err(refusal);
        }
        let key = self.join(Waiter::new(call.amounts.clone(), now, Urgency::default()));
        self.pump(now, wakers);
        let outcome = self.queue.leave(key).1;
        self.pump(now, wakers);
        match outcome {
            Some(Outcome::Admitted(grant)) => Ok(grant),
            Some(Outcome::Refused(refusal)) => Err(refusal),
            None => Err(self.would_wait(call, now)),
        }
    }

    /// Notes that an admitted call was never sent. If it is the probe, the next call is.
    pub(crate) fn pass_probe_on(&mut self, grant: &Grant, now: u64) {
        if grant.is_probe {
            self.end_probe(grant.charge, false, now);
        }
    }

    /// Ends all holds.
    pub(crate) fn release(&mut self, now: u64) {
        self.forget_probe();
        self.backend.release(now);
        self.stay_closed(now);
    }

    /// Ends the probe of this charge, unless another one departed since. `was_sent` is false if the
    /// provider never saw it: then the next call is the probe. Otherwise the quota is back, unless
    /// the response says how long it is used up from now on, which may be less than the response
    /// was waited for. What holds single limits stays.
    pub(crate) fn end_probe(&mut self, charge: u64, was_sent: bool, now: u64) {
        if self.end_last_probe(charge) && self.backend.is_exhausted() {
            self.backend.reopen(now);
            self.stay_closed(now);
            if !was_sent {
                self.backend.exhaust(now, now);
            }
        }
    }

    /// Notes that the response to a call is known. Returns true if it is the last probe.
    fn end_last_probe(&mut self, charge: u64) -> bool {
        self.seldom.changed().is_some_and(|seldom| seldom.probes.end(charge))
    }

    /// Forgets the last probe.
    pub(super) fn forget_probe(&mut self) {
        if let Some(seldom) = self.seldom.changed() {
            seldom.probes.forget();
        }
    }
}
