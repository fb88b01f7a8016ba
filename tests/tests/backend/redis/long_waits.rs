//! `on_wait` of shared limiters: what a call waits for, Redis itself included.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, Mutex};

use openlimit::{AcquireError, Cost, Rate, RateLimiter, Redis, Stack, WaitReason, Waiting};
use openlimit_tests::redis::{RedisServer, port};
use openlimit_tests::{millis, secs};

type Told = Arc<Mutex<Vec<Waiting>>>;

/// A limiter of one request in ten seconds, and what it tells of long waits.
fn limiter(redis: impl Into<Redis>) -> (RateLimiter, Told) {
    let told = Told::default();
    let all = Arc::clone(&told);
    let builder = RateLimiter::builder().name("chat").requests(Rate::new(1, secs(10)));
    let builder = builder.on_wait(move |waiting| all.lock().unwrap().push(waiting.clone()));
    (builder.redis(redis.into().timeout(millis(150))).build().unwrap(), told)
}

fn one(told: &Told) -> Waiting {
    let told = told.lock().unwrap();
    assert_eq!(told.len(), 1, "{told:?}");
    told[0].clone()
}

#[test]
fn a_redis_that_does_not_answer_is_the_reason() {
    let (limiter, told) = limiter(format!("redis://127.0.0.1:{}", port::free()));
    let refusal = limiter.acquire(Cost::new()).timeout(millis(1_800)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Store { .. }), "{refusal}");
    let waiting = one(&told);
    assert_eq!((waiting.reason, waiting.wait, waiting.limit.clone()), (WaitReason::Redis, None, None));
    // The clock of the thread may be a little behind that of the timer.
    assert!(waiting.waited >= secs(1) - millis(5), "{waiting:?}");
    assert!(waiting.to_string().ends_with(", for Redis, which does not answer"), "{waiting}");
}

#[test]
fn a_limit_is_the_reason_alone_and_in_a_stack() {
    let server = RedisServer::start();
    let (shared, told) = limiter(server.url());
    drop(shared.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    let memory = RateLimiter::builder().requests(Rate::per_second(9)).build().unwrap();
    let calls = [shared.acquire(Cost::new()), Stack::of((&memory, &shared)).acquire(Cost::new())];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for call in calls {
        runtime.block_on(async {
            tokio::time::timeout(millis(1_500), call).await.unwrap_err();
        });
        let waiting = one(&told);
        assert_eq!((waiting.reason, &*waiting.limiter), (WaitReason::Limit, "chat"));
        assert_eq!(waiting.limit.unwrap().to_string(), "1 requests / 10s");
        told.lock().unwrap().clear();
    }
}
