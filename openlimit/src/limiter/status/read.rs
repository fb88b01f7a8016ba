//! Reads the status of a limiter: under its lock what the state knows, and the rest after that.

use std::time::Duration;

use super::{ByPriority, InFlightStatus, LimitStatus, ProviderSaid, Status};
use crate::error::{BuildError, BuildProblem};
use crate::limiter::Limiter;
use crate::limiter::core::Core;

impl<K> Limiter<K> {
    /// Returns how many calls wait and how much is left of each limit, as of now.
    ///
    /// It takes the limiter's lock for a moment and changes nothing.
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built; or
    /// [`Forked`](crate::BuildProblem::Forked) in a child process that was forked while another
    /// thread used the limiter.
    pub fn status(&self) -> Result<Status, BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.status().ok_or_else(|| BuildError::new(core.plan.name().clone(), BuildProblem::Forked))
    }
}

impl Core {
    /// Returns the limiter's status as of now.
    fn status(&self) -> Option<Status> {
        let now = self.time.now();
        let state = self.lock()?;
        let (waiting, due) = state.admission.waiting();
        let plan = self.plan.now();
        let (looks, store) = state.admission.look(&plan, now);
        let (is_closed, hold) = (state.admission.is_closed(), state.hold(now));
        let unexplained_refusals =
            state.uncommon.get().notices.as_ref().map_or(0, |notices| notices.unexplained_refusals());
        let said = |place| {
            let hold = state.limit_hold(place, now);
            let allows = state.admission.provider_limit(place);
            let said = state.admission.provider_said(place);
            let said = said.map(|(left, at)| ProviderSaid { left, limit: allows, ago: since(at, now) });
            (allows, said, hold, state.admission.returned(place))
        };
        let said: Vec<_> = (0..looks.len()).map(said).collect();
        let in_flight = state.admission.in_flight();
        let [high, normal, low] = state.admission.queue.by_priority();
        let longest_wait = state.admission.queue.longest_since().map(|at| since(at, now));
        let learned = state.admission.learned();
        drop(state);
        let states = plan.limits().iter().zip(looks.into_iter().zip(said));
        let limits = states.map(|(limit, (look, (allows, said, hold, returned)))| LimitStatus {
            limit: limit.clone(),
            available: look.available,
            debt: look.debt,
            full_in: Duration::from_nanos(look.full_in),
            resets_in: look.resets_in.map(Duration::from_nanos),
            provider_said: said,
            provider_allows: allows.filter(|amount| *amount != limit.rate().amount()),
            returned,
            pace: pace(look.part),
            hold,
        });
        Some(Status {
            limiter: self.plan.name().clone(),
            waiting,
            by_priority: ByPriority { high, normal, low },
            longest_wait,
            learned,
            next: due.map(|due| Duration::from_nanos(due.saturating_sub(now))),
            limits: limits.collect(),
            is_closed,
            in_flight: in_flight.map(|(calls, most)| InFlightStatus { calls, most }),
            hold,
            unexplained_refusals,
            store,
        })
    }
}

/// Returns the time from `at` until `now`.
fn since(at: u64, now: u64) -> Duration {
    Duration::from_nanos(now.saturating_sub(at))
}

/// Returns a part of a rate, in steps of a thousandth.
#[allow(clippy::cast_precision_loss, reason = "thousandths of at most 65 536 are far below 2^52")]
fn pace((part, of): (u128, u128)) -> f64 {
    // Nearly as declared is as declared: weights are rounded up.
    let thousandths = (part.saturating_mul(2_000) / of.max(1)).div_ceil(2);
    thousandths as f64 / 1e3
}
