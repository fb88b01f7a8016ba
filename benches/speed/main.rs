//! Measures admissions, beside the minimum cost and beside other limiters, and the cost of waiting.
//!
//! `cargo bench -p openlimit-benches --bench speed` runs everything in one process and ends with a
//! table of ratios: on a shared machine, nothing else is meaningful. With `-- calls`, `stacks` or
//! `waiting`, it runs that part alone. BENCHMARKS.md has the table, and explains it.

mod bare;
mod calls;
mod rounds;
mod stack;
mod waiting;

use openlimit_benches::{print, runs};

fn main() {
    // Without `--bench` this is `cargo test`, which only checks that everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        let calls = runs("calls").then(|| calls::all(usize::MAX));
        let stacks = runs("stacks").then(|| stack::all(usize::MAX));
        let waiting = runs("waiting").then(waiting::all);
        print([calls, stacks, waiting].into_iter().flatten().flatten());
    } else {
        calls::all(1);
        stack::all(1);
    }
}
