//! What an admission costs, beside the least that it could cost and beside other limiters, and what waiting costs.
//!
//! `cargo bench` runs everything in one process and ends with a table of ratios: on a shared machine nothing else
//! means much. BENCHMARKS.md has the table, and says what it means.

mod calls;
mod table;
mod waiting;

use std::path::Path;
use std::time::Duration;

use criterion::Criterion;

fn main() {
    let results = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let mut criterion = Criterion::default()
        .output_directory(&results)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    calls::all(&mut criterion);
    criterion.final_summary();
    // Not when `cargo test` only looks whether everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        let lines = table::calls(&results).into_iter().chain(waiting::all());
        openlimit_benches::print(lines);
    }
}
