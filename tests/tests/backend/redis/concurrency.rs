//! `concurrency` of shared limits: each process counts its own calls in flight, and asks Redis for
//! no more calls than may depart.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use openlimit::{AcquireError, Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

fn limiter(server: &RedisServer, rate: Rate, concurrency: u32) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").tokens(rate).redis(server.url());
    builder.concurrency(concurrency).build().unwrap()
}

#[test]
fn calls_that_wait_for_one_in_flight_take_nothing_from_the_others() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server, SLOW, 2), limiter(&server, SLOW, 2));
    let take = |limiter: &RateLimiter, tokens| limiter.acquire(tokens).timeout(secs(20)).blocking();
    let first = take(&one, 5).unwrap();
    let second = take(&one, 5).unwrap();
    let waiting: Vec<_> = (0..4).map(|_| Call::start(one.acquire(20))).collect();
    // Longer than a call would be requested ahead.
    thread::sleep(millis(300));
    let large = take(&other, 80).unwrap();
    large.cancel();
    // The refund has reached the server before the next calls are requested.
    other.flush(secs(20)).blocking().unwrap();
    assert!(waiting.iter().all(|call| call.wakes() == 0));
    assert_eq!(one.status().unwrap().in_flight.unwrap().calls, 2);
    drop((first, second));
    eventually("two of them to depart", || waiting.iter().filter(|call| call.wakes() > 0).count() == 2);
    let mut waiting = waiting.into_iter();
    let both: Vec<_> = waiting.by_ref().take(2).map(Call::admitted).collect();
    thread::sleep(millis(100));
    assert!(waiting.all(|mut call| !call.poll()));
    drop(both);
}

#[test]
fn a_timeout_ends_while_as_many_are_in_flight_as_may_be() {
    let server = RedisServer::start();
    let limiter = limiter(&server, SLOW, 1);
    let permit = limiter.acquire(1).timeout(secs(20)).blocking().unwrap();
    let refused = limiter.acquire(1).timeout(millis(50)).blocking().unwrap_err();
    assert!(matches!(refused, AcquireError::TooManyInFlight { calls: 1, most: 1, .. }), "{refused}");
    assert!(matches!(limiter.try_acquire(1), Err(AcquireError::TooManyInFlight { .. })));
    permit.cancel();
    limiter.acquire(1).timeout(secs(20)).blocking().unwrap().settle(1);
}

#[test]
fn many_threads_share_few_places() {
    let server = RedisServer::start();
    let limiter = limiter(&server, Rate::per_second(1_000_000), 3);
    let (running, most) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..50_u64 {
                    let permit = limiter.acquire(1).timeout(secs(20)).blocking().unwrap();
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    running.fetch_sub(1, Ordering::SeqCst);
                    if round % 2 == 0 { permit.cancel() } else { drop(permit) }
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert_eq!(limiter.status().unwrap().in_flight.unwrap().calls, 0);
}
