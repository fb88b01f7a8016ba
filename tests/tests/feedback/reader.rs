//! Short ways to read a response and to state what is expected of it.

use std::time::Duration;

use openlimit::feedback::{Observation, ObservedLimit, Violation};

/// Reads headers, one `name: value` in each line, of a reply with status 200.
pub(crate) fn headers(lines: &str) -> Observation {
    response(200, lines, "")
}

/// Reads a response.
pub(crate) fn response(status: u16, lines: &str, body: &str) -> Observation {
    Observation::from_parts(status, pairs(lines), body.as_bytes())
}

fn pairs(lines: &str) -> impl Iterator<Item = (&str, &str)> {
    lines.lines().filter_map(|line| line.trim().split_once(": "))
}

/// Shows the limits, one in each line, as `tokens/60s: limit 7, remaining 5, reset 1s`.
pub(crate) fn limits(observation: &Observation) -> Vec<String> {
    observation.limits().map(limit).collect()
}

fn limit(limit: &ObservedLimit) -> String {
    let parts = [
        limit.limit().map(|amount| format!("limit {amount}")),
        limit.remaining().map(|amount| format!("remaining {amount}")),
        limit.reset().map(|time| format!("reset {time:?}")),
        limit.utilization().map(|share| format!("utilization {share}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}{}: {}", limit.dimension(), window(limit.window()), parts.join(", "))
}

/// Shows the violations, as `tokens/60s: limit 7500, used 16673, requested 3658`.
pub(crate) fn violations(observation: &Observation) -> Vec<String> {
    let denial = observation.denial().expect("a refusal");
    denial.violations().iter().map(violation).collect()
}

fn violation(violation: &Violation) -> String {
    let parts = [
        violation.limit().map(|amount| format!("limit {amount}")),
        violation.used().map(|amount| format!("used {amount}")),
        violation.requested().map(|amount| format!("requested {amount}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    let dimension = violation.dimension().map_or("?", |dimension| dimension.name());
    format!("{dimension}{}: {}", window(violation.window()), parts.join(", "))
        .trim_end_matches([':', ' '])
        .to_owned()
}

fn window(window: Option<Duration>) -> String {
    window.map_or(String::new(), |window| format!("/{}s", window.as_secs()))
}

pub(crate) fn secs(secs: f64) -> Option<Duration> {
    Some(Duration::from_nanos((secs * 1e9).round() as u64))
}
