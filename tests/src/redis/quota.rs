//! A shared quota that hardly refills, so that the rest shows exactly what was taken.

use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use openlimit::{Cost, Percent, Permit, Rate, RateLimiter, Redis};
use tokio::runtime::Builder;

/// The number of calls in a day. One more becomes free every three minutes.
const CALLS: u64 = 500;

/// The longest time until a refund arrives.
const PATIENCE: Duration = Duration::from_secs(20);

/// Creates a client of the quota.
///
/// # Panics
/// If it cannot be built.
#[must_use]
pub fn client(redis: &Redis) -> RateLimiter {
    let builder = RateLimiter::builder().name("quota").requests(Rate::per_day(CALLS)).headroom(Percent(0));
    builder.redis(redis.clone()).build().expect("a limiter that can be built")
}

/// Makes this many calls at once, in a runtime that ends with them.
///
/// # Panics
/// If a call fails.
#[track_caller]
pub fn take(client: &RateLimiter, calls: usize) -> Vec<Permit> {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let calls = (0..calls).map(|_| client.acquire(Cost::new()));
    let permits: Result<_, _> = runtime.block_on(join_all(calls)).into_iter().collect();
    permits.expect("no caller sees an error")
}

/// Asserts that exactly this many calls of the quota are taken: the others are available, and no
/// more. Takes them.
///
/// # Panics
/// If more or fewer are taken.
#[track_caller]
pub fn assert_taken(redis: &Redis, taken: u64) {
    let client = client(redis);
    let call =
        |requests| client.acquire(Cost::new().requests(requests)).timeout(Duration::from_secs(2)).blocking();
    let deadline = Instant::now() + PATIENCE;
    // A call whose timeout is too short takes nothing.
    while let Err(error) = call(CALLS - taken) {
        assert!(Instant::now() < deadline, "more than {taken} calls are taken: {error}");
        thread::sleep(Duration::from_millis(50));
    }
    assert!(call(1).is_err(), "fewer than {taken} calls were taken");
}
