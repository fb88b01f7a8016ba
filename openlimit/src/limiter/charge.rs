//! Charges a call that this limiter did not admit: it was made elsewhere, or it must not wait.

use super::core::{Core, Handle};
use super::{Limiter, Permit};
use crate::error::AcquireError;
use crate::limits::{Cost, Priority};
use crate::pricing::kind::Price;
use crate::queue::Grant;

impl<K> Limiter<K> {
    /// Takes the cost of a call now, without a wait and whatever is left, and returns its permit.
    ///
    /// Use it for a call that is not up to the limiter: one that another program made with the same
    /// key, or one that must not wait. `price` is what [`acquire`](Self::acquire) takes. What is
    /// taken beyond the burst becomes debt, and calls that wait are held back until it has flowed
    /// back. The cost may be larger than a limit ever allows to one call, but a debt may be cut to
    /// 15 times as much as that. The cost is charged on [hold](Self::hold), and by a
    /// [closed](Self::close) limiter, too. It is not among the calls in flight that a
    /// [`concurrency`](crate::Builder::concurrency) counts.
    ///
    /// Settle the permit when the usage is known, or drop it to keep the charge. If the limits are
    /// shared through Redis, the permit gives nothing back when it is settled or cancelled: Redis
    /// numbers the charge later. What was used beyond it is charged, as always.
    ///
    /// ```
    /// use openlimit::{Rate, RateLimiter};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().tokens(Rate::per_day(1_000)).build()?;
    /// // A script with the same key has used 1 200 tokens.
    /// drop(limiter.charge(1_200)?);
    /// assert_eq!(limiter.status()?.limits[0].debt, 200);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`UnknownDimension`](AcquireError::UnknownDimension), [`Params`](AcquireError::Params) and
    /// [`Build`](AcquireError::Build) as for [`acquire`](Self::acquire);
    /// [`Timer`](AcquireError::Timer) or [`Store`](AcquireError::Store) in a child process that was
    /// forked while the limiter was in use. Nothing is charged then.
    pub fn charge(&self, price: impl Price<K>) -> Result<Permit, AcquireError> {
        self.with_cost(price, charge)
    }
}

fn charge(handle: &Handle, cost: &Cost) -> Result<Permit, AcquireError> {
    let plan = &handle.core().plan;
    let grant = handle.core().charge(plan.grant(plan.resolve_any_size(cost)?, cost))?;
    Ok(Permit::new(handle.clone(), grant))
}

impl Core {
    /// Charges a call now, as one of normal priority, and completes its grant. If the limiter
    /// learns from the call, replaces the amounts by what it has learned.
    fn charge(&self, mut grant: Grant) -> Result<Grant, AcquireError> {
        if self.driver.is_needed() {
            self.start()?;
        }
        let mut charge = None;
        self.update(|state, now, _| {
            state.admission.price(&mut grant, Priority::default());
            charge = Some(state.admission.charge(&grant.amounts, now));
        });
        let charge = charge.ok_or_else(|| *self.forked())?;
        Ok(Grant { charge, ..grant })
    }
}
