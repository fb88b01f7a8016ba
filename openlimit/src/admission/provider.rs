//! What the provider says: the contents of responses, and the rates that follow from them.
//!
//! What a response says is left is the work of [`Remaining`], and how fast a bucket refills is that
//! of the backend. Here both meet.

use super::Admission;
use super::flights::CONCURRENCY;
use super::plan::{Plan, Raises};
use super::remaining::{Remaining, Standing};
use crate::backend::{Buckets as _, Due, Look};
use crate::bucket::{FASTEST, SLOWEST};
use crate::error::StoreStatus;
use crate::limits::{Dimension, Rate};

impl Admission {
    /// Believes what a response says about some limits. `charge` is that of its call; `None` if it
    /// is taken for the latest.
    pub(crate) fn observe(&mut self, plan: &Plan, said: &[Standing], charge: Option<u64>, now: u64) {
        let remaining = self.remaining.get_or_insert_with(|| Remaining::of(plan));
        for Standing { place, limit, remaining: amount, resets_in } in said.iter().copied() {
            let rate = plan.limits()[place].rate();
            let declared = rate.amount();
            remaining.note_said(place, amount, now);
            let allowed = |limit| plan.raised(limit, declared);
            let before = remaining.allowed(place, plan);
            if let Some(limit) = limit {
                remaining.note_limit(place, limit);
                if allowed(limit) != before || self.backend.differs(place, allowed(limit), declared) {
                    self.backend.set_rate(place, allowed(limit), declared, now);
                }
            }
            let rate = Rate::new(limit.map_or(before, allowed), rate.period());
            let of = (place, plan.dimensions()[place]);
            let all = charge.and_then(|charge| self.backend.granted_since(place, charge));
            if let Some(amount) = amount
                && self.backend.is_meant(place, charge, resets_in, now)
                && let Some(left) = remaining.left(of, rate, amount, charge, all)
            {
                if self.policy.widens(place) {
                    self.backend.widen(place, remaining.held(place, rate));
                }
                self.backend.cap(place, left, now);
            }
        }
        said.iter().for_each(|standing| self.learn_rate(plan, standing.place));
    }

    /// Raises the rate of the limit that the head waits for, unless the provider has said what it
    /// allows, the limit was refused lately, or it resets or is one on money. For a response that
    /// is no refusal.
    pub(crate) fn probe(&mut self, plan: &Plan, now: u64) {
        let Some((_, Due { limit, .. })) = self.head_due(now).filter(|(_, due)| due.limit < CONCURRENCY)
        else {
            return;
        };
        let (dimension, rate) = (plan.limits()[limit].dimension(), plan.limits()[limit].rate());
        if *dimension == Dimension::Spend || rate.has_resets() {
            return;
        }
        let declared = rate.amount();
        if self.backend.climbs(limit, now) {
            return;
        }
        let remaining = self.remaining.get_or_insert_with(|| Remaining::of(plan));
        let in_force = || {
            let (part, of) = self.backend.look(now)[limit].part;
            u64::try_from(u128::from(declared).saturating_mul(part) / of.max(1)).unwrap_or(u64::MAX)
        };
        if let Some(allowed) = remaining.grow(limit, declared, in_force, now) {
            self.backend.set_rate(limit, allowed, declared, now);
            self.learn_rate(plan, limit);
        }
    }

    /// Returns true if a response has said anything about a limit.
    pub(crate) fn has_observed(&self) -> bool {
        self.remaining.as_ref().is_some_and(|remaining| remaining.has_reports())
    }

    /// Returns how many nanoseconds ago a call was admitted. Zero if that is not known: calls are
    /// noted from the first refusal on, or from the first response that states a limit.
    pub(crate) fn age(&mut self, plan: &Plan, charge: u64, now: u64) -> u64 {
        self.remaining.get_or_insert_with(|| Remaining::of(plan)).age(charge, now)
    }

    /// Returns the amount by which the rate of a limit goes, before it is cut after a refusal.
    pub(crate) fn allowed(&self, place: usize, plan: &Plan) -> u64 {
        let declared = plan.limits()[place].rate().amount();
        let allowed = self.remaining.as_ref().map_or(declared, |remaining| remaining.allowed(place, plan));
        allowed.clamp(declared.div_ceil(SLOWEST), declared.saturating_mul(FASTEST))
    }

    /// Returns what the last response that described a limit said is left, if it did, and when that
    /// was read.
    pub(crate) fn provider_said(&self, place: usize) -> Option<(Option<u64>, u64)> {
        self.remaining.as_ref().and_then(|remaining| remaining.said(place))
    }

    /// Returns the amount that the provider allows of a limit, if it has said so.
    pub(crate) fn provider_limit(&self, place: usize) -> Option<u64> {
        self.remaining.as_ref().and_then(|remaining| remaining.limit(place))
    }

    /// Returns the state of each limit at `now`, and the state of the store, if there is one.
    ///
    /// Of a limit that may be higher than declared, it shows no more than the amount in force,
    /// although a single call may be larger.
    pub(crate) fn look(&self, plan: &Plan, now: u64) -> (Vec<Look>, Option<StoreStatus>) {
        let mut looks = self.backend.look(now);
        if plan.raises() > Raises::Never {
            for (place, look) in looks.iter_mut().enumerate() {
                look.available = look.available.min(self.allowed(place, plan).max(look.at_once));
            }
        }
        (looks, self.backend.store())
    }
}
