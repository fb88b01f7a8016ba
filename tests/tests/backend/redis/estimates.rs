//! How long a call of a shared limiter would wait, without making it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::Duration;

use openlimit::{Rate, RateLimiter, Stack};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

#[test]
fn an_estimate_goes_by_the_last_reply_however_old_it_is() {
    let server = RedisServer::start();
    let limiter = |name| RateLimiter::builder().name(name).tokens(SLOW).redis(server.url()).build().unwrap();
    let (one, other) = (limiter("chat"), limiter("chat"));
    let fifty = |limiter: &RateLimiter| limiter.wait_for(50).unwrap();
    assert_eq!(fifty(&one), Duration::ZERO, "nothing is known yet");
    drop(one.acquire(90).timeout(secs(20)).blocking().unwrap());
    // Much longer than the look-ahead.
    thread::sleep(millis(400));
    assert_eq!(one.wait_for(5).unwrap(), Duration::ZERO);
    assert!((secs(50)..secs(81)).contains(&fifty(&one)), "{:?}", fifty(&one));
    let local = RateLimiter::builder().tokens(SLOW).build().unwrap();
    assert!(Stack::of((&local, &one)).wait_for(50).unwrap() > secs(50));
    // Another process hears of it with its first reply.
    assert_eq!(fifty(&other), Duration::ZERO);
    other.flush(secs(20)).blocking().unwrap();
    drop(other.acquire(1).timeout(secs(20)).blocking().unwrap());
    assert!((secs(50)..secs(83)).contains(&fifty(&other)), "{:?}", fifty(&other));
}
