//! Programs of every kind share a limit: without tokio, with one runtime after the other, sync and
//! async in one queue. One driver thread serves all limiters, and a dropped one leaves nothing.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::future::pending;
use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, limiter, rate_limited};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, millis, secs};

static SERVER: LazyLock<RedisServer> = LazyLock::new(RedisServer::start);

limiter! {
    static DECLARED: RateLimiter = {
        requests: Rate::per_second(1_000),
        tokens: Rate::per_second(100_000),
        redis: SERVER.url(),
        name: "declared",
    };
}

#[rate_limited(limiter = DECLARED, cost = tokens, timeout = secs(20))]
fn sync(tokens: u64) -> Result<u64, AcquireError> {
    Ok(tokens)
}

#[rate_limited(limiter = DECLARED, cost = tokens, timeout = secs(20))]
async fn asynchronous(tokens: u64) -> Result<u64, AcquireError> {
    Ok(tokens)
}

fn limiter(name: &str, rate: Rate) -> RateLimiter {
    RateLimiter::builder().name(name).requests(rate).redis(SERVER.url()).build().unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_plain_function_in_a_program_without_a_runtime() {
    assert!(tokio::runtime::Handle::try_current().is_err());
    for tokens in 0..20 {
        assert_eq!(sync(tokens).unwrap(), tokens);
    }
}

#[test]
fn many_threads_without_a_runtime() {
    let limiter = limiter("threads", Rate::per_second(500));
    let start = Instant::now();
    thread::scope(|scope| {
        for _ in 0..32 {
            scope.spawn(|| {
                for _ in 0..25 {
                    drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
                }
            });
        }
    });
    // Of 800 only 500 may go at once.
    assert!(start.elapsed() >= millis(600), "{:?}", start.elapsed());
}

#[test]
fn an_async_wait_without_tokio() {
    let limiter = limiter("executor", Rate::per_second(500));
    let calls = (0..100).map(|_| limiter.acquire(Cost::new()).timeout(secs(20)));
    // Blocks this thread on the future, without a runtime.
    let all = futures_executor(join_all(calls));
    assert!(all.into_iter().all(|result| result.is_ok()));
}

/// Polls a future by hand until it is ready.
fn futures_executor<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        thread::sleep(millis(1));
    }
}

#[test]
fn one_runtime_after_the_other() {
    for round in 0..40 {
        runtime().block_on(async {
            // One is under way when its runtime ends.
            tokio::spawn(async {
                let _waiting = asynchronous(3_000).await;
                pending::<()>().await;
            });
            tokio::task::yield_now().await;
            if round % 2 == 0 {
                assert_eq!(asynchronous(round).await.unwrap(), round);
            }
        });
    }
    assert_eq!(sync(1).unwrap(), 1);
}

#[test]
fn sync_and_async_callers_stand_in_one_queue() {
    let limiter = limiter("queue", Rate::per_second(20));
    drop(limiter.acquire(Cost::new().requests(20)).blocking().unwrap());
    let waiting = || limiter.status().unwrap().waiting;
    // The times just before and just after each arrival.
    let mut arrivals: Vec<(Instant, Instant)> = Vec::new();
    let waits: Vec<Duration> = thread::scope(|scope| {
        let mut calls: Vec<Result<_, Call>> = Vec::new();
        for index in 0..6 {
            let before = Instant::now();
            calls.push(if index % 2 == 0 {
                Ok(scope.spawn(|| limiter.acquire(Cost::new().requests(5)).timeout(secs(60)).blocking()))
            } else {
                Err(Call::start(limiter.acquire(Cost::new().requests(5)).timeout(secs(60))))
            });
            eventually("a place in the queue", || waiting() > index);
            arrivals.push((before, Instant::now()));
        }
        let permits = calls.into_iter().map(|call| match call {
            Ok(thread) => thread.join().unwrap().unwrap(),
            Err(mut call) => {
                eventually("its turn", || call.poll());
                call.admitted()
            }
        });
        permits.map(|permit| permit.waited()).collect()
    });
    for pair in 0..5 {
        let (first, second) = (pair, pair + 1);
        // A quarter of a second lies between two of them.
        let earliest = arrivals[first].0 + waits[first];
        let latest = arrivals[second].1 + waits[second];
        assert!(earliest <= latest, "{second} overtook {first}: {waits:?}");
    }
}

#[test]
fn a_hundred_limiters_have_one_driver_thread() {
    let limiters: Vec<_> =
        (0..100).map(|index| limiter(&format!("many {index}"), Rate::per_hour(1))).collect();
    let calls: Vec<_> = limiters.iter().map(|limiter| Call::start(limiter.acquire(Cost::new()))).collect();
    for mut call in calls {
        eventually("its turn", || call.poll());
        drop(call.admitted());
    }
    let names = || {
        std::fs::read_dir("/proc/self/task").unwrap().filter_map(|task| {
            // A thread may be gone by now.
            std::fs::read_to_string(task.ok()?.path().join("comm")).ok()
        })
    };
    // A thread that the driver starts to look up a host has the driver's name until it sets its
    // own.
    eventually("one driver", || names().filter(|name| name.trim() == "openlimit-redis").count() == 1);
}

#[test]
fn a_limiter_that_is_dropped_gives_back_and_hangs_up() {
    const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));
    let server = RedisServer::start();
    let clients = || server.info("clients")["connected_clients"].parse::<u64>().unwrap();
    // They differ in the timeout, so they share no connection.
    let limiter = |timeout| {
        let redis = Redis::new(server.url()).timeout(timeout);
        RateLimiter::builder().name("chat").requests(SLOW).redis(redis).build().unwrap()
    };
    let take = |limiter: &RateLimiter, requests| {
        limiter.acquire(Cost::new().requests(requests)).timeout(secs(5)).blocking()
    };
    let before = clients();
    let other = limiter(secs(2));
    // One call is cancelled just before its limiter goes.
    let one = limiter(secs(1));
    let permit: Permit = take(&one, 90).unwrap();
    assert!(take(&other, 60).is_err());
    assert_eq!(clients(), before + 2);
    permit.cancel();
    drop(one);
    eventually("what was cancelled", || take(&other, 60).is_ok());
    eventually("the end of its session", || clients() == before + 1);
    // One call waits, and leaves just before.
    let one = limiter(secs(1));
    let waiter = Call::start(one.acquire(Cost::new().requests(90)));
    eventually("its place in the line", || take(&other, 10).map(Permit::cancel).is_err());
    drop(waiter);
    drop(one);
    eventually("its place", || take(&other, 10).is_ok());
    eventually("the end of its session", || clients() == before + 1);
    // A permit keeps its limiter, and nothing else.
    let permit = take(&other, 1).unwrap();
    drop(other);
    thread::sleep(millis(20));
    permit.cancel();
    eventually("the end of the other", || clients() == before);
}

#[test]
fn a_limiter_that_is_dropped_while_its_server_is_away_ends_all_the_same() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(server.url());
    let limiter = limiter.build().unwrap();
    let permit = limiter.acquire(Cost::new().requests(9)).blocking().unwrap();
    server.kill_9();
    permit.cancel();
    let start = Instant::now();
    drop(limiter);
    assert!(start.elapsed() < secs(20));
    // The driver serves the others meanwhile.
    assert_eq!(sync(1).unwrap(), 1);
}
