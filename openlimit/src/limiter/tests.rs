//! Tests that timers and storage are released in time, which programs cannot see.

use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use super::core::Handle;
use super::{Acquire, RateLimiter};
use crate::limits::{Cost, Rate};
use crate::testing::ManualClock;

/// Returns a limiter of one request per second, and `calls` that wait behind the first.
fn waiting(clock: &ManualClock, calls: usize) -> (Handle, Vec<Acquire>) {
    let builder = RateLimiter::builder().requests(Rate::per_second(1)).clock(clock);
    let limiter = Handle::Counted(builder.build_core().expect("it is sound"));
    let mut acquires: Vec<_> = (0..=calls).map(|_| Acquire::new(&limiter, &Cost::new())).collect();
    let mut context = Context::from_waker(Waker::noop());
    for (place, acquire) in acquires.iter_mut().enumerate() {
        assert_eq!(Future::poll(Pin::new(acquire), &mut context).is_ready(), place == 0);
    }
    (limiter, acquires)
}

#[test]
fn a_dropped_limiter_leaves_no_timer_behind() {
    let clock = ManualClock::new();
    let (limiter, acquires) = waiting(&clock, 2);
    drop(acquires);
    assert!(clock.is_armed(), "a timer may stay set for calls that have left");
    drop(limiter);
    assert!(!clock.is_armed());
}

#[test]
fn the_storage_of_a_rush_is_returned_when_it_is_over() {
    for admitted in [0, 3_000] {
        let clock = ManualClock::new();
        let (limiter, mut acquires) = waiting(&clock, 3_000);
        clock.advance(Duration::from_secs(2 * admitted));
        for acquire in acquires.iter_mut().skip(1).take(admitted as usize) {
            let poll = Future::poll(Pin::new(acquire), &mut Context::from_waker(Waker::noop()));
            assert!(poll.is_ready());
        }
        drop(acquires);
        let surplus = limiter.core().lock().expect("no fork").admission.queue.surplus();
        assert!(surplus.is_none(), "storage for more than 1 024 waiters is kept");
    }
}
