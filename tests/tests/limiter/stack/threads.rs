//! Many threads on stacks of the same limiters, in all orders, on the real clock.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::testing::ManualClock;
use openlimit::{Percent, Rate, RateLimiter, Stack};
use openlimit_tests::{millis, secs};

use super::{left, tokens};

const THREADS: usize = 8;

/// Limiters of 2 000 tokens a second.
fn limiters() -> [RateLimiter; 3] {
    ["a", "b", "c"].map(|name| {
        let builder = RateLimiter::builder().name(name).tokens(Rate::per_second(2_000));
        builder.burst(millis(100)).headroom(Percent(0)).build().expect("valid rates")
    })
}

/// The stacks that threads use, one after another.
fn stacks(limiters: &[RateLimiter; 3]) -> [Stack<Vec<&RateLimiter>>; 6] {
    let [a, b, c] = limiters;
    [vec![a, b], vec![b, a], vec![c, b, a], vec![a, c], vec![b, c], vec![c, a, b]].map(Stack::of)
}

#[test]
fn threads_in_opposite_orders_all_get_on_and_keep_every_limit() {
    let limiters = limiters();
    let stacks = stacks(&limiters);
    let start = Instant::now();
    let taken = AtomicU64::new(0);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (stacks, taken) = (&stacks, &taken);
            scope.spawn(move || {
                for call in 0..60 {
                    let stack = &stacks[(thread + call) % stacks.len()];
                    match call % 5 {
                        // Gives up at any moment.
                        0 => drop(stack.acquire(7).timeout(Duration::from_micros(300)).blocking()),
                        1 => stack.acquire(9).blocking().expect("it waits").cancel(),
                        2 => stack.acquire(9).blocking().expect("it waits").settle(11),
                        _ => drop(stack.acquire(9).blocking().expect("it waits")),
                    }
                    taken.fetch_add(9, Ordering::Relaxed);
                }
            });
        }
    });
    assert!(taken.into_inner() > 0);
    assert!(start.elapsed() < secs(60), "{:?}", start.elapsed());
    for limiter in &limiters {
        assert_eq!(limiter.status().expect("built").waiting, 0);
    }
}

#[test]
fn threads_that_try_at_once_charge_all_limiters_alike() {
    for _ in 0..20 {
        let clock = ManualClock::new();
        let limiters = [300, 400, 500].map(|rate| tokens(&clock, "level", rate));
        let [a, b, c] = &limiters;
        let (admitted, start) = (AtomicU64::new(0), Barrier::new(THREADS));
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let (admitted, start) = (&admitted, &start);
                scope.spawn(move || {
                    let order = if thread % 2 == 0 { [a, b, c] } else { [c, b, a] };
                    start.wait();
                    while Stack::of(order).try_acquire(1).is_ok() {
                        admitted.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(admitted.into_inner(), 300);
        assert_eq!(left([a, b, c]), [0, 100, 200]);
    }
}
