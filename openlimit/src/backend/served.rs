//! `Served`: a limiter as its driver sees it.

use super::dispatch::Backend;
use crate::queue::{Queue, Refusals};

/// A limiter that a driver works for.
pub(crate) trait Served: Send + Sync {
    /// Runs `work` under the limiter's lock, and passes it the current time.
    ///
    /// The limiter admits all calls that are due before and after `work`, and refuses the waiters
    /// that `work` returns.
    #[allow(dead_code, reason = "memory has no driver")]
    fn serve(&self, work: &mut dyn FnMut(&mut Backend, &Queue, u64) -> Refusals);
}
