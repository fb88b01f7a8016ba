//! Computes the ratios of single calls from criterion's result files.

use std::fs;
use std::path::Path;

use openlimit_benches::Line;
use serde_json::Value;

/// The number of measurements of each case.
pub(crate) const ROUNDS: usize = 3;

/// Returns the name of a group in one round.
pub(crate) fn group(name: &str, round: usize) -> String {
    format!("{name}, round {}", round + 1)
}

/// The name of the group in which two threads compete.
pub(crate) const TWO: &str = "granted to two threads";

/// Returns the ratios of single calls in this run.
pub(crate) fn calls(results: &Path) -> Vec<Line> {
    let line = |group: &str, of: &str, against: &str, aim: Option<f64>| {
        let value = nanoseconds(results, group, of) / nanoseconds(results, group, against);
        let what = format!("{group}: {of} / {against}");
        match aim {
            Some(most) => Line::at_most(what, value, most),
            None => Line::remark(what, value),
        }
    };
    let (ours, two) = ("openlimit", TWO);
    vec![
        Line::remark("granted: nanoseconds of the floor", nanoseconds(results, "granted", "floor")),
        Line::remark("granted: nanoseconds of openlimit", nanoseconds(results, "granted", ours)),
        line("granted", ours, "floor", Some(1.2)),
        line("granted", ours, "governor", Some(0.6)),
        line("granted", ours, "leaky-bucket", None),
        line(two, ours, "floor", Some(1.5)),
        line(two, ours, "governor", Some(0.45)),
        line(two, ours, "leaky-bucket", None),
        line("refused", ours, "clock", Some(1.15)),
        line("refused", ours, "governor", None),
        line("refused", ours, "leaky-bucket", None),
        line("ready", ours, "floor", None),
        line("ready", ours, "governor", Some(0.65)),
        line("ready", ours, "leaky-bucket", None),
        line("ready", "openlimit, blocking", "floor", None),
    ]
}

/// Returns the time of a call: the fastest eighth of criterion's samples. Other work on the machine
/// makes some samples twice as long as others, but rarely all of them. For two threads, chance
/// encounters are part of what is measured, so it returns the median.
fn nanoseconds(results: &Path, name: &str, case: &str) -> f64 {
    let mut times = Vec::new();
    for round in 0..ROUNDS {
        let file = results.join(group(name, round)).join(case).join("new/sample.json");
        let sample = fs::read(&file).ok().and_then(|sample| serde_json::from_slice::<Value>(&sample).ok());
        let sample = sample.unwrap_or_else(|| panic!("no results in {}", file.display()));
        let numbers = |key: &str| sample[key].as_array().into_iter().flatten().filter_map(Value::as_f64);
        times.extend(numbers("times").zip(numbers("iters")).map(|(time, calls)| time / calls));
    }
    times.sort_by(f64::total_cmp);
    let part = if name == TWO { 2 } else { 8 };
    times.get(times.len() / part).copied().unwrap_or(f64::NAN)
}
