//! Metrics for the facade `metrics`, with any recorder. Without the feature `metrics`, `no_meters`
//! takes the place of this file.
//!
//! Names follow OpenTelemetry: `gen_ai.client.token.usage` is its own, and the others are named in
//! its style. The recorder is asked for the metrics of a limiter at the limiter's first use, since
//! asking takes longer than a call. So install the recorder before that. The limiters of all keys
//! have one name and share them.
//!
//! Counters and histograms follow calls. Gauges show a state, which is not worth a look at each
//! call: `record` sets them.

use std::fmt;
use std::time::Duration;

use metrics::{
    Counter, Histogram, SharedString, Unit, counter, describe_counter, describe_gauge, describe_histogram,
    histogram,
};
use once_cell::race::OnceBox;

use crate::admission::Plan;
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
pub(super) const WAITING: &str = "openlimit.waiting";
pub(super) const LONGEST_WAIT: &str = "openlimit.wait.longest";
pub(super) const IN_FLIGHT: &str = "openlimit.in_flight";
pub(super) const HOLD: &str = "openlimit.hold.remaining";
pub(super) const AMOUNT: &str = "openlimit.limit.amount";
pub(super) const AVAILABLE: &str = "openlimit.limit.available";
pub(super) const DEBT: &str = "openlimit.limit.debt";
pub(super) const PACE: &str = "openlimit.limit.pace";

/// The metrics of one limiter, or of those of all keys, from the first use on.
///
/// Of several threads at the first use, each asks, and none waits for another one: a child that is
/// forked meanwhile would wait for ever.
#[derive(Default)]
pub(super) struct Meters(OnceBox<Handles>);

struct Handles {
    admitted: Counter,
    wait: Histogram,
    /// By the place of each dimension.
    reserved: Vec<Counter>,
    used: Vec<Counter>,
    input: Histogram,
    output: Histogram,
}

impl fmt::Debug for Meters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meters").finish_non_exhaustive()
    }
}

impl Meters {
    #[inline]
    fn handles(&self, plan: &Plan) -> &Handles {
        self.0.get_or_init(|| Handles::register(plan))
    }
}

impl Handles {
    #[cold]
    fn register(plan: &Plan) -> Box<Self> {
        describe();
        let name = label(plan.name());
        let nothing = Amounts::zero(plan.width());
        let each = |metric: &'static str| {
            let dimensions = plan.by_dimension(&nothing);
            let dimensions = dimensions.map(|(dimension, _)| dimension.name().to_owned());
            dimensions.map(|of| counter!(metric, "limiter" => name.clone(), "dimension" => of)).collect()
        };
        let tokens =
            |of: &'static str| histogram!(TOKEN_USAGE, "limiter" => name.clone(), "gen_ai.token.type" => of);
        Box::new(Self {
            admitted: counter!(ADMITTED, "limiter" => name.clone()),
            wait: histogram!(WAIT, "limiter" => name.clone()),
            reserved: each(RESERVED),
            used: each(USED),
            input: tokens("input"),
            output: tokens("output"),
        })
    }
}

/// Counts a call that was admitted, its wait, and what it reserved, in each of its limiters.
#[inline]
pub(super) fn admitted<'a>(levels: impl Iterator<Item = (&'a Meters, &'a Plan, Duration, Amounts)>) {
    for (meters, plan, waited, amounts) in levels {
        let handles = meters.handles(plan);
        handles.admitted.increment(1);
        handles.wait.record(waited.as_secs_f64());
        for (counter, amount) in handles.reserved.iter().zip(amounts.as_slice()) {
            counter.increment(*amount);
        }
    }
}

/// Counts a call that its limiter refused.
#[cold]
pub(super) fn denied(error: &AcquireError) {
    counter!(REFUSED, "limiter" => label(error.limiter()), "reason" => error.kind()).increment(1);
}

/// Counts what a call used.
pub(super) fn settled(meters: &Meters, plan: &Plan, reserved: &Amounts, usage: &Usage) {
    let handles = meters.handles(plan);
    for (counter, amount) in handles.used.iter().zip(plan.used(reserved, usage).as_slice()) {
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

pub(super) fn label(name: &Name) -> SharedString {
    SharedString::from(name.to_string())
}

/// Describes all metrics to the recorder, which may be another one each time.
pub(super) fn describe() {
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
    describe_gauge!(AMOUNT, Unit::Count, "The amount of a limit in each period");
    describe_gauge!(AVAILABLE, Unit::Count, "The largest call that a limit has room for");
    describe_gauge!(DEBT, Unit::Count, "What was taken of a limit beyond its burst");
    describe_gauge!(PACE, Unit::Count, "The rate of a limit now, as a part of the declared one");
}
