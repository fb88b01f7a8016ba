//! Measures a million tasks that wait for one limiter, on one thread: the bytes that each takes,
//! and how long they take to drain at 200 000 a second.
//!
//! `cargo bench -p openlimit-benches --bench crowd` takes ten seconds and ends with a table. With
//! `-- bytes` or `drain`, it runs that part alone. BENCHMARKS.md has the table, and explains it.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_benches::{Line, runs};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{LocalSet, spawn_local, yield_now};
use tokio::time::sleep;

/// The requests that the limiter of the drain allows.
const PER_SECOND: u32 = 200_000;
/// What it allows at once, and how much of that it keeps back.
const BURST: Duration = Duration::from_secs(1);
const JITTER: Duration = Duration::from_millis(50);

fn main() {
    // Without `--bench` this is `cargo test`, which only checks that everything runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let tasks = if is_bench { 1_000_000 } else { 1_000 };
    let mut lines = Vec::new();
    if runs("bytes") {
        lines.push(Line::at_most("bytes of a task that waits", bytes(tasks, tasks), 400.0));
        lines.push(Line::remark("bytes of a task before it waits", bytes(tasks, 0)));
    }
    if runs("drain") {
        lines.push(Line::at_most("drain: elapsed / ideal", drain(tasks), 1.05));
    }
    if is_bench {
        openlimit_benches::print(lines.into_iter());
    }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}

/// Returns the bytes that the allocator hands out for each task, once so many of them wait.
fn bytes(tasks: usize, waiting: usize) -> f64 {
    let limiter = RateLimiter::builder().requests(Rate::per_day(1)).tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("a limiter");
    drop(limiter.try_acquire(Cost::new()).expect("an admission"));
    let (runtime, set) = (runtime(), LocalSet::new());
    let counts = measure(|| {
        runtime.block_on(set.run_until(async {
            for _ in 0..tasks {
                let acquire = limiter.acquire(Cost::new().tokens(3));
                spawn_local(async { drop(acquire.await) });
            }
            while limiter.status().expect("a limiter").waiting < waiting {
                yield_now().await;
            }
        }));
    });
    counts.bytes_current as f64 / tasks as f64
}

/// Returns how long the tasks take, beside what the limit allows.
fn drain(tasks: usize) -> f64 {
    let limiter = RateLimiter::builder().requests(Rate::per_second(PER_SECOND.into()));
    let limiter = limiter.tokens(Rate::per_second(1_000_000_000)).burst(BURST).jitter(JITTER);
    let limiter = limiter.build().expect("a limiter");
    let granted = Rc::new(Cell::new(0));
    let elapsed = runtime().block_on(LocalSet::new().run_until(async {
        let start = Instant::now();
        for _ in 0..tasks {
            let (acquire, granted) = (limiter.acquire(Cost::new().tokens(3)), Rc::clone(&granted));
            spawn_local(async move {
                drop(acquire.await.expect("an admission"));
                granted.set(granted.get() + 1);
            });
        }
        while granted.get() < tasks {
            sleep(Duration::from_millis(1)).await;
        }
        start.elapsed()
    }));
    let ideal = tasks as f64 / f64::from(PER_SECOND) - (BURST - JITTER).as_secs_f64();
    elapsed.as_secs_f64() / ideal
}
