//! Limits that are higher than declared, or not declared at all: the provider states them, or they
//! are found by trying.

use std::time::Duration;

use super::Builder;
use super::builder::Options;
use super::core::Core;
use super::matching::standing;
use crate::admission::{Raises, Standing};
use crate::feedback::{Observation, ObservedLimit};
use crate::limits::{Dimension, Limit, Rate};
use crate::time::nanos;

/// The rates at which the discovery of limits starts. They are those of Groq's free tier for small
/// models (2026), among the lowest of all providers. So the first calls are not refused, and their
/// responses state the true limits.
const START: [(Dimension, Rate); 2] =
    [(Dimension::Requests, Rate::per_minute(30)), (Dimension::Tokens, Rate::per_minute(6_000))];

/// The least factor between the periods of two limits that are taken for different ones. Between a
/// minute, an hour and a day it is 24 at least.
const OTHER_PERIOD: u128 = 10;

/// The shortest time over which providers limit anything, less what rounding takes: half a second.
/// What seems to be back sooner is in a bucket that holds less than one period.
const SHORTEST_PERIOD: u128 = 500_000_000;

const MINUTE: Duration = Duration::from_secs(60);

impl<K, Keys> Builder<K, Keys> {
    /// Sets whether a limit that responses state is adopted if it is higher than the declared one.
    /// Default: `false`, so a limiter is never faster than declared.
    ///
    /// The limits that are declared are then the ones to start with. The rate follows what
    /// [observed](crate::Permit::observe) responses state, up and down, but to no less than an
    /// eighth and no more than 65 536 times the declared one. The burst and the jitter are times of
    /// the rate, so they grow with it. The period stays: a limit per day is not mistaken for one
    /// per minute, where a response tells them apart.
    ///
    /// A call may then be larger than the declared limit: up to a thousand times as much, or what
    /// flows back in 31 days if that is less (15 days if it is counted in windows). It goes into
    /// debt, as calls larger than the burst do. The provider refuses those that are too large for
    /// it.
    ///
    /// With limits that are shared through Redis, the processes that set this option have one rate.
    /// The others are never faster than declared, so all of them should set it, or none. What was
    /// taken before the rate rose then takes as long to flow back as it would have by the old rate,
    /// since the server knows it only as a time. In memory, it flows back by the new one.
    pub fn adopt_limits(mut self, adopt: bool) -> Self {
        self.options.adopt_limits = adopt;
        self
    }

    /// Sets whether the limiter finds out its limits by itself. Default: `false`.
    ///
    /// It then needs no declared limit. It meters requests and tokens per minute, and starts at 30
    /// requests and 6 000 tokens. From the first [observed](crate::Permit::observe) response that
    /// states a limit, it keeps to that one, as with [`adopt_limits`](Self::adopt_limits).
    ///
    /// If responses state none, the limit that calls wait for grows by 10 % a second, as long as
    /// responses are observed and no call is [refused](crate::Permit::refused). Processes that
    /// share limits go on from what any of them has found.
    ///
    /// A limit that is declared is the one to start with. Limits on input or output tokens replace
    /// the one on tokens.
    ///
    /// ```
    /// use openlimit::{RateLimiter, feedback::Observation};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().discover(true).build()?;
    /// let permit = limiter.try_acquire(900)?;
    /// let headers = [
    ///     ("x-ratelimit-limit-tokens", "150000"),
    ///     ("x-ratelimit-remaining-tokens", "149100"),
    ///     ("x-ratelimit-reset-tokens", "360ms"),
    /// ];
    /// permit.observe(&Observation::from_parts(200, headers, b""));
    /// let status = limiter.status()?;
    /// assert_eq!(status.limits[1].provider_allows, Some(150_000));
    /// assert_eq!(status.limits[1].pace, 25.0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn discover(mut self, discover: bool) -> Self {
        self.options.discover = discover;
        self
    }
}

impl Options {
    /// Applies both options: notes when rates become faster than declared, and adds the limits to
    /// start with if limits are to be discovered.
    pub(super) fn adopting(mut self) -> Self {
        self.declared.raises = match (self.discover, self.adopt_limits) {
            (true, _) => Raises::IfNotRefused,
            (false, true) => Raises::IfTold,
            (false, false) => Raises::Never,
        };
        if self.discover {
            let limits = &mut self.declared.limits;
            let declares = |dimension| limits.iter().any(|limit| *limit.dimension() == dimension);
            let are_split = declares(Dimension::InputTokens) || declares(Dimension::OutputTokens);
            let missing = START.into_iter().filter(|(dimension, _)| {
                let is_split = are_split && *dimension == Dimension::Tokens;
                !is_split && !declares(dimension.clone())
            });
            let missing: Vec<_> = missing.map(|(dimension, rate)| Limit::new(dimension, rate)).collect();
            limits.extend(missing);
        }
        self
    }
}

impl Core {
    /// Returns the statement of a response about one of the limits, if it describes one. A limit
    /// that may be adopted is only one to start with, so its amount does not have to be similar.
    pub(super) fn standing(&self, observed: &ObservedLimit) -> Option<Standing> {
        // The budget is the user's own.
        if *observed.dimension() == Dimension::Spend {
            return None;
        }
        let plan = self.plan.now();
        let limits = plan.limits();
        standing(limits, observed).or_else(|| {
            let same =
                |limit: &Limit| limit.dimension() == observed.dimension() && has_same_period(limit, observed);
            let adopts = self.plan.raises() > Raises::Never;
            let place = limits.iter().position(|limit| adopts && same(limit))?;
            let resets_in = observed.reset().map(nanos);
            Some(Standing { place, limit: observed.limit(), remaining: observed.remaining(), resets_in })
        })
    }

    /// Tries a higher rate after a response that is no refusal, if limits are to be discovered.
    pub(super) fn probe(&self, observation: &Observation) {
        if self.plan.raises() == Raises::IfNotRefused && observation.denial().is_none() {
            self.update(|state, now, _| state.admission.probe(&self.plan.now(), now));
        }
    }
}

/// Returns true if a response describes a limit over the same time as this one, whatever its
/// amount.
///
/// It does not state the time. But it says how much is used and when that will have refilled, from
/// which the time follows, unless the provider's bucket holds less than what it allows in that
/// time.
fn has_same_period(limit: &Limit, observed: &ObservedLimit) -> bool {
    let period = limit.rate().period();
    let (Some(of), Some(remaining), None) = (observed.limit(), observed.remaining(), observed.window())
    else {
        return false;
    };
    let used = u128::from(of.saturating_sub(remaining));
    match observed.reset() {
        // A provider that states resets, but not when this one is.
        Some(_) if used == 0 => false,
        Some(reset) if !reset.is_zero() => {
            let theirs = reset.as_nanos().saturating_mul(of.into()) / used;
            let ours = period.as_nanos();
            if theirs < SHORTEST_PERIOD {
                return period == MINUTE;
            }
            ours / OTHER_PERIOD <= theirs && theirs / OTHER_PERIOD <= ours
        }
        // It refills at once, or that is not known: most such limits are per minute.
        _ => period <= MINUTE,
    }
}
