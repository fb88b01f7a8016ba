//! A waiter joins or leaves while the call in flight ends that it waits for.

use loom::thread;

use super::{Call, drained, ended};
use crate::limiter::RateLimiter;
use crate::limits::Cost;
use crate::time::ManualClock;

/// Creates a limiter that admits one call at a time.
fn one_at_a_time(clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder().concurrency(1).clock(clock).build().expect("it is sound")
}

#[test]
fn a_waiter_that_joins_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let ends = thread::spawn(move || drop(permit));
        let mut call = Call::start(&limiter);
        call.poll();
        ended(ends);
        assert!(call.is_admitted());
        assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
        drop(call);
        assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
    });
}

#[test]
fn two_that_join_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let ends = thread::spawn(move || permit.settle(1));
        let other = thread::spawn({
            let limiter = limiter.clone();
            move || Call::start(&limiter)
        });
        let mut call = Call::start(&limiter);
        ended(ends);
        let other = ended(other);
        let (first, mut second) = if call.is_admitted() { (call, other) } else { (other, call) };
        assert!(!second.is_admitted(), "given out twice");
        drop(first);
        assert!(second.is_admitted(), "lost");
    });
}

#[test]
fn a_waiter_that_leaves_while_the_call_in_flight_ends() {
    loom::model(|| {
        let limiter = one_at_a_time(&ManualClock::new());
        let permit = drained(&limiter);
        let (leaves, mut next) = (Call::start(&limiter), Call::start(&limiter));
        let ends = thread::spawn(move || drop(permit));
        // It may have been admitted, and not polled since.
        drop(leaves);
        ended(ends);
        assert!(next.is_admitted());
        drop(next);
        assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
    });
}
