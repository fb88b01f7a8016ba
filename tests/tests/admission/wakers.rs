//! Wakers. The limiter does not hold its lock while it calls or drops a waker, since wakers are
//! foreign code. A waker that misbehaves does not affect other calls.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Wake, Waker};

use openlimit::testing::ManualClock;
use openlimit::{Acquire, Cost, Rate, RateLimiter};
use openlimit_tests::{Call, at_once, plain, secs};

fn one_a_second(clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::per_second(1)).build().expect("valid rates")
}

fn poll(acquire: &mut Acquire, waker: &Waker) -> bool {
    Pin::new(acquire).poll(&mut Context::from_waker(waker)).is_ready()
}

/// A waker that uses the limiter when it is woken and when it is dropped.
struct Reenters {
    limiter: RateLimiter,
    woken: AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

impl Wake for Reenters {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        assert!(self.limiter.try_acquire(Cost::new()).is_err(), "the waker took a request");
    }
}

impl Drop for Reenters {
    fn drop(&mut self) {
        let _ = self.limiter.try_acquire(Cost::new());
        self.dropped.fetch_add(1, Ordering::SeqCst);
    }
}

fn reenters(limiter: &RateLimiter, dropped: &Arc<AtomicUsize>) -> Arc<Reenters> {
    Arc::new(Reenters { limiter: limiter.clone(), woken: AtomicUsize::new(0), dropped: Arc::clone(dropped) })
}

#[test]
fn a_waker_may_use_the_limiter_when_it_is_woken() {
    let (clock, dropped) = (ManualClock::new(), Arc::default());
    let limiter = one_a_second(&clock);
    assert_eq!(at_once(&limiter), 1);
    let wakes = reenters(&limiter, &dropped);
    let waker = Waker::from(Arc::clone(&wakes));
    let mut acquire = limiter.acquire(Cost::new());
    assert!(!poll(&mut acquire, &waker));
    clock.advance(secs(1));
    assert_eq!(wakes.woken.load(Ordering::SeqCst), 1);
    assert!(poll(&mut acquire, &waker));
}

#[test]
fn a_waker_may_use_the_limiter_when_it_is_dropped() {
    let (clock, dropped) = (ManualClock::new(), Arc::default());
    let limiter = one_a_second(&clock);
    assert_eq!(at_once(&limiter), 1);
    let waker = || Waker::from(reenters(&limiter, &dropped));
    let mut acquire = limiter.acquire(Cost::new());
    assert!(!poll(&mut acquire, &waker()));
    // The next waker replaces the first one, which is dropped.
    assert!(!poll(&mut acquire, &waker()));
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    // The second waker is dropped with the call.
    drop(acquire);
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
    // These wakers are dropped unused, since the calls are admitted or refused at once.
    clock.advance(secs(1));
    assert!(poll(&mut limiter.acquire(Cost::new()), &waker()));
    assert!(poll(&mut limiter.acquire(Cost::new()).timeout(secs(0)), &waker()));
    assert_eq!(dropped.load(Ordering::SeqCst), 4);
}

#[test]
fn a_waker_that_panics_takes_nobody_with_it() {
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new("a panic of the waker"));
        }
    }

    let clock = ManualClock::new();
    let limiter = one_a_second(&clock);
    assert_eq!(at_once(&limiter), 1);
    let mut first = limiter.acquire(Cost::new());
    assert!(!poll(&mut first, &Waker::from(Arc::new(Panics))));
    let second = Call::start(limiter.acquire(Cost::new()));
    clock.advance(secs(2));
    assert_eq!(second.wakes(), 1);
    assert!(poll(&mut first, Waker::noop()));
    assert_eq!(second.admitted().waited(), secs(2));
}

#[test]
fn a_permit_may_be_cancelled_by_the_waker_of_another() {
    struct Cancels(std::sync::Mutex<Option<openlimit::Permit>>);

    impl Wake for Cancels {
        fn wake(self: Arc<Self>) {
            let permit = self.0.lock().expect("no thread panics").take();
            permit.expect("one wake per waker").cancel();
        }
    }

    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(2)).build().expect("valid rates");
    drop(Call::start(limiter.acquire(Cost::new())).admitted());
    let permit = Call::start(limiter.acquire(Cost::new())).admitted();
    let mut first = limiter.acquire(Cost::new());
    assert!(!poll(&mut first, &Waker::from(Arc::new(Cancels(std::sync::Mutex::new(Some(permit)))))));
    let second = Call::start(limiter.acquire(Cost::new()));
    clock.advance(secs(1) / 2);
    assert_eq!(second.admitted().waited(), secs(1) / 2, "the call did not get the cancelled request");
}
