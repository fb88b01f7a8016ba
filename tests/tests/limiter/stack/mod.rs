//! Calls of several limiters: all of them admit a call together, or none does.

mod adaptive;
mod ahead;
mod estimates;
mod first_free;
mod long_waits;
mod model;
mod permits;
mod reserve;
mod threads;
mod waiting;
mod wakers;

use openlimit::testing::ManualClock;
use openlimit::{Rate, RateLimiter};
use openlimit_tests::plain;

/// A limiter of some tokens a second.
fn tokens(clock: &ManualClock, name: &str, amount: u64) -> RateLimiter {
    plain(clock).name(name).tokens(Rate::per_second(amount)).build().expect("valid rates")
}

/// Returns how many tokens are left of each limiter.
fn left<const N: usize>(limiters: [&RateLimiter; N]) -> [u64; N] {
    limiters.map(|limiter| limiter.status().expect("it is built").limits[0].available)
}
