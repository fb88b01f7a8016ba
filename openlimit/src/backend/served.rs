//! `Served`: a limiter as its driver sees it.

use super::dispatch::Backend;
use super::newer::Newer;
use crate::queue::{Queue, Refusals};

/// A limiter that a driver works for.
pub(crate) trait Served: Send + Sync {
    /// Runs `work` under the limiter's lock, and passes it the current time.
    ///
    /// The limiter admits all calls that are due before and after `work`, and refuses the waiters
    /// that `work` returns.
    #[allow(dead_code, reason = "memory has no driver")]
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals);

    /// Takes over the limits that `newer` returns, under the limiter's lock. Returns false, and
    /// changes nothing, if there are none, or if the limiter cannot have them.
    #[allow(dead_code, reason = "memory has no driver")]
    fn take_over(&self, newer: &mut dyn FnMut(&mut Backend) -> Option<Newer>) -> bool;
}
