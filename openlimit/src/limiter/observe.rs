//! Lets a limiter believe the provider: what responses say is left, and refusals.
//!
//! The declared limits are what an account should allow. The provider knows what it really allows:
//! another program may use the same key, or the provider may count more than this limiter does.
//! `feedback` reads that from a response. Here it is applied to the limits that it is about.

use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::matching::standing;
use super::{Limiter, Permit};
use crate::error::BuildError;
use crate::feedback::{DenialKind, Observation, Refusal, Verdict};
use crate::limits::{Amounts, Limit};
use crate::time::nanos;

/// The wait after a refusal that states none and has nothing to do with the cost of the call, in
/// nanoseconds: 1 s. Clients of providers begin their retries with about that.
const OVERLOAD: u64 = 1_000_000_000;

const DAY: Duration = Duration::from_secs(86_400);

impl<K> Limiter<K> {
    /// Believes what a response says is left of the limits.
    ///
    /// If less is left than the limiter has room for, later calls wait. It never makes room. A
    /// response about a limit that the limiter does not have is ignored: one of another dimension,
    /// such as Anthropic's `input_tokens` beside a limit on `tokens`, or of another period.
    ///
    /// Prefer [`Permit::observe`], which knows what was admitted since the call. This method
    /// assumes that no call was admitted since. It does not act on a refusal: see
    /// [`Permit::refused`].
    ///
    /// If the limits are shared through Redis, it does nothing while the process decides alone
    /// during an outage.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter, feedback::Observation};
    ///
    /// # fn main() -> Result<(), openlimit::BuildError> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let headers = [
    ///     ("x-ratelimit-limit-tokens", "1000"),
    ///     ("x-ratelimit-remaining-tokens", "300"),
    /// ];
    /// limiter.observe(&Observation::from_parts(200, headers, b""))?;
    /// assert!(limiter.status()?.limits[0].available <= 300);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built.
    pub fn observe(&self, observation: &Observation) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.observe(observation, None);
        Ok(())
    }
}

impl Permit {
    /// Passes on the response to this call: [observes](Self::observe) it and
    /// [settles](Self::settle) the call if the response states its usage, or, if the call failed,
    /// notes that it was [refused](Self::refused). Returns what the response means.
    ///
    /// Without a stated usage, the reservation stays. For a stream, whose usage comes last, call
    /// [`observe`](Self::observe) when the headers are there, and move the permit into the stream:
    /// see [`Permit`].
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter};
    /// use openlimit::feedback::{Observation, Verdict};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// let permit = limiter.try_acquire(500)?;
    /// let body = br#"{"usage": {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}}"#;
    /// let verdict = permit.responded(&Observation::new(200).body(body));
    /// assert_eq!(verdict, Verdict::NotLimited);
    /// // 479 of the 500 are given back.
    /// assert!(limiter.status()?.limits[0].available > 970);
    /// # Ok(())
    /// # }
    /// ```
    pub fn responded(self, observation: &Observation) -> Verdict {
        if observation.denial().is_some() {
            return self.refused(observation);
        }
        self.observe(observation);
        if let Some(usage) = observation.usage() {
            self.settle(usage);
        }
        Verdict::NotLimited
    }

    /// Believes what the response to this call says is left of the limits. Keeps the permit.
    ///
    /// Then at most `remaining - admitted - cushion` is available: what the response says is left,
    /// less what was admitted since this call, less a cushion for other consumers of the same key.
    /// The cushion is one second of the rate, or 15 % of the most that was ever left, if that is
    /// less. So a limiter that shares a key with others slows down before the provider refuses. It
    /// never makes room.
    ///
    /// If the provider allows less than was declared, the rate is slowed down to that, but to no
    /// less than an eighth, until a response says otherwise. It is never faster than declared.
    ///
    /// The limiter counts what it admits from its first response on. The responses to calls that
    /// were admitted before that one say nothing of what is left, itself included. Responses may
    /// come in any order: after the response to a later call, what is left by an earlier one is
    /// ignored, too. See [`Limiter::observe`] for what else is ignored.
    pub fn observe(&self, observation: &Observation) {
        self.core().observe(observation, Some(self.charge()));
    }

    /// Notes that the provider refused the call, and holds the limiter for as long as the refusal
    /// asks for. Returns what the refusal means. The charge is kept, since most providers count
    /// refused calls.
    ///
    /// It takes whatever the client returns: an [`Observation`], a status with headers and a body,
    /// or a reference to an [error](Observation::from_error). See [`Refusal`].
    ///
    /// The wait is the one that the response states. Without one, it is the time in which the cost
    /// of the call flows back at the slowest limit, or one second if the provider is overloaded.
    /// Limits per day or longer then count only if there are no others. A quota that is used up
    /// holds the limiter for [`max_hold`](crate::Builder::max_hold), or until it is renewed if that
    /// is sooner. A provider that is overloaded (status 529, or 503 with a wait) holds it, too.
    ///
    /// A response that is no refusal, or that has nothing to do with limits, holds nothing. Of any
    /// response, it also believes what is left, like [`observe`](Self::observe).
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
    pub fn refused<Form>(self, refusal: impl Refusal<Form>) -> Verdict {
        self.refused_as(&refusal.observation())
    }

    fn refused_as(self, observation: &Observation) -> Verdict {
        let verdict = observation.verdict();
        let core = self.core();
        let wait = match verdict {
            Verdict::Retry { after } | Verdict::SlowDown { after } => {
                after.map_or_else(|| core.silent_wait(observation, &self.amounts()), nanos)
            }
            Verdict::Exhausted { until } => until.map_or(u64::MAX, nanos),
            Verdict::TooLarge | Verdict::NotLimited => 0,
        };
        core.observe(observation, Some(self.charge()));
        self.learn_price(observation);
        if wait > 0 {
            core.hold(wait, reason(observation, verdict));
        }
        core.report_refusal(observation, verdict);
        verdict
    }
}

impl Permit {
    /// Learns from the provider's own price of a refused call.
    fn learn_price(&self, observation: &Observation) {
        let (Some(lesson), Some(denial)) = (self.lesson(), observation.denial()) else { return };
        let prices = denial.violations().iter().filter_map(|of| of.dimension().zip(of.requested()));
        self.core().update(|state, _, _| {
            prices.for_each(|(dimension, price)| state.admission.teach_price(lesson, dimension, price));
        });
    }
}

impl Core {
    fn observe(&self, observation: &Observation, charge: Option<u64>) {
        let said: Vec<_> =
            observation.limits().filter_map(|limit| standing(self.plan.limits(), limit)).collect();
        if !said.is_empty() {
            let mut changed = Vec::new();
            self.update(|state, now, _| {
                state.admission.observe(&self.plan, &said, charge, now);
                changed = state.changed_limits(&self.plan, &said, now);
            });
            self.report_limits(&changed);
        }
    }

    /// Returns the wait after a refusal that states none: until the cost of the call has flowed
    /// back, or [`OVERLOAD`] if the cost is not the reason.
    fn silent_wait(&self, observation: &Observation, amounts: &Amounts) -> u64 {
        let is_overloaded =
            observation.denial().is_some_and(|denial| matches!(denial.kind(), DenialKind::Overloaded));
        match self.flows_back_in(amounts) {
            wait if wait > 0 && !is_overloaded => wait,
            _ => OVERLOAD,
        }
    }

    /// Returns in how many nanoseconds amounts flow back at the slowest of the limits. Limits per
    /// day and longer count only if there are no others: a refusal by one of them is
    /// [`Verdict::Exhausted`].
    fn flows_back_in(&self, amounts: &Amounts) -> u64 {
        let limits = || self.plan.limits().iter().zip(self.plan.dimensions());
        let time = |(limit, dimension): (&Limit, &usize)| {
            let amount = u128::from(amounts.as_slice()[*dimension]);
            amount * limit.rate().period().as_nanos() / u128::from(limit.rate().amount())
        };
        let short = limits().filter(|(limit, _)| limit.rate().period() < DAY);
        let slowest = short.map(time).max().or_else(|| limits().map(time).max());
        slowest.map_or(0, |time| u64::try_from(time).unwrap_or(u64::MAX))
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
    let wait = match verdict.retry_after() {
        Some(Duration::ZERO) | None => String::new(),
        Some(after) => format!(" and asks for a wait of {}", crate::error::short(after)),
    };
    format!("the provider refused a call{status}{why}{wait}").into()
}
