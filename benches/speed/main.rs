//! Measures admissions, beside the minimum cost and beside other limiters, and the cost of waiting.
//!
//! `cargo bench --bench speed` runs everything in one process and ends with a table of ratios: on a
//! shared machine, nothing else is meaningful. BENCHMARKS.md has the table, and explains it.

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
    // Without `--bench` this is `cargo test`, which only checks that everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        let lines = table::calls(&results).into_iter().chain(waiting::all());
        openlimit_benches::print(lines);
    }
}
