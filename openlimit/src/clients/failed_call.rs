//! `FailedCall`: a call whose response is an error, until its body is known.
//!
//! The body says whether a limit, a quota or the size of the request was the reason, and clients
//! that retry decide by it at once. So it is read before the response is passed on, unless it does
//! not come: a limiter must not make a call hang.

use std::time::Duration;

use crate::Permit;
use crate::feedback::Observation;

/// The start of the body that is read for the verdict. No provider's error is longer than a few
/// KiB. It may be held twice: in the pieces in which it came, and as one text.
pub(super) const MOST_BODY: usize = 16 * 1024;

/// The longest wait for the body of an error. Providers send it together with the head. One that
/// takes longer than this may never come.
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// The same if the head says how long to wait. The hold begins after this, so it is no longer than
/// a round trip: as many calls are under way anyway. It is not zero, since the body may say that
/// only one limit, no limit, or a quota is the reason.
const LONGEST_WAIT_WITH_HOLD: Duration = Duration::from_millis(100);

/// Notes the refusal, also if it is dropped before the body is known. So a request that is dropped
/// while its error arrives still holds the limiter.
///
/// `None` once it is noted.
pub(super) struct FailedCall(Option<(Permit, Observation)>);

impl FailedCall {
    pub(super) fn new(permit: Permit, head: Observation) -> Self {
        Self(Some((permit, head)))
    }

    /// Returns how long to wait for the body.
    pub(super) fn longest_wait(&self) -> Duration {
        let states_wait = self.0.as_ref().is_some_and(|(_, head)| head.verdict().retry_after().is_some());
        if states_wait { LONGEST_WAIT_WITH_HOLD } else { LONGEST_WAIT }
    }

    /// Notes the refusal with the start of its body.
    pub(super) fn note(mut self, body: &[u8]) {
        self.refuse(body);
    }

    fn refuse(&mut self, body: &[u8]) {
        if let Some((permit, head)) = self.0.take() {
            permit.refused(head.body(body));
        }
    }
}

impl Drop for FailedCall {
    fn drop(&mut self) {
        self.refuse(b"");
    }
}
