//! Makes a limiter as new.

use super::Limiter;
use super::core::Core;
use crate::error::{BuildError, BuildProblem};

impl<K> Limiter<K> {
    /// Forgets everything that was taken, as if the limiter had just been built. Calls that wait
    /// move at once.
    ///
    /// Use it in tests, or when the provider has given the account a fresh quota. The provider does
    /// not forget: after a reset, calls may exceed its limits.
    ///
    /// It covers the levels and debts of all limits, [holds](Self::hold) and used-up quotas, rates
    /// that were cut after a refusal, and what responses said about the limits. Limits that were
    /// [updated](Self::update) stay so. What was learned about the size of calls, the calls in
    /// flight and how many may be, and the sums in [`status`](Self::status) stay, too. Permits that
    /// are out stay valid, give nothing back, and are in no sum (over Redis, in those of what came
    /// too late). What a call uses beyond its reservation is
    /// charged, as always. A [closed](Self::close) limiter stays closed.
    ///
    /// If the limits are shared through Redis, it is one reset for all processes. Calls that Redis
    /// has granted already still leave.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// drop(limiter.try_acquire(1_000)?);
    /// limiter.reset()?;
    /// drop(limiter.try_acquire(1_000)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The problem with the declaration, if the limiter cannot be built, or
    /// [`Forked`](BuildProblem::Forked) in a child process that was forked while another thread
    /// used the limiter.
    pub fn reset(&self) -> Result<(), BuildError> {
        let core = self.handle().map_err(Clone::clone)?.core();
        core.run_driver();
        core.reset().ok_or_else(|| BuildError::new(core.plan.name().clone(), BuildProblem::Forked))
    }
}

impl Core {
    fn reset(&self) -> Option<()> {
        let mut done = None;
        self.update(|state, now, _| {
            let plan = self.plan.now();
            state.forget_reason(now);
            state.admission.reset(&self.starting(&plan), now);
            done = Some(());
        });
        done
    }
}
