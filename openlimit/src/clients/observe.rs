//! The head of a response, as the limiter sees it.

use http::{HeaderMap, StatusCode};

use crate::Permit;
use crate::feedback::Observation;

/// Reads the head of a response.
pub(super) fn observation(status: StatusCode, headers: &HeaderMap) -> Observation {
    Observation::new(status.as_u16()).headers(headers)
}

/// Lets the limiter know of the head of a response that is no error. Some providers state the usage
/// there.
pub(super) fn observe(permit: &mut Permit, head: &Observation) {
    permit.observe(head);
    if let Some(usage) = head.usage() {
        permit.settle_so_far(usage);
    }
}
