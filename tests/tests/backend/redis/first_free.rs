//! `first_free` among shared limiters: what the others were granted is given back to all processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::{AcquireError, Permit, Rate, RateLimiter, first_free};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::secs;

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

fn limiter(server: &RedisServer, name: &str) -> RateLimiter {
    RateLimiter::builder().name(name).tokens(SLOW).redis(server.url()).build().unwrap()
}

fn take(limiter: &RateLimiter, tokens: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(tokens).timeout(secs(20)).blocking()
}

#[test]
fn one_that_has_room_is_taken_and_the_others_are_charged_nowhere() {
    let server = RedisServer::start();
    let (large, small) = (limiter(&server, "large"), limiter(&server, "small"));
    drop(take(&large, 90).unwrap());
    let (index, permit) = first_free([large.acquire(20), small.acquire(20)]).blocking().unwrap();
    assert_eq!((index, permit.limiter().as_ref()), (1, "small"));
    for shared in [&large, &small] {
        assert_eq!(shared.status().unwrap().waiting, 0);
        shared.flush(secs(20)).blocking().unwrap();
    }
    // What another process finds. Twenty more would have to wait for longer than its timeout.
    drop(take(&limiter(&server, "large"), 9).unwrap());
    drop(take(&limiter(&server, "small"), 75).unwrap());
    drop(permit);
}

#[test]
fn of_two_that_have_room_one_is_charged() {
    let server = RedisServer::start();
    let names = ["large", "small"];
    let both = names.map(|name| limiter(&server, name));
    let (index, permit) = first_free(both.each_ref().map(|shared| shared.acquire(40))).blocking().unwrap();
    assert_eq!(permit.limiter().as_ref(), names[index]);
    both.iter().for_each(|shared| shared.flush(secs(20)).blocking().unwrap());
    drop(take(&limiter(&server, names[index]), 55).unwrap());
    drop(take(&limiter(&server, names[1 - index]), 95).unwrap());
    drop(permit);
}
