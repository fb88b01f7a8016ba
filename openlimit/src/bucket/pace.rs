//! `Pace`: the rate of a bucket that is not the declared one, or was not.
//!
//! Few buckets have one, so it is apart from the level. The page of `rates` says how it changes.

use super::climb::Climb;
use super::word::Word;

/// A rate that differs from the declared one, or that did.
#[derive(Clone, Debug)]
pub(super) struct Pace<W> {
    /// The weight of one unit of amount by the declared rate.
    pub(super) unit: W,
    /// The least that it ever weighed.
    pub(super) least: W,
    /// The last charge before that weight changed.
    pub(super) since: u64,
    /// The last charge before each [change](super::change) of the limit, and the least that a unit
    /// of the charges up to it weighs now.
    pub(super) eras: Vec<(u64, W)>,
    pub(super) climb: Climb,
    /// The last charge before the rate was cut.
    pub(super) cut: u64,
}

impl<W: Word> Pace<W> {
    /// Returns the least that a unit of a charge weighs. Later charges weigh `unit`.
    pub(super) fn weighed(&self, charge: u64, unit: W) -> W {
        match self.eras.iter().find(|(last, _)| charge <= *last) {
            Some((_, weight)) => *weight,
            None if charge <= self.since => self.least,
            None => unit,
        }
    }
}
