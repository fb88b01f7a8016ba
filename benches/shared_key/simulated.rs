//! Simulated hours, on a manual clock and without a network.

use std::time::Duration;

use openlimit::testing::Dialect;
use openlimit_tests::shared_key::{Scenario, run as simulate};

use super::aims::{Aims, print};

/// The news is never older than the bucket.
const NONE: Aims = Aims { refused: 0.0, others_refused: 0.0, used: 94.0 };
/// A small bucket, and the news is nearly as old.
const FEW: Aims = Aims { refused: 0.3, others_refused: 0.5, used: 94.0 };
/// The limiter has only the refusals to learn from.
const UNHEARD: Aims = Aims { refused: 1.0, others_refused: 3.0, used: 95.0 };

pub(crate) fn run(is_bench: bool) {
    let time = Duration::from_secs(if is_bench { 3_600 } else { 10 });
    let row = |seconds: u64, millis: u64, change: fn(&mut Scenario), what: &str, aims: Option<Aims>| {
        let (bucket, latency) = (Duration::from_secs(seconds), Duration::from_millis(millis));
        let mut scenario = Scenario::new(bucket, latency, time);
        change(&mut scenario);
        print(&format!("bucket of {seconds} s, replies after {latency:?}{what}"), &simulate(&scenario), aims);
    };
    row(10, 20, |scenario| scenario.feedback = false, ", without feedback", None);
    for seconds in [10, 60] {
        for millis in [20, 1_000, 10_000] {
            row(seconds, millis, |_| (), "", Some(NONE));
        }
    }
    for millis in [20, 300, 1_000] {
        row(1, millis, |_| (), "", Some(FEW));
    }
    for millis in [3_000, 10_000] {
        row(1, millis, |_| (), "", Some(UNHEARD));
    }
    for millis in [20, 10_000] {
        row(1, millis, |scenario| scenario.dialect = Dialect::Bare, ", no headers", Some(UNHEARD));
    }
    row(1, 3_000, |scenario| scenario.refusal = Duration::from_secs(1), ", refusals after 1s", None);
    let late = |scenario: &mut Scenario| {
        (scenario.refusal, scenario.dialect) = (scenario.latency, Dialect::Bare);
    };
    for millis in [1_000, 3_000] {
        row(1, millis, late, ", no headers, refusals as late", None);
    }
}
