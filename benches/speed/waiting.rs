//! Measures 100 000 tasks that wait: the share of the rate that they reach, their order, and their
//! processor time.
//!
//! The runtime has one thread and runs tasks in the order in which they are woken, so every
//! inversion is the limiter's. The processor time is that of the whole process, from the first
//! spawn to the last grant.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use cpu_time::ProcessTime;
use openlimit::{Cost, Rate, RateLimiter};
use tokio::runtime::{Builder, Runtime};

use openlimit_benches::Line;

const TASKS: usize = 100_000;
/// The number of tasks at either end that count neither for the order nor for the rate. At the
/// start, a task that was just woken may run after a later one that was admitted without a wait. At
/// the end, the last task frees the queue's storage, which takes the allocator about 10 ms.
const EDGE: usize = 1_000;
const PER_SECOND: u32 = 50_000;
const BURST: u32 = 500;
/// The longest drain. Ten times the ideal.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn all() -> Vec<Line> {
    let bare = Drain::of(bare_sleep);
    let ours = Drain::of(openlimit());
    let others = [("leaky-bucket", Drain::of(leaky_bucket())), ("governor", Drain::of(governor()))];
    let mut lines = vec![
        Line::remark("drain: nanoseconds of processor time of a bare sleep", bare.price()),
        Line::remark("drain: share of the rate, bare sleep", bare.share()),
        Line::remark("drain: nanoseconds of processor time of a grant", ours.price()),
        Line::at_least("drain: share of the rate", ours.share(), 0.999),
        Line::at_most("drain: order inversions", ours.inversions as f64, 0.0),
        Line::at_most("drain: processor time of a grant / bare sleep's", ours.price() / bare.price(), 1.2),
    ];
    lines.extend(others.iter().flat_map(|(name, other)| {
        [
            Line::remark(format!("drain: share of the rate, {name}"), other.share()),
            Line::remark(format!("drain: order inversions, {name}"), other.inversions as f64),
            Line::remark(
                format!("drain: processor time of a grant / {name}'s"),
                ours.price() / other.price(),
            ),
        ]
    }));
    lines.push(Line::at_most("idle: ms of processor time a second", idle(), 1.0));
    lines
}

/// The result of a drain.
struct Drain {
    took: Duration,
    spent: Duration,
    granted: usize,
    /// The number of neighbours in the order of arrival that were granted in the opposite order.
    inversions: usize,
}

impl Drain {
    fn of<F: Future<Output = ()> + Send + 'static>(wait: impl Fn(usize) -> F) -> Self {
        runtime().block_on(async {
            let places: Arc<[AtomicUsize]> = (0..TASKS).map(|_| AtomicUsize::new(usize::MAX)).collect();
            let count = Arc::new(Count::default());
            let spent = ProcessTime::now();
            for task in 0..TASKS {
                let (wait, places, count) = (wait(task), Arc::clone(&places), Arc::clone(&count));
                tokio::spawn(async move {
                    wait.await;
                    places[task].store(count.grant(), Ordering::Relaxed);
                });
            }
            let start = Instant::now();
            while count.granted.load(Ordering::Relaxed) < TASKS && start.elapsed() < PATIENCE {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            let spent = spent.elapsed();
            let (first, last) = (count.first.get().copied(), count.last.get().copied());
            let places: Vec<usize> = places.iter().map(|place| place.load(Ordering::Relaxed)).collect();
            Self {
                took: last.unwrap_or_else(Instant::now) - first.unwrap_or(start),
                spent,
                granted: count.granted.load(Ordering::Relaxed),
                inversions: places[EDGE..TASKS - EDGE].windows(2).filter(|pair| pair[0] > pair[1]).count(),
            }
        })
    }

    /// Returns the share of what the limit allows in that time.
    fn share(&self) -> f64 {
        let counted = self.granted.min(TASKS - EDGE).saturating_sub(EDGE);
        counted as f64 / f64::from(PER_SECOND) / self.took.as_secs_f64()
    }

    /// Returns the processor time of a grant, in nanoseconds.
    fn price(&self) -> f64 {
        self.spent.as_nanos() as f64 / self.granted as f64
    }
}

/// Counts grants, and notes the times of the first and the last one that count.
#[derive(Default)]
struct Count {
    granted: AtomicUsize,
    first: OnceLock<Instant>,
    last: OnceLock<Instant>,
}

impl Count {
    /// Counts a grant, and returns its index.
    fn grant(&self) -> usize {
        let place = self.granted.fetch_add(1, Ordering::Relaxed);
        if place == EDGE {
            self.first.get_or_init(Instant::now);
        }
        if place == TASKS - EDGE {
            self.last.get_or_init(Instant::now);
        }
        place
    }
}

fn bare_sleep(task: usize) -> impl Future<Output = ()> {
    let behind = task.saturating_sub(BURST as usize) as f64 / f64::from(PER_SECOND);
    tokio::time::sleep(Duration::from_secs_f64(behind))
}

/// Limits requests and tokens, as in the other benchmarks. The burst includes what is kept back for
/// jitter.
fn openlimit() -> impl Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let jitter = Duration::from_millis(50);
    let limiter = RateLimiter::builder()
        .requests(Rate::per_second(PER_SECOND.into()))
        .tokens(Rate::per_second(1_000_000_000))
        .burst(Duration::from_secs(1) * BURST / PER_SECOND + jitter)
        .jitter(jitter)
        .build()
        .expect("a limiter");
    move |_| {
        let acquire = limiter.acquire(Cost::new().tokens(3));
        Box::pin(async move { drop(acquire.await.expect("an admission")) })
    }
}

fn leaky_bucket() -> impl Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let limiter = leaky_bucket::RateLimiter::builder()
        .max(BURST as usize)
        .initial(BURST as usize)
        .refill(PER_SECOND as usize / 1_000)
        .interval(Duration::from_millis(1))
        .build();
    let limiter = Arc::new(limiter);
    move |_| Box::pin(Arc::clone(&limiter).acquire_owned(1))
}

fn governor() -> impl Fn(usize) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    let amount = |amount| NonZeroU32::new(amount).expect("not zero");
    let quota = governor::Quota::per_second(amount(PER_SECOND)).allow_burst(amount(BURST));
    let limiter = Arc::new(governor::RateLimiter::direct(quota));
    move |_| {
        let limiter = Arc::clone(&limiter);
        Box::pin(async move { limiter.until_ready().await })
    }
}

/// Returns the milliseconds of processor time a second while all tasks wait behind one that is due
/// in an hour.
fn idle() -> f64 {
    let limiter = RateLimiter::builder().requests(Rate::per_hour(1)).build().expect("a limiter");
    runtime().block_on(async {
        for _ in 0..TASKS {
            let acquire = limiter.acquire(Cost::new());
            tokio::spawn(async move { drop(acquire.await) });
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (start, spent) = (Instant::now(), ProcessTime::now());
        tokio::time::sleep(Duration::from_secs(5)).await;
        spent.elapsed().as_secs_f64() * 1e3 / start.elapsed().as_secs_f64()
    })
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().expect("a runtime")
}
