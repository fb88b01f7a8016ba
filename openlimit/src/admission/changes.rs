//! Changes that a program makes while calls wait: it charges a call that was made elsewhere,
//! changes the limits, forgets what was taken, or closes the limiter.
//!
//! # Closed
//!
//! A closed limiter looks like one whose quota is used up, so calls that are admitted at once do
//! not ask for it. Every other call is refused where a used-up quota refuses it, with another
//! reason.

use std::sync::Arc;
use std::task::Waker;

use super::Admission;
use super::plan::Plan;
use crate::backend::{Buckets as _, Starting, UNNUMBERED};
use crate::error::BuildProblem;
use crate::limits::Amounts;
use crate::queue::{Refusal, Waiter};

impl Admission {
    /// Charges a call that was not admitted here, into debt if need be. Returns the number of the
    /// charge, or [`UNNUMBERED`].
    pub(crate) fn charge(&mut self, amounts: &Amounts, now: u64) -> u64 {
        let charge = self.backend.owe(amounts, now).unwrap_or(UNNUMBERED);
        if let Some(remaining) = &mut self.remaining {
            remaining.charge(amounts.as_slice(), charge, now);
        }
        charge
    }

    /// Changes the rates and bursts of the limits. `plan` is the new plan, `version` that of limits
    /// that another process has updated, and `widens` as in [`Policy`](super::Policy). Refuses the
    /// waiters that can never be admitted any more.
    ///
    /// # Errors
    /// Returns the problem if the store cannot keep such limits. Nothing is changed then.
    pub(crate) fn change(
        &mut self,
        plan: &Plan,
        (limits, version): (&Starting<'_>, Option<u64>),
        widens: u64,
        now: u64,
        wakers: &mut Vec<Waker>,
    ) -> Result<(), BuildProblem> {
        self.backend.change(limits, version, now)?;
        Arc::make_mut(&mut self.policy).widens = widens;
        if let Some(learning) = self.learning_mut() {
            learning.change(plan.learned_limits(limits.meterings));
        }
        for (place, limit) in plan.limits().iter().enumerate() {
            let declared = limit.rate().amount();
            if let Some(remaining) = &mut self.remaining {
                remaining.declare(place, declared);
                // The provider still allows what it said, and its bucket holds as much.
                let allowed = remaining.allowed(place, plan);
                if remaining.rate(place).is_some() {
                    self.backend.set_rate(place, allowed, declared, now);
                }
                if self.policy.widens(place) {
                    let held = remaining.held(place, limit.rate().with_amount(allowed));
                    self.backend.widen(place, held);
                }
            }
            self.learn_rate(plan, place);
        }
        let refusal = |waiter: &Waiter| plan.too_large(waiter.amounts.as_slice());
        let refused = self.queue.iter().filter_map(|(key, waiter)| Some((key, refusal(waiter)?)));
        let refused: Vec<_> = refused.collect();
        for (key, error) in refused {
            self.turn_passes(key, now);
            self.refuse(key, Refusal::TooLarge(Box::new(error)), wakers);
        }
        Ok(())
    }

    /// Changes the longest time by which a charge is dated back.
    pub(crate) fn set_grace(&mut self, grace: u64) {
        Arc::make_mut(&mut self.policy).grace = grace;
    }

    /// Forgets what was taken, what the provider said, and all holds. What was learned about calls
    /// stays.
    pub(crate) fn reset(&mut self, limits: &Starting<'_>, now: u64) {
        let first = self.backend.next_charge();
        let seldom = self.seldom.change();
        // A call that waits becomes due at the reset, and not before. So no charge is dated back.
        (seldom.first, seldom.since) = (first, seldom.since.max(now));
        self.backend.reset(limits, now);
        self.remaining = None;
        self.forget_probe();
        self.stay_closed(now);
    }

    /// Admits no call any more. The next [`pump`](Self::pump) refuses those that wait.
    pub(crate) fn close(&mut self, now: u64) {
        self.seldom.change().is_closed = true;
        self.backend.close(now);
    }

    /// Returns true if the limiter is closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.seldom.get().is_closed
    }

    /// Closes the backend again after its holds have ended.
    pub(super) fn stay_closed(&mut self, now: u64) {
        if self.is_closed() {
            self.backend.close(now);
        }
    }
}
