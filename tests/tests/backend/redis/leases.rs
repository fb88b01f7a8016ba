//! Leases: a process takes a slice at a time, admits from it without a round trip, and gives back
//! what it does not use.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Percent, Permit, Rate, RateLimiter, Redis};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{at_once, millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

/// Worth fifty of them.
const SLICE: Duration = Duration::from_secs(100);

fn limiter(rate: Rate, redis: Redis) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").requests(rate).headroom(Percent(0));
    builder.redis(redis).build().unwrap()
}

fn take(limiter: &RateLimiter, requests: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().requests(requests)).timeout(secs(5)).blocking()
}

#[track_caller]
fn soon(limiter: &RateLimiter, requests: u64) {
    let deadline = Instant::now() + secs(10);
    while let Err(error) = take(limiter, requests) {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(millis(20));
    }
}

#[test]
fn without_a_lease_nothing_is_admitted_without_asking() {
    let server = RedisServer::start();
    let limiter = limiter(SLOW, Redis::new(server.url()));
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::WouldWait { .. })));
    drop(take(&limiter, 1).unwrap());
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::WouldWait { .. })));
}

#[test]
fn calls_are_admitted_from_a_lease_without_asking() {
    let server = RedisServer::start();
    let limiter = limiter(SLOW, Redis::new(server.url()).lease(SLICE));
    drop(take(&limiter, 1).unwrap());
    let scripts = || server.calls("evalsha") + server.calls("eval");
    let (before, start) = (scripts(), Instant::now());
    (0..50).for_each(|_| drop(limiter.try_acquire(Cost::new()).unwrap()));
    // It asks for news while calls depart, at most every 12.5 ms.
    let most = 1 + start.elapsed().as_millis() as u64 / 12;
    assert!(scripts() - before <= most, "{} scripts, more than {most}", scripts() - before);
    // The next call needs a round trip.
    drop(take(&limiter, 1).unwrap());
}

#[test]
fn a_call_that_would_not_wait_has_a_lease_asked_for_those_after_it() {
    let server = RedisServer::start();
    let limiter = limiter(SLOW, Redis::new(server.url()).lease(SLICE));
    let deadline = Instant::now() + secs(10);
    while let Err(error) = limiter.try_acquire(Cost::new()) {
        assert!(matches!(&error, AcquireError::WouldWait { wait, .. } if !wait.is_zero()), "{error}");
        assert!(Instant::now() < deadline);
        thread::sleep(millis(1));
    }
    assert_eq!(at_once(&limiter), 49);
}

#[test]
fn no_lease_is_asked_for_while_none_would_be_granted() {
    let server = RedisServer::start();
    // One request leaks in a quarter of an hour, so none is free during the test.
    let rate = Rate::per_day(100);
    drop(take(&limiter(rate, Redis::new(server.url())), 100).unwrap());
    let limiter = limiter(rate, Redis::new(server.url()).lease(Duration::from_secs(12 * 3_600)));
    let scripts = || server.calls("evalsha") + server.calls("eval");
    let (before, start) = (scripts(), Instant::now());
    for _ in 0..5_000 {
        assert!(limiter.try_acquire(Cost::new()).is_err());
        thread::sleep(Duration::from_micros(100));
    }
    // The level in a reply is believed for a look-ahead of at least 100 ms.
    let most = 10 + start.elapsed().as_millis() as u64 / 20;
    assert!(scripts() - before <= most, "{} scripts, more than {most}", scripts() - before);
}

#[test]
fn a_call_larger_than_a_lease_is_asked_for_by_itself() {
    let server = RedisServer::start();
    let limiter = limiter(SLOW, Redis::new(server.url()).lease(SLICE));
    drop(take(&limiter, 80).unwrap());
}

#[test]
fn nobody_waits_for_a_lease_who_would_not_wait_without_one() {
    let server = RedisServer::start();
    let (one, other) =
        (limiter(SLOW, Redis::new(server.url()).lease(SLICE)), limiter(SLOW, Redis::new(server.url())));
    drop(take(&other, 80).unwrap());
    // A lease of fifty would be there in a minute.
    for _ in 0..10 {
        drop(take(&one, 1).unwrap());
    }
    // A lease that would take so long is not taken either.
    drop(take(&other, 8).unwrap());
}

#[test]
fn what_is_cancelled_of_a_lease_is_given_back() {
    let server = RedisServer::start();
    let (one, other) =
        (limiter(SLOW, Redis::new(server.url()).lease(SLICE)), limiter(SLOW, Redis::new(server.url())));
    let permits: Vec<_> = (0..50).map(|_| take(&one, 1).unwrap()).collect();
    assert!(take(&other, 80).is_err());
    permits.into_iter().for_each(Permit::cancel);
    soon(&other, 80);
}

#[test]
fn a_limiter_that_is_dropped_gives_back_its_lease() {
    let server = RedisServer::start();
    let (one, other) =
        (limiter(SLOW, Redis::new(server.url()).lease(SLICE)), limiter(SLOW, Redis::new(server.url())));
    drop(take(&one, 1).unwrap());
    assert!(take(&other, 80).is_err());
    drop(one);
    soon(&other, 80);
}

#[test]
fn a_lease_that_is_not_used_in_time_is_given_back() {
    // Twenty a second, and a hundred at once; a lease is twenty of them.
    const RATE: Rate = Rate::per_second(20).burst(Duration::from_secs(5));
    let server = RedisServer::start();
    let (one, other) = (
        limiter(RATE, Redis::new(server.url()).lease(secs(1)).look_ahead(secs(1))),
        limiter(RATE, Redis::new(server.url())),
    );
    drop(take(&one, 1).unwrap());
    drop(take(&other, 70).unwrap());
    thread::sleep(millis(1_200));
    // It is over, and 19 of it were not used: the others have all that there is, less one. Without
    // the 19, this call would wait for three quarters of a second.
    let waited = take(&other, 46).unwrap().waited();
    assert!(waited < millis(600), "{waited:?}");
}

#[test]
fn what_processes_take_beyond_the_limit_is_less_than_their_leases() {
    const RATE: u64 = 400;
    const LEASE: Duration = Duration::from_millis(100);
    let server = RedisServer::start();
    let limiters: Vec<_> = (0..3)
        .map(|_| limiter(Rate::per_second(RATE), Redis::new(server.url()).lease(LEASE).look_ahead(secs(1))))
        .collect();
    let (granted, start) = (AtomicU64::new(0), Instant::now());
    thread::scope(|scope| {
        for limiter in limiters.iter().flat_map(|limiter| [limiter; 4]) {
            scope.spawn(|| {
                while start.elapsed() < secs(1) {
                    drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
                    granted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let granted = granted.into_inner();
    let seconds = start.elapsed().as_secs_f64();
    // A second's worth at once, and three leases of 40.
    let most = 400.0 * seconds + 400.0 + 3.0 * 40.0;
    assert!(granted as f64 <= most, "{granted} of {most}");
    // Well under one command a call.
    let scripts = server.calls("evalsha") + server.calls("eval");
    assert!(scripts * 4 < granted, "{scripts} scripts for {granted} calls");
}
