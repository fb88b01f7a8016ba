//! Measures one call that does not wait: granted, refused, and awaited.
//!
//! Each group measures its own floor, and all groups run in several rounds, so that compared cases
//! run under the same conditions: other work may slow the machine down for many seconds. Results
//! are passed to `black_box` by reference, since copying a fresh value takes as long as reading the
//! clock.

use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use criterion::{BenchmarkGroup, Criterion, measurement::WallTime};
use governor::{DefaultDirectRateLimiter, Quota};
use openlimit::{Cost, RateLimiter, limiter};

use crate::table;

limiter! {
    static WIDE: RateLimiter = {
        requests: 1_000_000_000 / second,
        tokens: 1_000_000_000_000 / second,
    };
    static SHUT: RateLimiter = {
        requests: 100 / day,
        tokens: 1_000_000_000_000 / second,
    };
}

type Group<'a> = BenchmarkGroup<'a, WallTime>;

/// The tokens of every call.
const TOKENS: u32 = 3;

pub(crate) fn all(criterion: &mut Criterion) {
    warm_up();
    type Cases = fn(Group<'_>);
    let groups: [(&str, Cases); 4] =
        [("granted", granted), (table::TWO, by_two_threads), ("refused", refused), ("ready", ready)];
    for round in 0..table::ROUNDS {
        for (name, cases) in groups {
            cases(criterion.benchmark_group(table::group(name, round)));
        }
    }
}

/// Runs until the faster clock is in use and `SHUT` has nothing left.
fn warm_up() {
    for _ in 0..200_000 {
        drop(black_box(WIDE.try_acquire(Cost::new())));
    }
    thread::sleep(Duration::from_millis(500));
    while SHUT.try_acquire(Cost::new()).is_ok() {}
}

fn granted(mut group: Group<'_>) {
    let (governors, leaky) = (Governors::wide(), Leaky::wide());
    one(&mut group, "clock", || _ = black_box(Floor::clock()));
    one(&mut group, "floor", Floor::step);
    one(&mut group, "openlimit", || _ = black_box(&WIDE.try_acquire(cost())));
    one(&mut group, "governor", || governors.check());
    one(&mut group, "leaky-bucket", || leaky.try_acquire());
    group.finish();
}

fn by_two_threads(mut group: Group<'_>) {
    let (governors, leaky) = (Governors::wide(), Leaky::wide());
    two(&mut group, "floor", Floor::step);
    two(&mut group, "openlimit", || _ = black_box(&WIDE.try_acquire(cost())));
    two(&mut group, "governor", || governors.check());
    two(&mut group, "leaky-bucket", || leaky.try_acquire());
    group.finish();
}

fn refused(mut group: Group<'_>) {
    let (governors, leaky) = (Governors::shut(), Leaky::shut());
    one(&mut group, "clock", || _ = black_box(Floor::clock()));
    one(&mut group, "openlimit", || _ = black_box(&SHUT.try_acquire(cost())));
    one(&mut group, "governor", || governors.check());
    one(&mut group, "leaky-bucket", || leaky.try_acquire());
    group.finish();
}

fn ready(mut group: Group<'_>) {
    let (governors, leaky) = (Governors::wide(), Leaky::wide());
    one(&mut group, "floor", Floor::step);
    one(&mut group, "openlimit", || at_once(async { _ = black_box(&WIDE.acquire(cost()).await) }));
    one(&mut group, "openlimit, blocking", || _ = black_box(&WIDE.acquire(cost()).blocking()));
    one(&mut group, "governor", || at_once(governors.ready()));
    one(&mut group, "leaky-bucket", || at_once(leaky.acquire()));
    group.finish();
}

fn one(group: &mut Group<'_>, name: &str, call: impl Fn()) {
    group.bench_function(name, |bencher| bencher.iter(&call));
}

/// Measures a call on each of two threads at once.
fn two(group: &mut Group<'_>, name: &str, call: impl Fn() + Sync) {
    let calls = |barrier: &Barrier, calls| {
        barrier.wait();
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed()
    };
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iterations| {
            let barrier = Barrier::new(2);
            thread::scope(|scope| {
                let other = scope.spawn(|| calls(&barrier, iterations));
                let own = calls(&barrier, iterations);
                (own + other.join().expect("it only counts")) / 2
            })
        });
    });
}

#[inline]
fn cost() -> Cost {
    Cost::new().tokens(black_box(u64::from(TOKENS)))
}

/// Polls a future once. It must be ready.
#[inline]
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call waits although there is room for it"),
    }
}

/// The minimum work of an exact limiter: read the clock, and change one word.
struct Floor;

impl Floor {
    #[inline]
    fn clock() -> u64 {
        static CLOCK: std::sync::LazyLock<quanta::Clock> = std::sync::LazyLock::new(quanta::Clock::new);
        CLOCK.raw()
    }

    #[inline]
    fn step() {
        static WORD: AtomicU64 = AtomicU64::new(0);
        let mut word = WORD.load(Ordering::Relaxed);
        let now = Self::clock();
        while let Err(changed) = WORD.compare_exchange_weak(word, now, Ordering::AcqRel, Ordering::Relaxed) {
            word = changed;
        }
    }
}

/// Two limiters of governor in a row: requests, then tokens.
struct Governors {
    requests: DefaultDirectRateLimiter,
    tokens: DefaultDirectRateLimiter,
    cost: NonZeroU32,
}

impl Governors {
    fn wide() -> Self {
        Self::new(Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero")))
    }

    fn shut() -> Self {
        let shut = Self::new(Quota::per_hour(NonZeroU32::MIN));
        while shut.requests.check().is_ok() {}
        shut
    }

    fn new(requests: Quota) -> Self {
        let tokens = Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero"));
        let cost = NonZeroU32::new(TOKENS).expect("not zero");
        Self {
            requests: governor::RateLimiter::direct(requests),
            tokens: governor::RateLimiter::direct(tokens),
            cost,
        }
    }

    #[inline]
    fn check(&self) {
        if black_box(&self.requests.check()).is_ok() {
            black_box(&self.tokens.check_n(black_box(self.cost)));
        }
    }

    #[inline]
    async fn ready(&self) {
        self.requests.until_ready().await;
        black_box(&self.tokens.until_n_ready(black_box(self.cost)).await);
    }
}

/// Two limiters of leaky-bucket in a row.
struct Leaky {
    requests: leaky_bucket::RateLimiter,
    tokens: leaky_bucket::RateLimiter,
}

impl Leaky {
    fn wide() -> Self {
        Self { requests: Self::limiter(1_000_000_000_000), tokens: Self::limiter(1_000_000_000_000) }
    }

    fn shut() -> Self {
        let requests = leaky_bucket::RateLimiter::builder()
            .max(1)
            .initial(0)
            .interval(Duration::from_secs(86_400))
            .build();
        Self { requests, tokens: Self::limiter(1_000_000_000_000) }
    }

    fn limiter(amount: usize) -> leaky_bucket::RateLimiter {
        leaky_bucket::RateLimiter::builder()
            .max(amount)
            .initial(amount)
            .refill(amount)
            .interval(Duration::from_millis(1))
            .build()
    }

    #[inline]
    fn try_acquire(&self) {
        if black_box(self.requests.try_acquire(1)) {
            black_box(self.tokens.try_acquire(black_box(TOKENS as usize)));
        }
    }

    #[inline]
    async fn acquire(&self) {
        self.requests.acquire_one().await;
        self.tokens.acquire(black_box(TOKENS as usize)).await;
    }
}
