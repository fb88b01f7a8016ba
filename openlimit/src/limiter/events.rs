//! Events for `tracing`, under the target `openlimit`. Without the feature `tracing`, `no_events`
//! takes the place of this file.
//!
//! Events contain numbers, and words of the limiter and of the program (names, and the reasons of
//! its own holds). They contain nothing that a provider wrote, since that may repeat what users
//! have sent. No event is emitted under the limiter's lock, since a subscriber is foreign code.
//! `notices` decides which of them are worth reporting.

use std::time::Duration;

use tracing::{Level, event, event_enabled, info, warn};

use super::Permit;
use super::core::Core;
use crate::error::{AcquireError, short};
use crate::feedback::Verdict;
use crate::limits::{Amounts, Limit, Name, Usage};

const TARGET: &str = "openlimit";

/// Reports a call that was admitted, by each of its limiters, on the thread that polls it: the
/// spans there are its own.
#[inline]
pub(super) fn admitted(permit: &Permit) {
    if event_enabled!(target: TARGET, Level::DEBUG) {
        permit.levels().iter().rev().for_each(report_admitted);
    }
}

#[cold]
fn report_admitted(permit: &Permit) {
    let limiter = permit.limiter();
    let (limit, waited) = (permit.waited_for().map(|limit| limit.to_string()), permit.waited().as_secs_f64());
    let reserved = in_words(permit.core(), &permit.amounts());
    let position = permit.position();
    event!(
        name: "openlimit.acquire",
        target: TARGET,
        Level::DEBUG,
        %limiter,
        waited,
        limit,
        position,
        %reserved,
        "admitted"
    );
}

/// Reports a call that was refused by its limiter.
#[inline]
pub(super) fn denied(error: &AcquireError) {
    let limiter = error.limiter();
    event!(name: "openlimit.acquire", target: TARGET, Level::DEBUG, %limiter, "not admitted: {}", error.kind());
}

/// Reports what a call really used.
pub(super) fn settled(core: &Core, reserved: &Amounts, usage: &Usage) {
    if event_enabled!(target: TARGET, Level::DEBUG) {
        let limiter = core.plan.name();
        let actual = in_words(core, &core.plan.used(reserved, usage));
        let reserved = in_words(core, reserved);
        event!(
            name: "openlimit.settle",
            target: TARGET,
            Level::DEBUG,
            %limiter,
            %reserved,
            %actual,
            "settled"
        );
    }
}

/// Shows amounts: `1 requests, 900 tokens`.
fn in_words(core: &Core, amounts: &Amounts) -> String {
    let amounts = core.plan.by_dimension(amounts);
    let words: Vec<_> = amounts.map(|(dimension, amount)| format!("{amount} {dimension}")).collect();
    words.join(", ")
}

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
