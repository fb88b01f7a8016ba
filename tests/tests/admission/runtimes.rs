//! Runtimes. A static limiter serves any number of runtimes, and threads without a runtime. A
//! runtime that ends leaves no calls in the queue.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Cost, Permit, Rate, RateLimiter, limiter};
use openlimit_tests::{Call, at_once, plain, secs};
use tokio::runtime::{Builder, Runtime};

limiter! {
    static SHARED: RateLimiter = {
        requests: 500 / second,
        burst: Duration::from_millis(10),
    };
}

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

async fn some_calls() -> usize {
    let mut count = 0;
    for _ in 0..10 {
        drop(SHARED.acquire(Cost::new()).await.expect("the limiter admits the call"));
        count += 1;
    }
    count
}

#[test]
fn a_static_limiter_serves_two_runtimes_and_threads_without_any() {
    let admitted: usize = thread::scope(|scope| {
        let threads = [
            scope.spawn(|| {
                runtime().block_on(async { tokio::spawn(some_calls()).await.expect("no task panics") })
            }),
            scope.spawn(|| runtime().block_on(some_calls())),
            scope.spawn(|| by_hand(some_calls())),
            scope.spawn(|| (0..10).filter(|_| SHARED.acquire(Cost::new()).blocking().is_ok()).count()),
        ];
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert_eq!(admitted, 40);
}

#[test]
fn a_call_may_move_from_one_runtime_to_another_while_it_waits() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 1);
    let mut acquire = Box::pin(limiter.acquire(Cost::new()));
    let first = runtime();
    let pending = first.block_on(async {
        std::future::poll_fn(|context| Poll::Ready(acquire.as_mut().poll(context).is_pending())).await
    });
    assert!(pending);
    drop(first);
    clock.advance(secs(1));
    drop(runtime().block_on(acquire).expect("the call kept its turn"));
}

#[test]
fn a_runtime_that_ends_while_its_tasks_wait_leaves_the_queue_clean() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 1);
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..100 {
            tokio::spawn(limiter.acquire(Cost::new()));
        }
        // Each task is polled once and joins the queue.
        tokio::task::yield_now().await;
    });
    let behind = Call::start(limiter.acquire(Cost::new()));
    drop(runtime);
    clock.advance(secs(1));
    assert_eq!(behind.admitted().waited(), secs(1));
}

#[test]
fn a_runtime_that_does_not_turn_holds_nobody_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 1);
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    let ahead = runtime.spawn(limiter.acquire(Cost::new()));
    runtime.block_on(tokio::task::yield_now());
    // The runtime does not run from here on.
    let behind = Call::start(limiter.acquire(Cost::new()));
    clock.advance(secs(2));
    assert_eq!(behind.admitted().waited(), secs(2));
    let permit: Permit = runtime.block_on(ahead).expect("no task panics").expect("the call kept its turn");
    assert_eq!(permit.waited(), secs(1));
}

#[test]
fn an_aborted_task_gives_its_place_away() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 1);
    let runtime = Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(async {
        let ahead = tokio::spawn(limiter.acquire(Cost::new()));
        tokio::task::yield_now().await;
        ahead.abort();
        assert!(ahead.await.is_err());
    });
    let next = Call::start(limiter.acquire(Cost::new()));
    clock.advance(secs(1));
    assert_eq!(next.admitted().waited(), secs(1));
}

/// Runs a future on a minimal executor.
fn by_hand<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}
