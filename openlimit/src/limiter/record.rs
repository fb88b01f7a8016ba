//! Sets gauges to a `Status`, for the facade `metrics`.

use metrics::gauge;

use super::meters::{AMOUNT, AVAILABLE, DEBT, HOLD, IN_FLIGHT, LONGEST_WAIT, PACE, WAITING, describe, label};
use super::status::Status;

impl Status {
    /// Sets the gauges of the crate `metrics` to this status (feature `metrics`). Call it before
    /// the recorder is read, or every few seconds.
    ///
    /// | gauge | of |
    /// | --- | --- |
    /// | `openlimit.waiting`, `openlimit.wait.longest`, `openlimit.in_flight`, `openlimit.hold.remaining` | each `limiter` |
    /// | `openlimit.limit.amount`, `openlimit.limit.available`, `openlimit.limit.debt`, `openlimit.limit.pace` | each `limit` of it, such as `tokens / minute` |
    ///
    /// Times are in seconds, and zero if there is no wait or hold. Money is in millionths of a
    /// dollar. All keys of a [`Keyed`](crate::Keyed) have one name, so the status of one takes the
    /// place of another's.
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
            let limit = status.limit.without_amount();
            let set = |metric: &'static str, value: f64| {
                gauge!(metric, "limiter" => name.clone(), "limit" => limit.clone()).set(value);
            };
            set(AMOUNT, status.limit.rate().amount() as f64);
            set(AVAILABLE, status.available as f64);
            set(DEBT, status.debt as f64);
            set(PACE, status.pace);
        }
    }
}
