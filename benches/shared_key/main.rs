//! Simulates an hour of a limiter that shares a key with another consumer, and counts the refusals
//! of both.
//!
//! `cargo bench --bench shared_key`. The provider allows 6 000 requests and 1.2 million tokens a
//! minute. The other consumer takes a random 0 to 70 % of both, another share every two seconds, and
//! never waits. The limiter learns of it from the responses alone.

use std::time::{Duration, Instant};

use openlimit::testing::Dialect;
use openlimit_benches::Line;
use openlimit_tests::shared_key::{Figures, Scenario, run};

/// The aims of a scenario: the shares that are refused at most, and the share that is used at least.
struct Aims {
    refused: f64,
    others_refused: f64,
    used: f64,
}

fn main() {
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let time = Duration::from_secs(if is_bench { 3_600 } else { 10 });
    let none = Some(Aims { refused: 0.0, others_refused: 0.0, used: 0.94 });
    let few = || Some(Aims { refused: 0.003, others_refused: 0.005, used: 0.94 });
    let unheard = || Some(Aims { refused: 0.01, others_refused: 0.03, used: 0.95 });
    let mut lines = Vec::new();
    for bucket in [10, 60] {
        for latency in [20, 300, 1_000, 10_000] {
            lines.extend(measure(bucket, latency, Dialect::OpenAi, time, none.as_ref()));
        }
    }
    for latency in [20, 300, 1_000] {
        lines.extend(measure(1, latency, Dialect::OpenAi, time, few().as_ref()));
    }
    for latency in [3_000, 10_000] {
        lines.extend(measure(1, latency, Dialect::OpenAi, time, unheard().as_ref()));
    }
    lines.extend(measure(1, 300, Dialect::Bare, time, unheard().as_ref()));
    openlimit_benches::print(lines.into_iter());
}

fn measure(bucket: u64, latency: u64, dialect: Dialect, time: Duration, aims: Option<&Aims>) -> Vec<Line> {
    let bucket = Duration::from_secs(bucket);
    let latency = Duration::from_millis(latency);
    let scenario = Scenario { bucket, latency, dialect, feedback: true, time, seed: 1 };
    let start = Instant::now();
    let figures = run(&scenario);
    let Figures { attempts, refused, others, used } = figures;
    let what = format!("bucket of {bucket:?}, replies after {latency:?}, {dialect:?}");
    println!(
        "{what}: {refused} of {attempts} refused, {} of the other's {}, in {:.1?}",
        others.refused,
        others.refused + others.admitted,
        start.elapsed()
    );
    let shares = [figures.refused_share(), figures.others_refused_share()];
    match aims {
        Some(aims) => vec![
            Line::at_most(format!("{what}: refused, %"), 100.0 * shares[0], 100.0 * aims.refused),
            Line::at_most(
                format!("{what}: other refused, %"),
                100.0 * shares[1],
                100.0 * aims.others_refused,
            ),
            Line::at_least(format!("{what}: used of what it leaves, %"), 100.0 * used, 100.0 * aims.used),
        ],
        None => Vec::new(),
    }
}
