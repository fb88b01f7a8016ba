//! `Refusal`: why a call that is well formed is not admitted.

use std::time::Duration;

use super::charge::Charge;
use super::meter::Meter;
use crate::Limit;

/// The reason why a call is not admitted.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A limit has too little left.
    Limit(Exceeded),
    /// The quota is used up, and renewed after this time; `None` if it is not.
    Quota(Option<Duration>),
    /// The traffic grows too fast. The call would fit after this time.
    TooFast(Duration),
}

/// The refusal of a call by a limit.
#[derive(Debug)]
pub(super) struct Exceeded {
    pub(super) limit: Limit,
    /// The part of the limit that counts as used, so that `used + requested - limit` is missing.
    pub(super) used: i128,
    pub(super) requested: u64,
    /// The time after which the call would have fitted; `None` for a call above the whole limit.
    pub(super) wait: Option<Duration>,
}

impl Exceeded {
    pub(super) fn new(meter: &dyn Meter, charge: Charge, wait: Option<Duration>) -> Self {
        Self {
            limit: meter.limit().clone(),
            used: i128::from(meter.amount()) - meter.left(),
            requested: charge.of(meter.limit()),
            wait,
        }
    }
}
