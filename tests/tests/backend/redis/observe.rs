//! Responses: what a provider says is left reaches all processes, and is charged once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::secs;

/// A limiter that shares a thousand requests a day.
fn limiter(server: &RedisServer) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_day(1_000));
    builder.redis(server.url()).build().unwrap()
}

fn left(remaining: u64) -> Observation {
    let headers = [
        ("x-ratelimit-limit-requests", "1000".to_owned()),
        ("x-ratelimit-remaining-requests", remaining.to_string()),
    ];
    Observation::from_parts(200, headers, b"")
}

/// Returns what is available by the server's next reply.
fn available(limiter: &RateLimiter) -> u64 {
    limiter.flush(secs(20)).blocking().unwrap();
    limiter.status().unwrap().limits[0].available
}

#[test]
fn many_responses_at_a_time_are_charged_once_and_reach_other_processes() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server), limiter(&server));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    for _ in 0..500 {
        one.observe(&left(900)).unwrap();
        // Some of them come while a batch is in flight.
        thread::sleep(Duration::from_micros(50));
    }
    for limiter in [&one, &other] {
        let available = available(limiter);
        assert!((890..=900).contains(&available), "{available} are available");
    }
}

#[test]
fn before_the_first_reply_a_response_is_ignored() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server), limiter(&server));
    drop(one.acquire(Cost::new().requests(400)).blocking().unwrap());
    // It does not know yet that those 400 are missing.
    other.observe(&left(600)).unwrap();
    let available = available(&other);
    assert!((590..=601).contains(&available), "{available} are available");
}
