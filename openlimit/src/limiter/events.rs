//! Events for `tracing`, under the target `openlimit`. Without the feature `tracing`, `no_events`
//! takes the place of this file.
//!
//! Events contain numbers, and words of the limiter and of the program (names, and the reasons of
//! its own holds). They contain nothing that a provider wrote, since that may repeat what users
//! have sent. No event is emitted under the limiter's lock, since a subscriber is foreign code.
//! `notices` decides which of them are worth reporting.

use std::time::Duration;

use tracing::{info, warn};

use crate::error::short;
use crate::feedback::Verdict;
use crate::limits::{Limit, Name};

const TARGET: &str = "openlimit";

/// Reports that the provider allows another amount than is declared, or the declared one again.
pub(super) fn limit_changed(limiter: &Name, limit: &Limit, allows: u64) {
    let declared = limit.rate().amount();
    if allows == declared {
        info!(target: TARGET, %limiter, declared, allows, "the provider allows {limit} again, as declared");
    } else {
        warn!(target: TARGET, %limiter, declared, allows, "declared {limit}, the provider allows {allows}");
    }
}

/// Reports that another process has updated the limits.
pub(super) fn limits_updated(limiter: &Name, limits: &[Limit]) {
    let limits: Vec<_> = limits.iter().map(Limit::to_string).collect();
    info!(target: TARGET, %limiter, "another process has updated the limits: {}", limits.join(", "));
}

/// Reports that a hold begins, or becomes much longer.
pub(super) fn hold_began(limiter: &Name, length: Duration, reason: &str) {
    let seconds = length.as_secs_f64();
    info!(target: TARGET, %limiter, seconds, reason, "on hold for {}", short(length));
}

/// Reports that a hold ended early.
pub(super) fn hold_released(limiter: &Name, rest: Duration) {
    info!(target: TARGET, %limiter, "the hold ended {} early", short(rest));
}

/// Reports a refusal. `more` others were not reported since the last one.
pub(super) fn refused(limiter: &Name, status: u16, verdict: Verdict, more: u64) {
    warn!(target: TARGET, %limiter, status, ?verdict, more, "the provider refused a call");
}

/// Suggests a setting, after a refusal that the declared limits do not explain.
pub(super) fn may_count_in_windows(limiter: &Name) {
    warn!(
        target: TARGET,
        %limiter,
        "the declared limits do not explain a refusal; if the provider counts in windows, \
         set `counting: Counting::InWindows`"
    );
}
