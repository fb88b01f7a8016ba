//! Lets a limiter believe the provider: what responses say is left of its limits.
//!
//! The declared limits are what an account should allow. The provider knows what it really allows:
//! another program may use the same key, or the provider may count more than this limiter does.
//! `feedback` reads that from a response. Here it is applied to the limits that it is about, and in
//! `refused`, a refusal is.

use super::core::{Core, State};
use super::{Limiter, Permit};
use crate::admission::Standing;
use crate::error::BuildError;
use crate::feedback::{Observation, Verdict};

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
    /// Usage is believed up to what flows back within ten minutes, or within
    /// [`max_hold`](crate::Builder::max_hold) if that is longer, or up to the largest call that the
    /// limit admits if that is more. A reply that states more makes no larger debt, and teaches
    /// nothing. This bounds what a wrong or hostile reply can do. It applies to all usage that is
    /// read from replies and streams, also by [`Usage::from_json`].
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
    ///
    /// [`Usage::from_json`]: crate::Usage::from_json
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
    /// A limit that refills knows what is available only up to its burst. So a call that is larger
    /// than the burst waits as if that much were left, and the provider refuses it if less is left
    /// than it takes.
    ///
    /// If the provider allows less than was declared, the rate is slowed down to that, but to no
    /// less than an eighth, until a response says otherwise. It is never faster than declared,
    /// unless the limiter [adopts](crate::Builder::adopt_limits) higher limits.
    ///
    /// The limiter counts what it admits from its first response on. The responses to calls that
    /// were admitted before that one say nothing of what is left, itself included. Responses may
    /// come in any order: after the response to a later call, what is left by an earlier one is
    /// ignored, too. So is a response after whose call more was admitted than the provider's bucket
    /// holds. If the limits are shared through Redis, what all processes were granted since the
    /// call counts as admitted. See [`Limiter::observe`] for what else is ignored.
    pub fn observe(&self, observation: &Observation) {
        for permit in self.levels() {
            permit.core().observe(observation, Some(permit.charge()));
            if permit.is_probe() && observation.denial().is_none() {
                permit.core().end_probe(permit.charge());
            }
        }
    }
}

impl Core {
    /// Believes what the response to the call of this charge says is left. Without a charge, no
    /// call was admitted since.
    pub(super) fn observe(&self, observation: &Observation, charge: Option<u64>) {
        let said = self.standings(observation);
        if !said.is_empty() {
            let mut changed = Vec::new();
            self.update(|state, now, _| changed = self.believe(state, &said, charge, now));
            self.report_limits(&changed);
        }
        self.probe(observation);
    }

    /// Returns what a response says about the limits.
    pub(super) fn standings(&self, observation: &Observation) -> Vec<Standing> {
        observation.limits().filter_map(|limit| self.standing(limit)).collect()
    }

    /// Applies that to the state. Returns the limits that have to be reported.
    pub(super) fn believe(
        &self,
        state: &mut State,
        said: &[Standing],
        charge: Option<u64>,
        now: u64,
    ) -> Vec<(usize, u64)> {
        if said.is_empty() {
            return Vec::new();
        }
        let plan = self.plan.now();
        state.admission.observe(&plan, said, charge, now);
        state.changed_limits(&plan, said, now)
    }
}
