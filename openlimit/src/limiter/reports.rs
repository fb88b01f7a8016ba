//! Reports what responses said: limits that differ from the declared ones, and refusals.
//!
//! # Refusals that the declared limits do not explain
//!
//! This limiter admitted a call, so by its own count there was room. If the provider refuses the
//! call for its rate all the same, and no response so far has said how much is used or left, the
//! provider counts in another way. Often that is in windows, where a burst on top of the steady
//! rate is too much. So `status()` counts such refusals, and suggests [`Counting::InWindows`].
//!
//! The rule knows no more than that, so it can be wrong: another program may use the same key. If
//! responses say what is left, the limiter follows them, and the rule is silent.

use super::core::{Core, State};
use super::{events, meters};
use crate::admission::{Plan, Standing};
use crate::feedback::{DenialKind, Observation, Verdict};
use crate::limits::Counting;

impl Core {
    /// Reports a refusal, and counts it if the declared limits do not explain it.
    pub(super) fn report_refusal(&self, observation: &Observation, verdict: Verdict) {
        let now = self.time.now();
        if verdict == Verdict::NotLimited {
            return;
        }
        meters::provider_refused(self.plan.name(), observation.status());
        let Some(mut state) = self.lock() else { return };
        let is_unexplained = self.plan.declared.counting == Counting::Refilling
            && states_only_a_rate(observation)
            && !state.admission.has_observed();
        let more = state.notices().refusal(now);
        let suggests = is_unexplained && state.notices().unexplained();
        drop(state);
        if let Some(more) = more {
            events::refused(self.plan.name(), observation.status(), verdict, more);
        }
        if suggests {
            events::may_count_in_windows(self.plan.name());
        }
    }

    /// Reports limits, each with the amount that the provider allows.
    pub(super) fn report_limits(&self, changed: &[(usize, u64)]) {
        for (place, allows) in changed {
            events::limit_changed(self.plan.name(), &self.plan.now().limits()[*place], *allows);
        }
    }
}

impl State {
    /// Returns the limits that have to be reported, out of those that a response described.
    pub(super) fn changed_limits(
        &mut self,
        plan: &Plan,
        described: &[Standing],
        now: u64,
    ) -> Vec<(usize, u64)> {
        let mut changed = Vec::new();
        for place in described.iter().map(|standing| standing.place) {
            let declared = plan.limits()[place].rate().amount();
            let allows = self.admission.provider_limit(place).unwrap_or(declared);
            let is_known = allows == declared && self.uncommon.get().notices.is_none();
            if !is_known && self.notices().limit(place, allows, declared, now) {
                changed.push((place, allows));
            }
        }
        changed
    }
}

/// Returns true if a response refuses a call for its rate, and does not say how much was used.
fn states_only_a_rate(observation: &Observation) -> bool {
    observation.denial().is_some_and(|denial| {
        matches!(denial.kind(), DenialKind::RateLimited)
            && denial.violations().iter().all(|violation| violation.used().is_none())
    })
}
