//! Measures one call that does not wait: granted, refused, and awaited.
//!
//! Results are passed to `black_box` by reference, since copying a fresh value takes as long as
//! reading the clock.

use std::future::Future;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use governor::{DefaultDirectRateLimiter, Quota};
use openlimit::{Cost, Rate, RateLimiter, limiter};

use openlimit_benches::Line;

use crate::bare::Bare;
use crate::rounds::Rounds;

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

/// The tokens of every call.
const TOKENS: u32 = 3;

/// Returns the ratios of single calls. The aims are those of the project.
pub(crate) fn all(rounds: usize) -> Vec<Line> {
    let built = RateLimiter::builder().requests(Rate::per_second(1_000_000_000));
    let built = built.tokens(Rate::per_second(1_000_000_000_000)).build().expect("valid rates");
    warm_up(&built);
    let mut lines = granted(rounds, &built);
    lines.extend(awaited(rounds, &built));
    lines.extend(by_two_threads(rounds));
    lines.extend(refused(rounds));
    lines
}

/// Runs until the faster clock is in use and `SHUT` has nothing left.
fn warm_up(built: &RateLimiter) {
    for _ in 0..200_000 {
        drop(black_box(WIDE.try_acquire(Cost::new())));
        drop(black_box(built.try_acquire(Cost::new())));
    }
    thread::sleep(Duration::from_millis(500));
    while SHUT.try_acquire(Cost::new()).is_ok() {}
}

fn granted(rounds: usize, built: &RateLimiter) -> Vec<Line> {
    let (bare, governors, leaky) = (Bare::wide(), Governors::wide(), Leaky::wide());
    let times = Rounds::default()
        .one("clock", || _ = black_box(Floor::clock()))
        .one("floor", Floor::step)
        .one("lock", Floor::lock)
        .one("bare", || bare.try_acquire(black_box(u64::from(TOKENS))))
        .one("declared", || _ = black_box(&WIDE.try_acquire(cost())))
        .one("built", || _ = black_box(&built.try_acquire(cost())))
        .one("governors", || governors.check())
        .one("leaky-buckets", || leaky.try_acquire())
        .run(rounds);
    vec![
        Line::remark("granted: nanoseconds of the clock", times.of("clock")),
        Line::remark("granted: nanoseconds of the floor", times.of("floor")),
        Line::remark("granted: nanoseconds of the clock and a lock", times.of("lock")),
        Line::remark("granted: nanoseconds of a bare limiter", times.of("bare")),
        Line::remark("granted: nanoseconds of two governors", times.of("governors")),
        Line::remark("granted, declared: nanoseconds", times.of("declared")),
        Line::at_most("granted, declared / two governors", times.ratio("declared", "governors"), 0.7),
        Line::at_most("granted, built / two governors", times.ratio("built", "governors"), 0.7),
        Line::remark("granted: a bare limiter / two governors", times.ratio("bare", "governors")),
        Line::remark("granted, declared / a bare limiter", times.ratio("declared", "bare")),
        Line::remark("granted, declared / the floor", times.ratio("declared", "floor")),
        Line::remark("granted, declared / the clock and a lock", times.ratio("declared", "lock")),
        Line::remark("granted, declared / two leaky-buckets", times.ratio("declared", "leaky-buckets")),
    ]
}

fn awaited(rounds: usize, built: &RateLimiter) -> Vec<Line> {
    let (governors, leaky) = (Governors::wide(), Leaky::wide());
    let times = Rounds::default()
        .one("declared", || at_once(async { _ = black_box(&WIDE.acquire(cost()).await) }))
        .one("built", || at_once(async { _ = black_box(&built.acquire(cost()).await) }))
        .one("blocking", || _ = black_box(&WIDE.acquire(cost()).blocking()))
        .one("governors", || at_once(governors.ready()))
        .one("leaky-buckets", || at_once(leaky.acquire()))
        .run(rounds);
    vec![
        Line::at_most("awaited, declared / two governors", times.ratio("declared", "governors"), 0.7),
        Line::remark("awaited, built / two governors", times.ratio("built", "governors")),
        Line::remark("blocking, declared / two governors, awaited", times.ratio("blocking", "governors")),
        Line::remark("awaited, declared / two leaky-buckets", times.ratio("declared", "leaky-buckets")),
    ]
}

fn by_two_threads(rounds: usize) -> Vec<Line> {
    let (governors, leaky) = (Governors::wide(), Leaky::wide());
    let times = Rounds::default()
        .two("floor", Floor::step)
        .two("declared", || _ = black_box(&WIDE.try_acquire(cost())))
        .two("governors", || governors.check())
        .two("leaky-buckets", || leaky.try_acquire())
        .run(rounds);
    vec![
        Line::remark("two threads: nanoseconds of two governors", times.of("governors")),
        Line::remark("two threads: declared / floor", times.ratio("declared", "floor")),
        Line::at_most("two threads: declared / two governors", times.ratio("declared", "governors"), 1.0),
        Line::remark("two threads: declared / two leaky-buckets", times.ratio("declared", "leaky-buckets")),
    ]
}

fn refused(rounds: usize) -> Vec<Line> {
    let (governors, leaky) = (Governors::shut(), Leaky::shut());
    let times = Rounds::default()
        .one("clock", || _ = black_box(Floor::clock()))
        .one("declared", || _ = black_box(&SHUT.try_acquire(cost())))
        .one("governors", || governors.check())
        .one("leaky-buckets", || leaky.try_acquire())
        .run(rounds);
    vec![
        Line::remark("refused: declared / clock", times.ratio("declared", "clock")),
        Line::remark("refused: declared / two governors", times.ratio("declared", "governors")),
        Line::remark("refused: declared / two leaky-buckets", times.ratio("declared", "leaky-buckets")),
    ]
}

#[inline]
pub(crate) fn cost() -> Cost {
    Cost::new().tokens(black_box(u64::from(TOKENS)))
}

/// Polls a future once. It must be ready.
#[inline]
pub(crate) fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a call waits although there is room for it"),
    }
}

/// The minimum work of an exact limiter: read the clock, and change one word, or a few under a
/// lock.
pub(crate) struct Floor;

impl Floor {
    #[inline]
    pub(crate) fn clock() -> u64 {
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

    #[inline]
    fn lock() {
        static WORD: parking_lot::Mutex<u64> = parking_lot::Mutex::new(0);
        let now = Self::clock();
        *WORD.lock() = now;
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
