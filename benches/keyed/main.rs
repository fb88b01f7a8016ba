//! Measures a limiter for each key beside two keyed limiters of governor: a call that is admitted,
//! over few and many keys, and the bytes that a key takes.
//!
//! `cargo bench -p openlimit-benches --bench keyed` runs everything in one process and ends with a
//! table of ratios. With `-- calls`, `new` or `bytes`, it runs that part alone. BENCHMARKS.md has
//! the table, and explains it.

#[path = "../speed/rounds.rs"]
mod rounds;

use std::cell::Cell;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use allocation_counter::measure;
use governor::{DefaultKeyedRateLimiter, Quota};
use openlimit::{Cost, Keyed, Rate, RateLimiter};
use openlimit_benches::{Line, runs};

use self::rounds::Rounds;

/// The tokens of every call.
const TOKENS: u32 = 3;

fn main() {
    // Without `--bench` this is `cargo test`, which only checks that everything runs.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (rounds, many) = if is_bench { (usize::MAX, 1_000_000) } else { (1, 1_000) };
    let mut lines = Vec::new();
    for keys in [1, 1_000, many] {
        if runs("calls") {
            lines.extend(speed(rounds, keys));
        }
    }
    if runs("new") {
        lines.extend(new_keys(many));
    }
    if runs("bytes") {
        lines.push(bytes(many / 10));
    }
    if is_bench {
        openlimit_benches::print(lines.into_iter());
    }
}

fn tenants(keys: usize) -> Keyed<u64, RateLimiter> {
    let builder = RateLimiter::builder().requests(Rate::per_second(1_000_000_000));
    let builder = builder.tokens(Rate::per_second(1_000_000_000_000)).keyed::<u64>();
    builder.max_keys(keys.max(1_000)).build().expect("valid rates")
}

/// Compares calls that are admitted, each of a random key out of so many.
fn speed(rounds: usize, keys: u64) -> Vec<Line> {
    let (tenants, governors) = (tenants(keys as usize), Governors::new());
    // Kept, so that no key is forgotten.
    let handles: Vec<_> = (0..keys).map(|key| tenants.of(&key)).collect();
    for key in 0..keys {
        governors.check(key);
    }
    for _ in 0..200_000 {
        drop(black_box(tenants.of(&0).try_acquire(Cost::new())));
    }
    std::thread::sleep(Duration::from_millis(500));
    let random = Random::new();
    let times = Rounds::default()
        .one("openlimit", || _ = black_box(&tenants.of(&random.key(keys)).try_acquire(cost())))
        .one("governors", || governors.check(random.key(keys)))
        .one("of", || _ = black_box(&tenants.of(&random.key(keys))))
        .run(rounds);
    let shared = Rounds::default()
        .two("openlimit", || _ = black_box(&tenants.of(&thread_key(keys)).try_acquire(cost())))
        .two("governors", || governors.check(thread_key(keys)))
        .run(rounds);
    drop(handles);
    vec![
        Line::remark(format!("{keys} keys: nanoseconds"), times.of("openlimit")),
        Line::remark(format!("{keys} keys: nanoseconds of `of` alone"), times.of("of")),
        Line::remark(format!("{keys} keys: nanoseconds of two keyed governors"), times.of("governors")),
        Line::at_most(
            format!("{keys} keys: openlimit / two keyed governors"),
            times.ratio("openlimit", "governors"),
            1.0,
        ),
        Line::at_most(
            format!("{keys} keys, two threads: openlimit / two keyed governors"),
            shared.ratio("openlimit", "governors"),
            1.0,
        ),
    ]
}

/// Returns a random key, out of the sequence of this thread.
#[inline]
fn thread_key(keys: u64) -> u64 {
    thread_local! {
        static RANDOM: Random = const { Random::new() };
    }
    RANDOM.with(|random| random.key(keys))
}

/// Compares calls of keys that are new. The slowest one includes growing a shard.
fn new_keys(keys: u64) -> Vec<Line> {
    let (tenants, governors) = (tenants(keys as usize), Governors::new());
    let time = |call: &dyn Fn(u64)| {
        let (start, mut slowest) = (Instant::now(), Duration::ZERO);
        for key in 0..keys {
            let start = Instant::now();
            call(key);
            slowest = slowest.max(start.elapsed());
        }
        (start.elapsed().as_nanos() as f64 / keys as f64, slowest.as_nanos() as f64 / 1e3)
    };
    let ours = time(&|key| _ = black_box(&tenants.of(&key).try_acquire(cost())));
    let theirs = time(&|key| governors.check(key));
    vec![
        Line::remark("a new key: nanoseconds", ours.0),
        Line::remark("a new key: nanoseconds of two keyed governors", theirs.0),
        Line::remark("a new key: microseconds of the slowest of all", ours.1),
        Line::remark("a new key: microseconds of the slowest, two keyed governors", theirs.1),
    ]
}

/// Returns the bytes that each of so many keys takes, after a call.
fn bytes(keys: u64) -> Line {
    let tenants = tenants(keys as usize);
    let info = measure(|| {
        for key in 0..keys {
            // In debt, so that it is not forgotten.
            tenants.of(&key).try_acquire(cost()).expect("there is room").settle(u64::MAX >> 1);
        }
    });
    assert_eq!(tenants.len() as u64, keys);
    Line::at_most("bytes of a key with two limits", info.bytes_current as f64 / keys as f64, 400.0)
}

#[inline]
fn cost() -> Cost {
    Cost::new().tokens(black_box(u64::from(TOKENS)))
}

/// Keys in a random order, by xorshift.
struct Random(Cell<u64>);

impl Random {
    const fn new() -> Self {
        Self(Cell::new(0x9e37_79b9_7f4a_7c15))
    }

    #[inline]
    fn key(&self, keys: u64) -> u64 {
        let mut state = self.0.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.0.set(state);
        ((u128::from(state) * u128::from(keys)) >> 64) as u64
    }
}

/// Two keyed limiters of governor in a row: requests, then tokens.
struct Governors {
    requests: DefaultKeyedRateLimiter<u64>,
    tokens: DefaultKeyedRateLimiter<u64>,
    cost: NonZeroU32,
}

impl Governors {
    fn new() -> Self {
        let quota = || Quota::per_second(NonZeroU32::new(1_000_000_000).expect("not zero"));
        Self {
            requests: governor::RateLimiter::keyed(quota()),
            tokens: governor::RateLimiter::keyed(quota()),
            cost: NonZeroU32::new(TOKENS).expect("not zero"),
        }
    }

    #[inline]
    fn check(&self, key: u64) {
        if black_box(&self.requests.check_key(black_box(&key))).is_ok() {
            _ = black_box(&self.tokens.check_key_n(&key, black_box(self.cost)));
        }
    }
}
