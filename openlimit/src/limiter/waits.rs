//! What a program is told about waits: of a long one when it begins, and how long one would be.
//!
//! The function that a program gives ([`Builder::on_wait`]) is foreign code: it may block, panic,
//! or use the limiter. So it is called on the thread that polls the call, where no lock is held,
//! and where only that call waits for it.
//!
//! [`Builder::on_wait`]: super::Builder::on_wait

use std::cell::Cell;
use std::time::Duration;

use super::Limiter;
use super::core::Core;
use crate::admission::LongWait;
use crate::error::AcquireError;
use crate::limits::{Cost, Priority};
use crate::pricing::kind::Price;
use crate::queue::Grant;
use crate::sync::contain;

thread_local! {
    /// True while this thread runs such a function. Calls that it makes may wait, too.
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
}

impl<K> Limiter<K> {
    /// Estimates how long a call would wait if it were made now, without making it. Zero if it
    /// would be admitted at once.
    ///
    /// It is a lower bound: what is known to be in the way of a call of normal priority. A debt, a
    /// hold, calls of higher priorities and calls in flight can make the wait longer. A refund or a
    /// waiting call that leaves can make it shorter. Over Redis it goes by the last reply, and what
    /// other processes took or gave back since then is not part of it. To decide by it, use a
    /// [`timeout`](crate::Acquire::timeout), which acquires or refuses in one step.
    ///
    /// ```
    /// use openlimit::{Cost, Rate, RateLimiter};
    /// use std::time::Duration;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limiter = RateLimiter::builder().requests(Rate::per_day(1)).build()?;
    /// assert_eq!(limiter.wait_for(Cost::new())?, Duration::ZERO);
    /// drop(limiter.try_acquire(Cost::new())?);
    /// assert!(limiter.wait_for(Cost::new())? > Duration::from_secs(86_000));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Those with which an [`Acquire`](crate::Acquire) of the same price would fail at its first
    /// poll: [`TooLarge`](AcquireError::TooLarge), [`Exhausted`](AcquireError::Exhausted),
    /// [`Closed`](AcquireError::Closed), [`Params`](AcquireError::Params),
    /// [`UnknownDimension`](AcquireError::UnknownDimension) and [`Build`](AcquireError::Build).
    pub fn wait_for(&self, price: impl Price<K>) -> Result<Duration, AcquireError> {
        self.with_cost(price, |handle, cost| handle.core().wait_for(cost))
    }
}

impl Core {
    /// Tells the program of a long wait, if there is one. Called where no lock is held.
    #[inline]
    pub(super) fn tell(&self, wait: Option<LongWait>) {
        if let (Some(wait), Some(on_wait)) = (wait, self.plan.on_wait())
            && !IS_TOLD.replace(true)
        {
            contain(|| on_wait.call(&wait.describe(&self.plan.now())));
            IS_TOLD.set(false);
        }
    }

    /// Returns a lower bound on the wait of a call of this cost that would be made now.
    fn wait_for(&self, cost: &Cost) -> Result<Duration, AcquireError> {
        self.wait_of_grant(self.plan.grant(self.plan.now().resolve_any_size(cost)?, cost))
    }

    /// Does the same for a call that would be granted this.
    pub(super) fn wait_of_grant(&self, mut grant: Grant) -> Result<Duration, AcquireError> {
        if let Some(error) = self.plan.now().too_large(grant.amounts.as_slice()) {
            return Err(error);
        }
        let now = self.time.now();
        let Some(state) = self.lock() else { return Err(*self.forked()) };
        state.admission.price(&mut grant, Priority::default());
        let wait = state.admission.wait_for(grant.amounts, now);
        drop(state);
        wait.map(Duration::from_nanos).map_err(|refusal| self.error(refusal))
    }
}
