//! Responses, and limits that are shared: what the provider says reaches the shared buckets.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Instant;

use openlimit::feedback::Observation;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, secs};

fn limiter(server: &RedisServer, rate: Rate) -> RateLimiter {
    RateLimiter::builder().name("chat").requests(rate).redis(server.url()).build().unwrap()
}

fn said(of: u64, left: u64, reset: &str) -> Observation {
    let headers = [
        ("x-ratelimit-limit-requests", of.to_string()),
        ("x-ratelimit-remaining-requests", left.to_string()),
        ("x-ratelimit-reset-requests", reset.to_owned()),
    ];
    Observation::from_parts(200, headers, b"")
}

#[test]
fn what_is_left_by_a_response_holds_for_the_other_processes_too() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server, Rate::per_hour(1_000)), limiter(&server, Rate::per_hour(1_000)));
    for limiter in [&one, &other] {
        drop(limiter.acquire(Cost::new()).blocking().unwrap());
    }
    one.observe(&said(1_000, 40, "58m")).unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("the other learns of it", || {
        other.flush(secs(20)).blocking().unwrap();
        other.status().unwrap().limits[0].available <= 41
    });
    let refusal = other.acquire(Cost::new().requests(50)).timeout(secs(1)).blocking();
    assert!(refusal.is_err(), "50 of 40 were admitted");
}

#[test]
fn a_lower_limit_of_the_provider_slows_the_rate_down() {
    let server = RedisServer::start();
    let limiter = limiter(&server, Rate::per_second(1_000));
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    limiter.observe(&said(250, 250, "0s")).unwrap();
    let start = Instant::now();
    for taken in 1..=600_u32 {
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
        let most = 251.0 + 250.0 * start.elapsed().as_secs_f64();
        assert!(f64::from(taken) <= most, "{taken} of {most} were admitted");
    }
}
