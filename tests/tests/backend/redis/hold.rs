//! Holds of shared limits: they stop the calls of all processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Instant;

use openlimit::{AcquireError, Cost, Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, millis, secs};

/// Two limiters that share a rate, and have used it.
fn pair() -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let rate = Rate::per_second(1_000);
    let limiter = || RateLimiter::builder().name("chat").requests(rate).redis(server.url()).build().unwrap();
    let (one, other) = (limiter(), limiter());
    for limiter in [&one, &other] {
        drop(limiter.acquire(Cost::new()).blocking().unwrap());
    }
    (server, one, other)
}

/// Holds the calls of a limiter, and waits until the other one knows.
fn hold(one: &RateLimiter, other: &RateLimiter, time: std::time::Duration) {
    one.hold(time, "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("the other learns of it", || {
        let _ = other.flush(secs(20)).blocking();
        other.status().unwrap().hold.is_some()
    });
}

#[test]
fn a_hold_of_one_process_stops_the_calls_of_another() {
    let (_server, one, other) = pair();
    let start = Instant::now();
    hold(&one, &other, secs(2));
    let refusal = other.acquire(Cost::new()).timeout(millis(10)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
    assert!(refusal.to_string().contains("another process that shares the limits holds its calls"));
    for limiter in [&other, &one] {
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
        // The limiter's clock may be a little behind.
        let waited = start.elapsed();
        assert!(waited >= secs(2) - millis(5), "a call was admitted after {waited:?}");
    }
    assert_eq!((one.status().unwrap().hold, other.status().unwrap().hold), (None, None));
}

#[test]
fn a_hold_before_the_first_reply_reaches_another_process() {
    let (server, _, other) = pair();
    let first = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(server.url());
    let first = first.build().unwrap();
    first.hold(secs(300), "429").unwrap();
    eventually("the other learns of it", || {
        let _ = first.flush(secs(20)).blocking();
        let _ = other.flush(secs(20)).blocking();
        other.status().unwrap().hold.is_some()
    });
}

#[test]
fn a_hold_that_one_process_ends_ends_for_another() {
    let (_server, one, other) = pair();
    hold(&one, &other, secs(300));
    other.release().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    drop(other.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    // This one learns of it with its next reply.
    one.flush(secs(20)).blocking().unwrap();
    drop(one.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
}

#[test]
fn a_hold_of_another_process_has_no_reason_of_this_one() {
    let (_server, one, other) = pair();
    one.hold(millis(1), "an earlier refusal").unwrap();
    std::thread::sleep(millis(1_200));
    hold(&other, &one, secs(300));
    let status = one.status().unwrap();
    let reason = status.hold.unwrap().reason;
    assert_eq!(&*reason, "another process that shares the limits holds its calls");
    // Nothing is available meanwhile.
    assert_eq!(status.limits[0].available, 0);
    assert!(status.limits[0].full_in > secs(200), "{}", status.limits[0]);
}

#[test]
fn calls_that_were_granted_ahead_stop_too() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(20)).redis(server.url());
    let limiter = limiter.build().unwrap();
    // Uses up the burst, so that later calls are granted ahead.
    for _ in 0..19 {
        drop(limiter.acquire(Cost::new()).blocking().unwrap());
    }
    std::thread::scope(|scope| {
        let call = || {
            let arrived = Instant::now();
            let permit = limiter.acquire(Cost::new()).blocking().unwrap();
            // The first is no later than the admission, and the second no earlier.
            (arrived + permit.waited(), Instant::now())
        };
        let waiting: Vec<_> = (0..10).map(|_| scope.spawn(call)).collect();
        eventually("the calls wait", || limiter.status().unwrap().waiting >= 5);
        let start = Instant::now();
        limiter.hold(secs(2), "429").unwrap();
        let begun = Instant::now();
        let calls: Vec<_> = waiting.into_iter().map(|call| call.join().unwrap()).collect();
        // The limiter's clock may be a little behind.
        let end = start + secs(2) - millis(5);
        for (earliest, latest) in &calls {
            assert!(*earliest <= begun || *latest >= end, "a call departed during the hold");
        }
        assert!(calls.iter().any(|(_, latest)| *latest >= end));
    });
}
