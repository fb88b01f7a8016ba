//! Many threads on one limiter. The admitted amount is exact, and sync and async callers share one
//! queue.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use openlimit::testing::ManualClock;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::{Call, millis, nanos, plain, secs};

const THREADS: u64 = 8;

#[test]
fn threads_that_try_at_once_get_the_burst_and_not_one_more() {
    for _ in 0..20 {
        let clock = ManualClock::new();
        let limiter = plain(&clock).requests(Rate::per_second(1_000)).build().expect("valid rates");
        let (admitted, start) = (AtomicU64::new(0), Barrier::new(THREADS as usize));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    start.wait();
                    while limiter.try_acquire(Cost::new()).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 1_000);
    }
}

#[test]
fn threads_that_try_while_the_clock_is_moved_get_what_the_time_gives() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1_000)).build().expect("valid rates");
    let (admitted, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let take = || {
        while limiter.try_acquire(Cost::new()).is_ok() {
            admitted.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    take();
                }
            });
        }
        for step in 0..2_000 {
            // The steps are short, so the bucket never runs empty. An empty bucket would lose part
            // of the count.
            clock.advance(nanos(step % 7 * 100_000 + 1));
            take();
        }
        over.store(true, Ordering::Release);
    });
    take();
    let expected = 1_000 + clock.now().as_nanos() as u64 / 1_000_000;
    assert_eq!(admitted.into_inner(), expected);
}

#[test]
fn threads_that_wait_while_the_clock_is_moved_are_all_admitted_and_none_too_early() {
    const CALLS: u64 = 200;
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100)).build().expect("valid rates");
    let (admitted, dropped) = (AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (limiter, admitted, dropped) = (&limiter, &admitted, &dropped);
            scope.spawn(move || {
                for call in 0..CALLS {
                    if (call + thread) % 5 == 0 {
                        if let Some(outcome) = Call::start(limiter.acquire(Cost::new())).over() {
                            outcome.expect("no call is refused").cancel();
                        }
                        dropped.fetch_add(1, Ordering::Relaxed);
                    } else {
                        drop(limiter.acquire(Cost::new()).blocking().expect("the limiter admits the call"));
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let total = || admitted.load(Ordering::SeqCst) + dropped.load(Ordering::SeqCst);
        while total() < THREADS * CALLS {
            clock.advance(millis(1));
            let admitted = admitted.load(Ordering::SeqCst);
            assert!(admitted <= 100 + clock.now().as_millis() as u64 / 10);
            thread::yield_now();
        }
    });
}

/// Two threads may read the clock in one order and take the lock in the other. The thread with the
/// older reading must neither be admitted early nor corrupt the buckets.
#[test]
fn readings_of_the_clock_that_arrive_in_another_order_change_nothing() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).requests(Rate::per_second(1_000_000)).jitter(millis(1)).build().expect("valid rates");
    let (admitted, over) = (AtomicU64::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !over.load(Ordering::Acquire) {
                    let Ok(permit) = limiter.try_acquire(Cost::new().requests(100)) else { continue };
                    if permit.waited().is_zero() {
                        admitted.fetch_add(100, Ordering::SeqCst);
                    }
                }
            });
        }
        for _ in 0..5_000 {
            clock.jump(nanos(20_000));
            let admitted = admitted.load(Ordering::SeqCst);
            assert!(admitted <= 999_000 + clock.now().as_micros() as u64);
        }
        over.store(true, Ordering::Release);
    });
}

#[test]
fn sync_and_async_callers_stand_in_one_queue() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("valid rates");
    drop(Call::start(limiter.acquire(Cost::new())).admitted());
    thread::scope(|scope| {
        let mut calls = Vec::new();
        for place in 1..=10_u64 {
            if place % 2 == 0 {
                calls.push((place, Call::start(limiter.acquire(Cost::new()))));
            } else {
                let limiter = limiter.clone();
                scope.spawn(move || {
                    let permit =
                        limiter.acquire(Cost::new()).blocking().expect("the limiter admits the call");
                    assert_eq!(permit.waited(), secs(place));
                });
            }
            // The next call must arrive after this one has joined the queue. The wait shows when it
            // has.
            while wait_of_the_next(&limiter) != secs(place + 1) {
                thread::yield_now();
            }
        }
        clock.advance(secs(10));
        for (place, call) in calls {
            assert_eq!(call.admitted().waited(), secs(place));
        }
    });
}

fn wait_of_the_next(limiter: &RateLimiter) -> std::time::Duration {
    limiter.try_acquire(Cost::new()).expect_err("a full bucket").retry_after().expect("a wait time")
}

/// Checks the bound on the system clock. Two `Instant`s, read before and after each call, enclose
/// its admission.
#[test]
fn on_the_systems_clock_no_window_holds_more_than_the_promise() {
    const EACH: usize = 100;
    let limiter = RateLimiter::builder()
        .requests(Rate::per_second(1_000))
        .burst(millis(100))
        .build()
        .expect("valid rates");
    let mut admitted: Vec<(Instant, Instant)> = thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let call = |_| {
                        let before = Instant::now();
                        drop(limiter.acquire(Cost::new()).blocking().expect("the limiter admits the call"));
                        (before, Instant::now())
                    };
                    (0..EACH).map(call).collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("no thread panics")).collect()
    });
    assert_eq!(admitted.len(), THREADS as usize * EACH);
    // Counts the calls that were certainly admitted within each window.
    admitted.sort_by_key(|(_, after)| *after);
    let starts: Vec<Instant> = admitted.iter().map(|(before, _)| *before).collect();
    for start in starts {
        let mut within = 0;
        for (before, after) in &admitted {
            if *before >= start {
                within += 1;
                let promised = 100_000_000 + after.duration_since(start).as_nanos();
                assert!(within * 1_000_000 <= promised, "{within} in {:?}", after.duration_since(start));
            }
        }
    }
}

#[test]
fn on_the_systems_clock_all_waiters_of_both_kinds_are_admitted() {
    let limiter = RateLimiter::builder()
        .requests(Rate::per_second(2_000))
        .burst(millis(10))
        .build()
        .expect("valid rates");
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..50 {
                    drop(limiter.acquire(Cost::new()).blocking().expect("the limiter admits the call"));
                }
            });
        }
        scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            runtime.block_on(async {
                let calls: Vec<_> = (0..200).map(|_| tokio::spawn(limiter.acquire(Cost::new()))).collect();
                for call in calls {
                    drop(call.await.expect("no task panics").expect("the limiter admits the call"));
                }
            });
        });
    });
}
