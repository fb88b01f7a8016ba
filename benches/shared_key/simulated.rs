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
    let row = |seconds: u64, millis: u64, dialect: Dialect, feedback: bool, aims: Option<Aims>| {
        let (bucket, latency) = (Duration::from_secs(seconds), Duration::from_millis(millis));
        let scenario = Scenario { bucket, latency, dialect, feedback, time, seed: 1 };
        let headers = if dialect == Dialect::Bare { ", no headers" } else { "" };
        let deaf = if feedback { "" } else { ", without feedback" };
        let what = format!("bucket of {seconds} s, replies after {latency:?}{headers}{deaf}");
        print(&what, &simulate(&scenario), aims);
    };
    row(10, 20, Dialect::OpenAi, false, None);
    for seconds in [10, 60] {
        for millis in [20, 1_000, 10_000] {
            row(seconds, millis, Dialect::OpenAi, true, Some(NONE));
        }
    }
    for millis in [20, 300, 1_000] {
        row(1, millis, Dialect::OpenAi, true, Some(FEW));
    }
    for millis in [3_000, 10_000] {
        row(1, millis, Dialect::OpenAi, true, Some(UNHEARD));
    }
    for millis in [300, 10_000] {
        row(1, millis, Dialect::Bare, true, Some(UNHEARD));
    }
}
