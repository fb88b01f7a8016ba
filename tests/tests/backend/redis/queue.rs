//! The queue of a process whose limits are shared: its priorities, its deadlines and its bound.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Priority, Rate, RateLimiter};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

/// A call that arrived at a time.
struct Timed(Instant, Call);

impl Timed {
    fn start(limiter: &RateLimiter, priority: Priority) -> Self {
        Self(Instant::now(), Call::start(limiter.acquire(Cost::new()).priority(priority)))
    }

    /// Waits for its admission, and returns when it was.
    fn admitted(mut self) -> Instant {
        eventually("an admission", || self.1.poll());
        self.0 + self.1.admitted().waited()
    }
}

#[test]
fn slots_go_to_the_highest_priority_of_the_process() {
    let server = RedisServer::start();
    let rate = Rate::per_second(20).burst(millis(100));
    let limiter = RateLimiter::builder().name("chat").requests(rate).redis(server.url()).build().unwrap();
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    let low: Vec<_> = (0..12).map(|_| Timed::start(&limiter, Priority::Low)).collect();
    let high: Vec<_> = (0..4).map(|_| Timed::start(&limiter, Priority::High)).collect();
    let joined = Instant::now();
    let last = high.into_iter().map(Timed::admitted).max().unwrap();
    for low in low {
        let at = low.admitted();
        assert!(at <= joined + millis(1) || at + millis(1) >= last, "a low call went before a high one");
    }
}

#[test]
fn a_debt_refuses_those_who_cannot_make_their_deadlines() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").tokens(SLOW).redis(server.url()).build().unwrap();
    let permit = limiter.acquire(90).blocking().unwrap();
    let mut calls = [40, 100_000].map(|timeout| Call::start(limiter.acquire(20).timeout(secs(timeout))));
    permit.settle(200);
    eventually("a refusal", || calls[0].poll());
    let [hurried, patient] = &mut calls;
    let error = hurried.over().unwrap().unwrap_err();
    let AcquireError::Timeout { waited, wait, .. } = error else { panic!("{error}") };
    assert!(waited < secs(30) && wait > secs(150), "{waited:?} {wait:?}");
    assert!(!patient.poll());
}

#[test]
fn no_more_calls_wait_than_may() {
    let server = RedisServer::start();
    let builder = RateLimiter::builder().name("chat").tokens(SLOW).max_waiting(2);
    let limiter = builder.redis(server.url()).build().unwrap();
    drop(limiter.acquire(100).blocking().unwrap());
    let mut calls = [10, 10, 10].map(|tokens| Call::start(limiter.acquire(tokens)));
    assert!(!calls[0].poll() && !calls[1].poll());
    let error = calls[2].over().unwrap().unwrap_err();
    let AcquireError::QueueFull { waiting, wait, .. } = error else { panic!("{error}") };
    assert!(waiting == 2 && wait > secs(40), "{wait:?}");
    assert_eq!(limiter.status().unwrap().waiting, 2);
}
