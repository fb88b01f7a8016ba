//! A limiter is updated, reset, closed or dropped while it is used.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use loom::thread;

use super::{Call, SECOND, Wakes, drained, ended, holds_exactly_nothing, limiter, model, timer};
use crate::error::AcquireError;
use crate::limits::{Cost, Rate};
use crate::time::ManualClock;

#[test]
fn a_waiter_that_joins_while_the_rate_is_raised() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let updates = thread::spawn({
            let limiter = limiter.clone();
            // Twice as many may leave at once, all of which are used.
            let rate = Rate::per_second(2).burst(SECOND);
            move || limiter.update(|limits| limits.requests(rate)).expect("it is sound")
        });
        let mut call = Call::start(&limiter);
        ended(updates);
        // The bucket stays full, so only time helps.
        assert!(!call.is_admitted());
        clock.advance(SECOND);
        assert!(call.is_admitted());
        clock.advance(2 * SECOND);
        assert!(limiter.try_acquire(Cost::new()).is_ok() && limiter.try_acquire(Cost::new()).is_ok());
        assert!(limiter.try_acquire(Cost::new()).is_err());
    });
}

#[test]
fn a_permit_that_is_cancelled_while_the_limits_are_updated_or_reset() {
    for resets in [false, true] {
        loom::model(move || {
            let clock = ManualClock::new();
            let limiter = limiter(&clock);
            let permit = drained(&limiter);
            let mut call = Call::start(&limiter);
            let changes = thread::spawn({
                let limiter = limiter.clone();
                move || match resets {
                    true => limiter.reset().expect("it is sound"),
                    false => {
                        let rate = Rate::per_second(1).burst(SECOND);
                        limiter.update(|limits| limits.requests(rate)).expect("it is sound");
                    }
                }
            });
            permit.cancel();
            ended(changes);
            assert!(call.is_admitted());
            // A reset after its admission forgets it.
            if !resets {
                holds_exactly_nothing(&limiter, &clock);
            }
        });
    }
}

#[test]
fn a_waiter_that_joins_while_the_limiter_is_closed() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let closes = thread::spawn({
            let limiter = limiter.clone();
            move || drop(limiter.close())
        });
        let (mut acquire, wakes) = (limiter.acquire(Cost::new()), Arc::<Wakes>::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let first = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker)).is_ready();
        ended(closes);
        if !first {
            assert!(wakes.0.load(Ordering::SeqCst) > 0, "a wake-up was lost");
            let polled = Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker));
            assert!(matches!(polled, Poll::Ready(Err(AcquireError::Closed { .. }))));
        }
        clock.advance(SECOND);
        assert!(limiter.try_acquire(Cost::new()).is_err());
    });
}

#[test]
fn a_limiter_that_is_dropped_while_the_timer_fires() {
    model(|clock, limiter| {
        drop(drained(&limiter));
        let call = Call::start(&limiter);
        let timer = timer(clock);
        drop(limiter);
        drop(call);
        ended(timer);
    });
}
