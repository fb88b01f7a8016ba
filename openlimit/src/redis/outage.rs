//! `Outage`: while Redis is away.

use super::shared::Shared;
use super::{OnOutage, StoreError};
use crate::StoreStatus;
use crate::queue::Waiter;

#[derive(Debug)]
pub(crate) struct Outage {
    since: u64,
    error: StoreError,
}

impl Shared {
    pub(crate) fn status(&self) -> StoreStatus {
        StoreStatus { error: self.away().cloned(), outages: self.outages }
    }

    /// Why Redis is away, if it is.
    pub(crate) fn away(&self) -> Option<&StoreError> {
        self.outage.as_ref().map(|outage| &outage.error)
    }

    /// The share of the limits, in percent, within which calls are admitted without Redis now.
    pub(crate) fn local_share(&self) -> Option<u8> {
        match (&self.outage, self.terms().on_outage) {
            (Some(_), OnOutage::Local(share)) => Some(share.0),
            _ => None,
        }
    }

    /// Redis was not reached. Says whether it had been until now.
    pub(crate) fn missed(&mut self, error: &StoreError, now: u64) -> bool {
        let since = self.outage.as_ref().map(|outage| outage.since);
        self.outage = Some(Outage { since: since.unwrap_or(now), error: error.clone() });
        self.outages += u64::from(since.is_none());
        since.is_none()
    }

    /// Whether a call without a time-out has waited for Redis long enough.
    pub(crate) fn out_of_patience(&self, waiter: &Waiter, now: u64) -> bool {
        let since = self.outage.as_ref().map_or(now, |outage| outage.since.max(waiter.arrived));
        waiter.timeout == u64::MAX && now.saturating_sub(since) >= self.terms().patience
    }
}
