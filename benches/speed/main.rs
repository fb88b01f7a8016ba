//! Measures admissions, beside the minimum cost and beside other limiters, and the cost of waiting.
//!
//! `cargo bench --bench speed` runs everything in one process and ends with a table of ratios: on a
//! shared machine, nothing else is meaningful. BENCHMARKS.md has the table, and explains it.

mod calls;
mod rounds;
mod stack;
mod waiting;

fn main() {
    // Without `--bench` this is `cargo test`, which only checks that everything runs.
    if std::env::args().any(|argument| argument == "--bench") {
        let calls = calls::all(usize::MAX).into_iter().chain(stack::all(usize::MAX));
        openlimit_benches::print(calls.chain(waiting::all()));
    } else {
        calls::all(1);
        stack::all(1);
    }
}
