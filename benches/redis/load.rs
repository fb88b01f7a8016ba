//! Runs callers in a loop for a second, and counts and times their calls.

use std::future::Future;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Runtime};

const TIME: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) calls: f64,
    /// In microseconds.
    pub(crate) median: f64,
}

impl Load {
    /// Measures this many tasks.
    pub(crate) fn of_tasks<F>(tasks: usize, call: impl Fn() -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        runtime().block_on(async move {
            // Connects.
            call().await;
            let end = Instant::now() + TIME;
            let one = |call: &_| tokio::spawn(again_and_again(Clone::clone(call), end));
            let tasks: Vec<_> = (0..tasks).map(|_| one(&call)).collect();
            let mut times = Vec::new();
            for task in tasks {
                times.append(&mut task.await.unwrap());
            }
            Self::of(times)
        })
    }

    /// Measures this many threads.
    pub(crate) fn of_threads(threads: usize, call: impl Fn() + Sync) -> Self {
        call();
        let end = Instant::now() + TIME;
        let one = || {
            let mut times = Vec::new();
            while Instant::now() < end {
                let start = Instant::now();
                call();
                times.push(start.elapsed());
            }
            times
        };
        thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
            Self::of(threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect())
        })
    }

    /// Creates a load of calls that took these times.
    pub(crate) fn of(mut times: Vec<Duration>) -> Self {
        times.sort_unstable();
        Self { calls: times.len() as f64, median: times[times.len() / 2].as_secs_f64() * 1e6 }
    }

    pub(crate) fn a_second(self) -> f64 {
        self.calls / TIME.as_secs_f64()
    }
}

async fn again_and_again<F: Future<Output = ()>>(call: impl Fn() -> F, end: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        call().await;
        times.push(start.elapsed());
    }
    times
}

/// Returns the runtime of the whole run, which owns the connections.
pub(crate) fn runtime() -> &'static Runtime {
    static RUNTIME: LazyLock<Runtime> =
        LazyLock::new(|| Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap());
    &RUNTIME
}
