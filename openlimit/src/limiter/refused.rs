//! Lets a limiter believe a refusal: which calls it stops, for how long, and how slowly they go on.
//!
//! `feedback` reads from a response why the provider refused a call. Here that becomes a hold
//! (`hold`), a slower rate (`congestion`), fewer calls in flight (`concurrency`) and a report
//! (`reports`).

use std::sync::Arc;
use std::time::Duration;

use super::Permit;
use super::core::{Core, State};
use super::hold::Scope;
use crate::admission::Admission;
use crate::error::short;
use crate::feedback::{Denial, DenialKind, Observation, Refusal, Verdict};
use crate::limits::{Amounts, Limit};
use crate::time::nanos;

/// The wait after a refusal that states none and has nothing to do with the cost of the call, in
/// nanoseconds: 1 s. Clients of providers begin their retries with about that.
const OVERLOAD: u64 = 1_000_000_000;

/// The shortest period of a quota. A provider whose quota is used up refuses calls in another way
/// than one whose rate is exceeded.
pub(super) const DAY: Duration = Duration::from_secs(86_400);

impl Permit {
    /// Notes that the provider refused the call, and holds the limiter for as long as the refusal
    /// asks for. Returns what the refusal means. The charge is kept, since most providers count
    /// refused calls.
    ///
    /// It takes whatever the client returns: an [`Observation`], a status with headers and a body,
    /// or a reference to an [error](Observation::from_error). See [`Refusal`].
    ///
    /// A response that is no refusal, or that has nothing to do with limits, holds nothing. Of any
    /// response, it also believes what is left, like [`observe`](Self::observe).
    ///
    /// # The hold
    ///
    /// The wait is the one that the response states. Without one, it is the time in which the cost
    /// of the call flows back at the slowest of the limits that the refusal names, or of all if it
    /// names none. Limits per day or longer then count only if there are no others. A provider that
    /// is overloaded (status 529, or 503 with a wait) holds the limiter, too, for one second if it
    /// states no wait.
    ///
    /// A hold ends later than stated by up to a sixteenth of the wait and at most one second, and
    /// never earlier: each limiter by a part of its own, so that those that were refused at once do
    /// not begin again at once. A wait of less than 100 ms is taken as it is.
    ///
    /// If the refusal names limits, and the limiter has them, only calls that take something from
    /// one of them are held. Others go on, unless a held call is in front of them in the queue.
    ///
    /// # After a used-up quota
    ///
    /// A quota that is used up, or a wait that is longer than
    /// [`max_hold`](crate::Builder::max_hold), is [`Verdict::Exhausted`]. Then no call waits:
    ///
    /// - Each is refused with [`AcquireError::Exhausted`](crate::AcquireError::Exhausted), those in
    ///   the queue included, for `max_hold`, or until the quota is renewed if that is sooner.
    /// - Then one call is admitted, to find out if the quota is back, and the others are refused
    ///   until its response is known. If it is refused for the same reason, that begins anew. If
    ///   its permit is passed to `refused` for another reason, settled, observed or dropped, the
    ///   quota is back. If it is [cancelled](Self::cancel), or its request failed without a
    ///   response (an error whose status is not known), the next call finds out.
    /// - If that response is not known after a minute or `max_hold`, another call finds out.
    /// - All calls are refused, also those that take nothing from the limit that the refusal names.
    ///   So give calls with a quota of their own, such as images per day, a limiter of their own.
    /// - With limits that are shared through Redis, it is one call of all processes, whose response
    ///   is waited for a minute even if `max_hold` is less. During an outage of Redis in which they
    ///   decide alone, it is one of each. A process that was refusing calls notices with its first
    ///   call after about a second that the quota is back.
    ///
    /// # The pace
    ///
    /// A refusal by a rate limit also halves the rate of the limits that it can be about, at most
    /// to an eighth, and holds for at least 0.3 s. Then the rate climbs back by 10 % of the
    /// declared one a second. So the limiter adapts to other users of the key, and to a limit that
    /// is lower than declared, even if responses do not say what is left. Calls that were admitted
    /// before the rate was halved do not halve it again. A stated wait of less than a fifth of the
    /// time in which the call flows back does not halve it: such a refusal comes from a price that
    /// was a little too low. After [`Verdict::SlowDown`] the rate climbs back within half an hour.
    /// [`status`](crate::Limiter::status) shows the pace.
    ///
    /// # Examples
    ///
    /// ```
    /// use openlimit::{AcquireError, Cost, Rate, RateLimiter};
    /// use openlimit::feedback::{Observation, Verdict};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_minute(200)).build()?;
    /// let permit = limiter.try_acquire(Cost::new())?;
    /// let verdict = permit.refused(&Observation::from_parts(429, [("retry-after", "20")], b""));
    /// assert!(matches!(verdict, Verdict::Retry { .. }));
    /// let refusal = limiter.try_acquire(Cost::new()).unwrap_err();
    /// assert!(matches!(refusal, AcquireError::Held { .. }));
    ///
    /// // Of an error, the message is read.
    /// limiter.release()?;
    /// let error = std::io::Error::other("429 Too Many Requests: Please try again in 1.2s.");
    /// let verdict = limiter.try_acquire(Cost::new())?.refused(&error);
    /// assert_eq!(verdict.retry_after(), Some(std::time::Duration::from_millis(1_200)));
    /// # Ok(())
    /// # }
    /// ```
    pub fn refused<Form>(mut self, refusal: impl Refusal<Form>) -> Verdict {
        let observation = refusal.observation();
        let mut verdict = None;
        // That of the outermost limiter of a stack counts, which is most like the provider's.
        self.each(|permit| {
            let own = permit.refused_as(&observation);
            verdict.get_or_insert(own);
        });
        verdict.unwrap_or(Verdict::NotLimited)
    }

    fn refused_as(&mut self, observation: &Observation) -> Verdict {
        let core = self.core();
        let verdict = core.verdict(observation);
        let (charge, amounts) = (self.charge(), self.amounts());
        let (said, reason) = (core.standings(observation), reason(observation, verdict));
        let (mut began, mut changed) = (None, Vec::new());
        // All of it is one step. A part of it may refuse the call that waits at the head, for its
        // deadline, and those behind it must not depart before the hold begins.
        core.update(|state, now, _| {
            let (scope, wait) = core.scope_and_wait(state, observation, verdict, &amounts, now);
            // A climb stands still during a hold.
            let hold =
                |state: &mut State, wait| core.hold_refused(state, (charge, &scope), wait, &reason, now);
            began = hold(state, wait);
            changed = core.believe(state, &said, Some(charge), now);
            self.learn_price(&mut state.admission, observation);
            let longer = core.cut_rates(state, observation, wait, (&amounts, charge), now);
            if longer > wait {
                began = hold(state, longer).or(began);
            }
            if let Some(number) = self.flight() {
                core.cut_concurrency(state, number, observation, &amounts);
            }
        });
        core.report_hold(began, &reason);
        core.report_limits(&changed);
        core.probe(observation);
        core.report_refusal(observation, verdict);
        self.end_without_success();
        if observation.status() == 0 && verdict == Verdict::NotLimited {
            self.pass_probe_on();
        }
        verdict
    }

    /// Learns from the provider's own price of a refused call.
    fn learn_price(&self, admission: &mut Admission, observation: &Observation) {
        let (Some(lesson), Some(denial)) = (self.lesson(), observation.denial()) else { return };
        let prices = denial.violations().iter().filter_map(|of| of.dimension().zip(of.requested()));
        prices.for_each(|(dimension, price)| admission.teach_price(lesson, dimension, price));
    }
}

impl Core {
    /// Returns the meaning of a response. A wait that is longer than the longest hold is a quota
    /// that is used up.
    fn verdict(&self, observation: &Observation) -> Verdict {
        let longest = self.plan.max_hold;
        match observation.verdict() {
            Verdict::Retry { after: Some(after) } | Verdict::SlowDown { after: Some(after) }
                if longest > 0 && nanos(after) > longest =>
            {
                Verdict::Exhausted { until: Some(after) }
            }
            verdict => verdict,
        }
    }

    /// Returns the calls that a refusal stops, and for how long.
    fn scope_and_wait(
        &self,
        state: &State,
        observation: &Observation,
        verdict: Verdict,
        amounts: &Amounts,
        now: u64,
    ) -> (Scope, u64) {
        match verdict {
            Verdict::Retry { after } | Verdict::SlowDown { after } => {
                let scope = self.scope(observation);
                let wait = || self.silent_wait(state, observation, amounts, &scope, now);
                let wait = after.map_or_else(wait, nanos);
                (scope, wait)
            }
            Verdict::Exhausted { until } => (Scope::Quota, until.map_or(u64::MAX, nanos)),
            Verdict::TooLarge | Verdict::NotLimited => (Scope::All, 0),
        }
    }

    /// Returns the calls that a refusal stops: those of the limits that it names, or all of them if
    /// it names one that the limiter does not have.
    fn scope(&self, observation: &Observation) -> Scope {
        let violations = observation.denial().map_or(&[][..], Denial::violations);
        let (plan, mut places) = (self.plan.now(), Vec::new());
        for violation in violations {
            let limits = || {
                let limits = plan.limits().iter().enumerate();
                limits.filter(|(_, limit)| Some(limit.dimension()) == violation.dimension())
            };
            let is_of_window = |limit: &Limit| violation.window() == Some(limit.rate().period());
            let has_window = limits().any(|(_, limit)| is_of_window(limit));
            let before = places.len();
            places.extend(
                limits().filter(|(_, limit)| !has_window || is_of_window(limit)).map(|(place, _)| place),
            );
            if places.len() == before {
                return Scope::All;
            }
        }
        if places.is_empty() { Scope::All } else { Scope::Limits(places) }
    }

    /// Returns the wait after a refusal that states none: until the cost of the call has flowed
    /// back, or [`OVERLOAD`] if the cost is not the reason.
    fn silent_wait(
        &self,
        state: &State,
        observation: &Observation,
        amounts: &Amounts,
        scope: &Scope,
        now: u64,
    ) -> u64 {
        let is_overloaded =
            observation.denial().is_some_and(|denial| matches!(denial.kind(), DenialKind::Overloaded));
        match self.flows_back_in(state, amounts, scope, now) {
            wait if wait > 0 && !is_overloaded => wait,
            _ => OVERLOAD,
        }
    }

    /// Returns in how many nanoseconds amounts flow back at the slowest of the limits that a
    /// refusal is about. Limits per day and longer count only if there are no others: a refusal by
    /// one of them is [`Verdict::Exhausted`].
    fn flows_back_in(&self, state: &State, amounts: &Amounts, scope: &Scope, now: u64) -> u64 {
        let plan = self.plan.now();
        let limits = || plan.limits().iter().enumerate().filter(|(place, _)| scope.contains(*place));
        let time = |(place, _): (usize, &Limit)| self.flows_back(state, place, amounts, now);
        let short = limits().filter(|(_, limit)| limit.rate().period() < DAY);
        short.map(time).max().or_else(|| limits().map(time).max()).unwrap_or(0)
    }
}

/// Returns the reason of the hold. It contains nothing that the provider wrote.
fn reason(observation: &Observation, verdict: Verdict) -> Arc<str> {
    let status = match observation.status() {
        0 => String::new(),
        status => format!(" with status {status}"),
    };
    let why = match verdict {
        Verdict::Exhausted { .. } => " because a quota is used up",
        Verdict::SlowDown { .. } => " because the traffic grew too fast",
        _ => "",
    };
    let wait = match verdict {
        Verdict::Exhausted { until: Some(until) } => format!(" for another {}", short(until)),
        _ => match verdict.retry_after() {
            Some(Duration::ZERO) | None => String::new(),
            Some(after) => format!(" and asks for a wait of {}", short(after)),
        },
    };
    format!("the provider refused a call{status}{why}{wait}").into()
}
