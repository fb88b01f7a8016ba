//! What a program is told about waits: of a long one when it begins, and how long one would be.
//!
//! The function that a program gives ([`Builder::on_wait`]) is foreign code: it may block, panic,
//! or use the limiter. So it is called on the thread that polls the call, where no lock is held,
//! and where only that call waits for it.
//!
//! [`Builder::on_wait`]: super::Builder::on_wait

use std::cell::Cell;
use std::time::Duration;

use super::core::Core;
use crate::admission::LongWait;
use crate::error::AcquireError;
use crate::limits::{Cost, Priority};
use crate::queue::Grant;
use crate::sync::contain;

thread_local! {
    /// True while this thread runs such a function. Calls that it makes may wait, too.
    static IS_TOLD: Cell<bool> = const { Cell::new(false) };
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
    pub(super) fn wait_for(&self, cost: &Cost) -> Result<Duration, AcquireError> {
        let amounts = self.plan.now().resolve(cost)?;
        let mut grant = Grant { lesson: self.plan.lesson(cost), ..Grant::at_once(amounts, 0) };
        let now = self.time.now();
        let Some(state) = self.lock() else { return Err(*self.forked()) };
        state.admission.price(&mut grant, Priority::default());
        let wait = state.admission.wait_for(grant.amounts, now);
        drop(state);
        wait.map(Duration::from_nanos).map_err(|refusal| self.error(refusal))
    }
}
