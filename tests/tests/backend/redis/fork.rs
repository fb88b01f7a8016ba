//! A process that forks, without `exec`. If it has used a shared limiter before, calls of the child
//! fail at once, and the parent goes on. If not, both use it as any two processes do.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::process::parent_id;
use std::process;
use std::thread;
use std::time::Instant;

use openlimit::{AcquireError, Cost, OnOutage, Percent, Permit, Rate, RateLimiter, Redis};
use openlimit_tests::redis::fork::{fork, leave};
use openlimit_tests::redis::{Forks, RedisServer, worker};
use openlimit_tests::{Call, millis, secs};

/// One request leaks in a quarter of an hour.
fn limiter(url: &str) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_day(100)).jitter(secs(60));
    builder.redis(url).build().unwrap()
}

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    let Some(job) = worker::job() else { return };
    let (when, url) = (job.arg(0), job.arg(1));
    let one = limiter(url);
    if when == "after a call" {
        drop(one.acquire(Cost::new()).blocking().unwrap());
    }
    let is_child = fork();
    let other = limiter(url);
    tell(is_child, "a call that waits", || one.acquire(Cost::new()).blocking());
    tell(is_child, "a call that does not", || one.try_acquire(Cost::new()));
    tell(is_child, "a call of a new limiter", || other.acquire(Cost::new()).blocking());
    if is_child {
        leave();
    }
}

/// Forks while this process decides alone.
#[test]
#[ignore = "the body of a worker"]
fn lone_worker() {
    let Some(job) = worker::job() else { return };
    let redis = Redis::new(job.arg(0)).on_outage(OnOutage::Local(Percent(50)));
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_day(100));
    let limiter = builder.redis(redis).build().unwrap();
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    let is_child = fork();
    tell(is_child, "a call that waits", || limiter.acquire(Cost::new()).blocking());
    tell(is_child, "a call that does not", || limiter.try_acquire(Cost::new()));
    if is_child {
        leave();
    }
}

/// Forks while other threads constantly wake the driver.
#[test]
#[ignore = "the body of the workers"]
fn busy_worker() {
    let Some(job) = worker::job() else { return };
    let limiter = |name: String| {
        let rate = Rate::per_second(100_000).burst(millis(100));
        let builder = RateLimiter::builder().name(name).requests(rate).jitter(millis(10));
        builder.redis(Redis::new(job.arg(0)).lease(millis(50))).build().unwrap()
    };
    for thread in 0..4 {
        let busy = limiter(format!("busy {thread}"));
        thread::spawn(move || {
            loop {
                let calls = [1, 100].map(|requests| busy.acquire(Cost::new().requests(requests)).blocking());
                calls.into_iter().flatten().for_each(Permit::cancel);
            }
        });
    }
    for fork in 0..FORKS {
        let own = limiter(format!("own {}", fork % 10));
        let permits: Vec<_> = (0..5).map(|_| own.acquire(Cost::new()).blocking().unwrap()).collect();
        let call = Call::start(own.acquire(Cost::new().requests(100)));
        if parent_id() == 0 {
            permits.into_iter().for_each(Permit::cancel);
            drop((call, own));
            worker::say("done");
            leave();
        }
    }
    thread::sleep(secs(2));
    process::exit(0);
}

const FORKS: usize = 300;

fn tell(is_child: bool, which: &str, call: impl FnOnce() -> Result<Permit, AcquireError>) {
    let start = Instant::now();
    let result = match call() {
        Ok(_) => "admitted".to_owned(),
        Err(AcquireError::WouldWait { .. }) => "would wait".to_owned(),
        Err(AcquireError::Store { error, .. }) => error.to_string(),
        Err(error) => panic!("{error}"),
    };
    assert!(start.elapsed() < secs(20), "{which} took {:?}", start.elapsed());
    worker::say(format_args!("{}: {which}: {result}", if is_child { "child" } else { "parent" }));
}

/// Returns the lines of a worker and its child, the child's first, and the number of requests that
/// they took.
fn forked(when: &str, server: &RedisServer) -> (Vec<String>, u64) {
    let forks = Forks::new();
    let mut said = forks.start("redis::fork::worker", &[when, &server.url()]).finish();
    // Each process prints its lines in order.
    said.sort_by_key(|line| line.starts_with("parent"));
    let limiter = limiter(&server.url());
    drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    // Without this last one and the part of one that is kept back for jitter.
    (said, 100 - 2 - limiter.status().unwrap().limits[0].available)
}

const ADMITTED: [&str; 3] =
    ["a call that waits: admitted", "a call that does not: would wait", "a call of a new limiter: admitted"];

#[test]
fn a_child_of_a_process_that_used_a_shared_limiter_is_refused_at_once_and_its_parent_goes_on() {
    let server = RedisServer::start();
    let (said, taken) = forked("after a call", &server);
    let refused = format!(
        "redis at {} cannot be queried: the driver thread is not running: it is in the process that this one was forked \
         from; fork before the first call",
        server.address()
    );
    let child = ["a call that waits", "a call that does not", "a call of a new limiter"]
        .map(|call| format!("child: {call}: {refused}"));
    assert_eq!(said[..3], child);
    assert_eq!(said[3..], ADMITTED.map(|call| format!("parent: {call}")));
    assert_eq!(taken, 3);
}

#[test]
fn a_child_of_a_process_that_decides_alone_takes_no_share_of_its_own() {
    let server = RedisServer::start();
    server.kill_9();
    let said = Forks::new().start("redis::fork::lone_worker", &[&server.url()]).finish();
    let refused = said.iter().filter(|line| line.starts_with("child") && line.contains("forked from"));
    let admitted = said.iter().filter(|line| line.starts_with("parent") && line.ends_with("admitted"));
    assert_eq!((refused.count(), admitted.count()), (2, 2), "{said:?}");
}

#[test]
fn a_process_that_forks_before_its_first_call_shares_the_limit_with_its_child() {
    let server = RedisServer::start();
    let (said, taken) = forked("before a call", &server);
    assert_eq!(said[..3], ADMITTED.map(|call| format!("child: {call}")));
    assert_eq!(said[3..], ADMITTED.map(|call| format!("parent: {call}")));
    assert_eq!(taken, 4);
}

#[test]
fn a_child_forked_while_the_driver_is_busy_gives_its_permits_back_and_does_not_hang() {
    let server = RedisServer::start();
    let outcomes = Forks::new().start("redis::fork::busy_worker", &[&server.url()]).finish();
    assert_eq!(outcomes, vec!["done"; FORKS]);
}
