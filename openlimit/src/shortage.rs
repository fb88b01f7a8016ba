//! `Shortage`: why `try_acquire` was refused, worked out only when somebody asks.
//!
//! A refusal is on the hot path of programs that shed load, and the division that turns a missing amount
//! into a time would be the larger part of its price.

use std::time::Duration;

use crate::Limit;

/// What [`try_acquire`](crate::Limiter::try_acquire) lacked.
#[derive(Clone, Debug)]
pub struct Shortage {
    limit: Limit,
    /// What has to leak first, and how much leaks in a nanosecond, in the bucket's own units.
    missing: u128,
    leak: u128,
}

impl Shortage {
    pub(crate) fn new(limit: Limit, missing: u128, leak: u128) -> Self {
        Self { limit, missing, leak }
    }

    /// The limit that has to recover.
    #[must_use]
    pub fn limit(&self) -> &Limit {
        &self.limit
    }

    /// How long that takes at least. Those who wait already come first, and are taken into account.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let nanos = self.missing.div_ceil(self.leak);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}
