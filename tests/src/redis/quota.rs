//! A shared quota that hardly refills, so that what is left of it tells exactly what was taken.

use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use openlimit::{Cost, Percent, Permit, Rate, RateLimiter, Redis};
use tokio::runtime::Builder;

/// How many calls a day has. One more comes back in about three minutes.
const CALLS: u64 = 500;

/// How long what was given back may be on its way.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client of the quota.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn client(redis: &Redis) -> RateLimiter {
    let builder = RateLimiter::builder().name("quota").requests(Rate::per_day(CALLS)).headroom(Percent(0));
    builder.redis(redis.clone()).build().expect("a limiter that can be built")
}

/// So many calls at once, in a runtime of their own that ends with them.
///
/// # Panics
/// If any meets an error.
#[track_caller]
pub fn take(client: &RateLimiter, calls: usize) -> Vec<Permit> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let calls = (0..calls).map(|_| client.acquire(Cost::new()));
    let permits: Result<_, _> = runtime.block_on(join_all(calls)).into_iter().collect();
    permits.expect("no error is to reach a caller")
}

/// Asserts that exactly so many calls of the quota are taken: the others can be had, and not one more. They are taken then.
///
/// # Panics
/// If it is more, or less.
#[track_caller]
pub fn assert_taken(redis: &Redis, taken: u64) {
    let client = client(redis);
    let call =
        |requests| client.acquire(Cost::new().requests(requests)).timeout(Duration::from_secs(2)).blocking();
    let deadline = Instant::now() + PATIENCE;
    // Nothing is debited by a call that would have to wait for longer than it may.
    while let Err(error) = call(CALLS - taken) {
        assert!(Instant::now() < deadline, "more than {taken} are taken: {error}");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(call(1).is_err(), "less than {taken} were taken");
}
