//! `Past`: the scales by which charges weigh that were made before the limits were changed.

use crate::backend::redis::scale::Scale;

/// The scales of limits before they were changed.
#[derive(Debug)]
pub(super) struct Past {
    /// The last charge that weighs by them; the largest value while a batch is in flight.
    pub(super) last: u64,
    pub(super) scales: Box<[Scale]>,
}

/// The most earlier scales that are remembered. Nothing is given back of charges before that.
pub(super) const MOST_PAST: usize = 8;

impl Past {
    /// Returns the weight to give back for an amount of a charge in one bucket.
    pub(super) fn refund(&self, bucket: usize, amount: u64, charge: u64) -> u64 {
        self.scales[bucket].refund(amount, charge)
    }
}
