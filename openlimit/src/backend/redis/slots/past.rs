//! `Past`: the scales by which charges weigh that were made before the limits were changed.

use crate::backend::redis::scale::{MOST, Scale};

/// The scales of limits before they were changed.
#[derive(Debug)]
pub(super) struct Past {
    /// The last charge that weighs by them; the largest value while a batch is in flight.
    pub(super) last: u64,
    scales: Box<[Scale]>,
    /// What became of each weight since, in parts of [`ONE`].
    parts: Box<[u128]>,
}

/// A weight that did not change.
const ONE: u128 = 1 << 32;

/// The largest part, so that sums stay in range.
const MOST_PART: u128 = 1 << 64;

/// The most earlier scales that are remembered. Nothing is given back of charges before that.
pub(super) const MOST_PAST: usize = 8;

impl Past {
    /// Keeps the scales up to a charge. `parts` is what becomes of each weight by the change.
    pub(super) fn new(last: u64, scales: Box<[Scale]>, parts: &[(u128, u128)]) -> Self {
        Self { last, scales, parts: parts.iter().copied().map(part_of_one).collect() }
    }

    /// Returns the weight to give back for an amount of a charge in one bucket.
    pub(super) fn refund(&self, bucket: usize, amount: u64, charge: u64) -> u64 {
        let weight = u128::from(self.scales[bucket].refund(amount, charge));
        let weight = weight.saturating_mul(self.parts[bucket]) / ONE;
        u64::try_from(weight).unwrap_or(MOST).min(MOST)
    }

    /// Scales what is left of each weight in one bucket.
    pub(super) fn scale(&mut self, bucket: usize, part: (u128, u128)) {
        let product = self.parts[bucket].checked_mul(part_of_one(part));
        self.parts[bucket] = (product.unwrap_or(u128::MAX) / ONE).min(MOST_PART);
    }
}

/// Returns a fraction in parts of [`ONE`], rounded down.
fn part_of_one((part, of): (u128, u128)) -> u128 {
    (part * ONE / of).min(MOST_PART)
}
