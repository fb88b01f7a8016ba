//! Tests of tokio's paused time. A limiter built inside a runtime with paused time follows that
//! time and never waits in real time.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use openlimit::{AcquireError, Cost, Percent, Permit, Rate, RateLimiter, limiter};
use openlimit_tests::{millis, secs};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;
use tokio::time::Instant;

fn slow() -> RateLimiter {
    RateLimiter::builder()
        .requests(Rate::per_minute(1))
        .jitter(Duration::ZERO)
        .headroom(Percent(0))
        .build()
        .expect("build failed")
}

#[tokio::test(start_paused = true)]
async fn waits_follow_paused_time() {
    let (limiter, start) = (slow(), Instant::now());
    for minute in 0..5 {
        let permit = limiter.acquire(Cost::new()).await.expect("call was refused");
        assert_eq!(start.elapsed(), secs(60 * minute));
        assert_eq!(permit.waited(), secs(if minute == 0 { 0 } else { 60 }));
    }
}

#[tokio::test(start_paused = true)]
async fn so_do_deadlines() {
    let limiter = slow();
    drop(limiter.try_acquire(Cost::new()).expect("call was refused"));
    tokio::time::advance(secs(30)).await;
    let by = |deadline: Instant| limiter.acquire(Cost::new()).deadline(deadline.into_std());
    let AcquireError::Timeout { timeout, wait, .. } = by(Instant::now() + secs(29)).await.unwrap_err() else {
        panic!("no timeout")
    };
    assert_eq!((timeout, wait), (secs(29), secs(30)));
    drop(by(Instant::now() + secs(30)).await.expect("call was refused"));
}

#[tokio::test(start_paused = true)]
async fn time_may_be_moved_by_hand() {
    let limiter = slow();
    drop(limiter.try_acquire(Cost::new()).expect("call was refused"));
    let waits = tokio::spawn(limiter.acquire(Cost::new()));
    tokio::task::yield_now().await;
    tokio::time::advance(secs(59)).await;
    assert!(!waits.is_finished());
    tokio::time::advance(secs(1)).await;
    let permit = waits.await.expect("task panicked").expect("call was refused");
    assert_eq!(permit.waited(), secs(60));
}

#[tokio::test(start_paused = true)]
async fn many_tasks_wait_in_order() {
    let (limiter, start) = (slow(), Instant::now());
    let calls: Vec<_> = (0..20).map(|_| tokio::spawn(limiter.acquire(Cost::new()))).collect();
    for (place, call) in calls.into_iter().enumerate() {
        let permit = call.await.expect("task panicked").expect("call was refused");
        assert_eq!((permit.waited(), start.elapsed()), (secs(60 * place as u64), secs(60 * place as u64)));
    }
}

#[tokio::test(start_paused = true)]
async fn timeouts_follow_it_too() {
    let limiter = RateLimiter::builder().requests(Rate::per_second(100_000)).build().expect("build failed");
    let first = limiter.try_acquire(Cost::new().requests(100_000)).expect("call was refused");
    // So many that a call behind them is not refused before its time.
    let mut ahead: Vec<_> = (0..5_000).map(|_| limiter.acquire(Cost::new())).collect();
    assert!(ahead.iter_mut().all(|call| call.now_or_never().is_none()));
    let (start, waits) = (Instant::now(), tokio::spawn(limiter.acquire(Cost::new()).timeout(secs(90))));
    tokio::task::yield_now().await;
    first.settle(openlimit::Usage::from(0).with("requests", 1_000_000_000));
    let outcome = waits.await.expect("task panicked");
    assert!(matches!(outcome, Err(AcquireError::Timeout { .. })));
    assert_eq!(start.elapsed(), secs(90));
}

#[tokio::test(start_paused = true)]
async fn a_timeout_of_tokios_own_leaves_the_queue() {
    let (limiter, start) = (slow(), Instant::now());
    drop(limiter.acquire(Cost::new()).await.expect("call was refused"));
    assert!(tokio::time::timeout(secs(30), limiter.acquire(Cost::new())).await.is_err());
    drop(limiter.acquire(Cost::new()).await.expect("call was refused"));
    assert_eq!(start.elapsed(), secs(60), "the call that timed out was charged");
}

/// Returns a limiter of 60 requests a minute and a call that waits for it. The first 60 requests
/// are taken, and a minute has passed, but the timer of the waiting call has not fired yet.
async fn timed_late() -> (RateLimiter, JoinHandle<Result<Permit, AcquireError>>) {
    let limiter = RateLimiter::builder()
        .requests(Rate::per_minute(60).burst(secs(60)))
        .jitter(Duration::ZERO)
        .headroom(Percent(0))
        .build()
        .expect("build failed");
    drop(limiter.acquire(Cost::new().requests(60)).await.expect("call was refused"));
    let waits = tokio::spawn(limiter.acquire(Cost::new()));
    tokio::task::yield_now().await;
    // The first poll moves the time. Timers fire only before the second poll.
    let moved = pin!(tokio::time::advance(secs(60))).poll(&mut Context::from_waker(Waker::noop()));
    assert!(moved.is_pending() && !waits.is_finished());
    (limiter, waits)
}

#[tokio::test(start_paused = true)]
async fn nobody_is_refused_for_one_who_is_due_and_whom_the_timer_has_not_come_to() {
    for never_waits in [
        |limiter: &RateLimiter| limiter.acquire(Cost::new()).timeout(Duration::ZERO).now_or_never(),
        |limiter: &RateLimiter| Some(limiter.try_acquire(Cost::new())),
    ] {
        let (limiter, waits) = timed_late().await;
        drop(never_waits(&limiter).expect("call waited").expect("call was refused"));
        assert_eq!(waits.await.expect("task panicked").expect("call was refused").waited(), secs(60));
    }
}

limiter! {
    static DECLARED: RateLimiter = {
        requests: 100 / second,
        burst: millis(10),
        jitter: Duration::ZERO,
    };
}

#[test]
fn a_static_limiter_first_used_outside_stays_on_the_systems_time() {
    assert!(DECLARED.init().is_ok());
    let runtime = paused();
    let start = std::time::Instant::now();
    runtime.block_on(async {
        for _ in 0..4 {
            drop(DECLARED.acquire(Cost::new()).await.expect("call was refused"));
        }
    });
    assert!(start.elapsed() >= millis(30), "three waits of 10 ms took less than 30 ms");
}

fn paused() -> Runtime {
    Builder::new_current_thread().enable_time().start_paused(true).build().expect("runtime not built")
}

/// Builds a limiter in `runtime` that admits 100 requests a second, one every 10 ms.
fn quick(runtime: &Runtime) -> RateLimiter {
    runtime.block_on(async {
        let limiter = RateLimiter::builder().requests(Rate::per_second(100)).burst(millis(10));
        limiter.jitter(Duration::ZERO).headroom(Percent(0)).build().expect("build failed")
    })
}

#[test]
fn a_limiter_that_outlives_its_runtime_goes_on_by_the_systems_time() {
    let runtime = paused();
    let limiter = quick(&runtime);
    runtime.block_on(async {
        for _ in 0..100 {
            drop(limiter.acquire(Cost::new()).await.expect("call was refused"));
        }
        // The timer of this dropped call is still set.
        assert!(limiter.acquire(Cost::new()).now_or_never().is_none());
    });
    drop(runtime);
    let start = std::time::Instant::now();
    for _ in 0..4 {
        drop(limiter.acquire(Cost::new()).blocking().expect("call was refused"));
    }
    assert!(start.elapsed() >= millis(30), "three waits of 10 ms took less than 30 ms");
}

#[test]
fn whoever_waits_in_one_runtime_is_woken_after_another_has_ended() {
    let (first, second) = (paused(), paused());
    let limiter = quick(&first);
    drop(limiter.try_acquire(Cost::new()).expect("call was refused"));
    let waits_in = |runtime: &Runtime| {
        let _inside = runtime.enter();
        let mut acquire = Box::pin(limiter.acquire(Cost::new()));
        assert!(acquire.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        acquire
    };
    let head = waits_in(&first);
    let next = waits_in(&second);
    drop(first);
    drop(second.block_on(next).expect("call was refused"));
    drop(head.now_or_never().expect("first call still waits").expect("call was refused"));
}

#[tokio::test]
async fn inside_a_runtime_whose_time_is_not_paused_the_systems_time_counts() {
    let start = std::time::Instant::now();
    let limiter = RateLimiter::builder()
        .requests(Rate::per_second(100))
        .burst(millis(10))
        .build()
        .expect("build failed");
    for _ in 0..3 {
        drop(limiter.acquire(Cost::new()).await.expect("call was refused"));
    }
    assert!(start.elapsed() >= millis(20));
}
