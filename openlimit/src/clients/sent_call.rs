//! `SentCall`: an admitted call whose request is under way.
//!
//! A request may fail without a response, or be dropped before there is one, as by a timeout. Then
//! nothing is known of the provider: it is no success for the concurrency, and if the call was to
//! find out if a used-up quota is back, the next one has to.

use crate::Permit;

/// The permit of the call, until there is a response.
pub(super) struct SentCall(Option<Permit>);

impl SentCall {
    pub(super) fn new(permit: Permit) -> Self {
        Self(Some(permit))
    }

    /// Returns its permit, which is there, once there is a response.
    pub(super) fn answered(mut self) -> Option<Permit> {
        self.0.take()
    }

    /// Notes that the request failed. Gives its cost back if it was never sent.
    pub(super) fn failed(mut self, was_sent: bool) {
        if !was_sent && let Some(permit) = self.0.take() {
            permit.cancel();
        }
    }

    /// Notes that the call is not in flight any more. Its charge is kept.
    pub(super) fn end(&mut self) {
        if let Some(permit) = &mut self.0 {
            permit.end_unserved();
        }
    }
}

impl Drop for SentCall {
    fn drop(&mut self) {
        self.end();
    }
}
