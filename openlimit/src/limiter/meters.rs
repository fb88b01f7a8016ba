//! Metrics for the facade `metrics`, with any recorder. Without the feature `metrics`, `no_meters`
//! takes the place of this file.
//!
//! Names follow OpenTelemetry: `gen_ai.client.token.usage` is its own, and the others are named in its
//! style. The recorder is asked for the metrics of a limiter once, at the limiter's first use, since
//! asking takes longer than a call. So install the recorder before that.
//!
//! Counters and histograms follow calls. Gauges show a state, which is not worth a look at each call:
//! [`Status::record`] sets them.

use metrics::{
    Counter, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram,
};
use once_cell::sync::OnceCell;

use super::core::Core;
use super::{Permit, Status};
use crate::error::AcquireError;
use crate::limits::{Amounts, Dimension, Name, Usage};

const ADMITTED: &str = "openlimit.calls.admitted";
const REFUSED: &str = "openlimit.calls.refused";
const PROVIDER_REFUSED: &str = "openlimit.provider.refusals";
const WAIT: &str = "openlimit.wait.duration";
const RESERVED: &str = "openlimit.reserved";
const USED: &str = "openlimit.used";
/// OpenTelemetry, semantic conventions for generative AI, client metrics.
const TOKEN_USAGE: &str = "gen_ai.client.token.usage";
const WAITING: &str = "openlimit.waiting";
const LONGEST_WAIT: &str = "openlimit.wait.longest";
const IN_FLIGHT: &str = "openlimit.in_flight";
const HOLD: &str = "openlimit.hold.remaining";
const AVAILABLE: &str = "openlimit.limit.available";
const DEBT: &str = "openlimit.limit.debt";
const PACE: &str = "openlimit.limit.pace";

/// The metrics of one limiter, from its first use on.
#[derive(Default)]
pub(super) struct Meters(OnceCell<Box<Handles>>);

struct Handles {
    admitted: Counter,
    wait: Histogram,
    /// By the place of each dimension.
    reserved: Vec<Counter>,
    used: Vec<Counter>,
    input: Histogram,
    output: Histogram,
}

impl Core {
    #[inline]
    fn handles(&self) -> &Handles {
        self.meters.0.get_or_init(|| self.register())
    }

    #[cold]
    fn register(&self) -> Box<Handles> {
        describe();
        let name = label(self.plan.name());
        let nothing = Amounts::zero(self.plan.width());
        let each = |metric: &'static str| {
            let dimensions = self.plan.by_dimension(&nothing);
            let dimensions = dimensions.map(|(dimension, _)| dimension.name().to_owned());
            dimensions.map(|of| counter!(metric, "limiter" => name.clone(), "dimension" => of)).collect()
        };
        let tokens =
            |of: &'static str| histogram!(TOKEN_USAGE, "limiter" => name.clone(), "gen_ai.token.type" => of);
        Box::new(Handles {
            admitted: counter!(ADMITTED, "limiter" => name.clone()),
            wait: histogram!(WAIT, "limiter" => name.clone()),
            reserved: each(RESERVED),
            used: each(USED),
            input: tokens("input"),
            output: tokens("output"),
        })
    }
}

/// Counts a call that was admitted, its wait, and what it reserved.
#[inline]
pub(super) fn admitted(permit: &Permit) {
    let core = permit.core();
    let handles = core.handles();
    handles.admitted.increment(1);
    handles.wait.record(permit.waited().as_secs_f64());
    for (counter, amount) in handles.reserved.iter().zip(permit.amounts().as_slice()) {
        counter.increment(*amount);
    }
}

/// Counts a call that its limiter refused.
#[cold]
pub(super) fn denied(error: &AcquireError) {
    counter!(REFUSED, "limiter" => label(error.limiter()), "reason" => error.kind()).increment(1);
}

/// Counts what a call used.
pub(super) fn settled(core: &Core, reserved: &Amounts, usage: &Usage) {
    let handles = core.handles();
    for (counter, amount) in handles.used.iter().zip(core.plan.used(reserved, usage).as_slice()) {
        counter.increment(*amount);
    }
    let parts = [(&handles.input, Dimension::InputTokens), (&handles.output, Dimension::OutputTokens)];
    for (histogram, part) in parts {
        if let Some(tokens) = usage.amount(&part) {
            #[allow(clippy::cast_precision_loss, reason = "a metric")]
            histogram.record(tokens as f64);
        }
    }
}

/// Counts a call that the provider refused.
pub(super) fn provider_refused(limiter: &Name, status: u16) {
    counter!(PROVIDER_REFUSED, "limiter" => label(limiter), "status" => status.to_string()).increment(1);
}

impl Status {
    /// Sets the gauges of the crate `metrics` to this status (feature `metrics`). Call it before the
    /// recorder is read, or every few seconds.
    ///
    /// | gauge | of |
    /// | --- | --- |
    /// | `openlimit.waiting`, `openlimit.wait.longest`, `openlimit.in_flight`, `openlimit.hold.remaining` | each `limiter` |
    /// | `openlimit.limit.available`, `openlimit.limit.debt`, `openlimit.limit.pace` | each `limit` of it |
    ///
    /// Times are in seconds, and zero if there is no wait or hold.
    #[allow(clippy::cast_precision_loss, reason = "a metric")]
    pub fn record(&self) {
        describe();
        let name = label(&self.limiter);
        let set = |metric: &'static str, value: f64| gauge!(metric, "limiter" => name.clone()).set(value);
        set(WAITING, self.waiting as f64);
        set(LONGEST_WAIT, self.longest_wait.map_or(0.0, |wait| wait.as_secs_f64()));
        set(HOLD, self.hold.as_ref().map_or(0.0, |hold| hold.ends_in.as_secs_f64()));
        if let Some(in_flight) = &self.in_flight {
            set(IN_FLIGHT, in_flight.calls.into());
        }
        for status in &self.limits {
            let limit = status.limit.to_string();
            let set = |metric: &'static str, value: f64| {
                gauge!(metric, "limiter" => name.clone(), "limit" => limit.clone()).set(value);
            };
            set(AVAILABLE, status.available as f64);
            set(DEBT, status.debt as f64);
            set(PACE, status.pace);
        }
    }
}

fn label(name: &Name) -> SharedString {
    SharedString::from(name.to_string())
}

/// Describes all metrics to the recorder, which may be another one each time.
fn describe() {
    describe_counter!(ADMITTED, Unit::Count, "Calls that were admitted");
    describe_counter!(REFUSED, Unit::Count, "Calls that the limiter refused, by reason");
    describe_counter!(PROVIDER_REFUSED, Unit::Count, "Calls that the provider refused, by status");
    describe_histogram!(WAIT, Unit::Seconds, "How long admitted calls waited");
    describe_counter!(RESERVED, Unit::Count, "What admitted calls reserved, by dimension");
    describe_counter!(USED, Unit::Count, "What settled calls used, by dimension");
    describe_histogram!(TOKEN_USAGE, Unit::Count, "Tokens of a settled call, input and output");
    describe_gauge!(WAITING, Unit::Count, "Calls in the queue");
    describe_gauge!(LONGEST_WAIT, Unit::Seconds, "How long the call has waited that waits longest");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Calls in flight");
    describe_gauge!(HOLD, Unit::Seconds, "The time until a hold of all calls ends");
    describe_gauge!(AVAILABLE, Unit::Count, "The largest call that a limit has room for");
    describe_gauge!(DEBT, Unit::Count, "What was taken of a limit beyond its burst");
    describe_gauge!(PACE, Unit::Count, "The rate of a limit now, as a part of the declared one");
}
