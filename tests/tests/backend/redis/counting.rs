//! Limits that the provider counts in windows, shared by two clients. The tests in `openlimit`
//! check every window to the nanosecond; this one runs all parts together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Instant;

use openlimit::{Cost, Counting, Rate, RateLimiter};
use openlimit_tests::millis;
use openlimit_tests::redis::RedisServer;

#[test]
fn two_clients_together_spread_their_calls_over_the_window() {
    let server = RedisServer::start();
    let client = || {
        let limiter = RateLimiter::builder().name("chat").redis(server.url()).requests(Rate::per_second(20));
        limiter.counting(Counting::InWindows).build().unwrap()
    };
    let clients = [client(), client()];
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for limiter in &clients {
            scope.spawn(move || {
                (0..20).for_each(|_| drop(limiter.acquire(Cost::new()).blocking().unwrap()));
            });
        }
    });
    // Every call but the first leaves 52.5 ms after the one before it, at the earliest: the period
    // and the jitter of 50 ms, divided by 20. A bucket that refills would allow half of them at
    // once.
    assert!(begin.elapsed() >= 39 * millis(52), "{:?}", begin.elapsed());
}
