//! A `Status` as data, for machines (feature `serde`). Written by hand, as the crate does without
//! the derive macros of serde.
//!
//! The fields have the names of those in Rust. Durations are in seconds, errors are their text, and
//! a limit is its text with its dimension, amount and period beside it.

use std::time::Duration;

use serde::ser::{Serialize, SerializeStruct, Serializer};

use super::{ByPriority, Hold, InFlightStatus, LimitStatus, ProviderSaid, Status};
use crate::admission::Returned;
use crate::error::StoreStatus;
use crate::learning::LearnedSite;

/// Declares the data of types: the fields, and the value of each.
macro_rules! data {
    ($($type:ident($this:ident) { $($field:ident: $value:expr,)+ })+) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let $this = self;
                let fields = [$(stringify!($field)),+].len();
                let mut data = serializer.serialize_struct(stringify!($type), fields)?;
                $(data.serialize_field(stringify!($field), &$value)?;)+
                data.end()
            }
        }
    )+};
}

data! {
    Status(this) {
        limiter: &*this.limiter,
        waiting: this.waiting,
        by_priority: this.by_priority,
        longest_wait: this.longest_wait.map(secs),
        next: this.next.map(secs),
        limits: this.limits,
        is_closed: this.is_closed,
        in_flight: this.in_flight,
        hold: this.hold,
        unexplained_refusals: this.unexplained_refusals,
        learned: this.learned,
        store: this.store,
    }
    ByPriority(this) {
        high: this.high,
        normal: this.normal,
        low: this.low,
    }
    LimitStatus(this) {
        limit: this.limit.to_string(),
        dimension: this.limit.dimension().name(),
        amount: this.limit.rate().amount(),
        period: secs(this.limit.rate().period()),
        available: this.available,
        debt: this.debt,
        full_in: secs(this.full_in),
        resets_in: this.resets_in.map(secs),
        provider_allows: this.provider_allows,
        provider_said: this.provider_said,
        pace: this.pace,
        returned: this.returned,
        hold: this.hold,
    }
    ProviderSaid(this) {
        left: this.left,
        limit: this.limit,
        ago: secs(this.ago),
    }
    InFlightStatus(this) {
        calls: this.calls,
        most: this.most,
    }
    Hold(this) {
        ends_in: secs(this.ends_in),
        is_exhausted: this.is_exhausted,
        reason: &*this.reason,
    }
    Returned(this) {
        reserved: this.reserved,
        unused: this.unused,
        late: this.late,
    }
    LearnedSite(this) {
        calls: this.calls,
        output: this.output,
        prompt_ratio: this.prompt_ratio,
    }
    StoreStatus(this) {
        error: this.error.as_ref().map(ToString::to_string),
        outages: this.outages,
        updates: this.updates,
    }
}

fn secs(time: Duration) -> f64 {
    time.as_secs_f64()
}
