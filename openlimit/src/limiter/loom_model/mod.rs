//! Models of the hand-over between the queue and a waiter, in every order in which threads can take
//! the lock.
//!
//! In each order these must hold: an admitted call is woken, nothing that was given back is lost,
//! and nothing is granted twice. The clock is the manual one, so the timer is a thread like the
//! others.

mod changes;
mod in_flight;
mod keyed;
mod stacked;
mod waiters;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use loom::thread::{self, JoinHandle};

use super::{Acquire, Builder, Permit, RateLimiter};
use crate::limits::{Cost, Percent, Rate};
use crate::pricing::kind::Explicit;
use crate::time::ManualClock;

const SECOND: Duration = Duration::from_secs(1);

/// Creates a limiter of one request per second, one at once.
fn limiter(clock: &ManualClock) -> RateLimiter {
    builder(clock).build().expect("it is sound")
}

fn builder(clock: &ManualClock) -> Builder<Explicit> {
    let builder = RateLimiter::builder().requests(Rate::per_second(1)).headroom(Percent(0));
    builder.jitter(Duration::ZERO).clock(clock)
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A call, the waker of its last poll, and its permit once it has one.
struct Call {
    acquire: Acquire,
    wakes: Arc<Wakes>,
    permit: Option<Permit>,
}

impl Call {
    fn start(limiter: &RateLimiter) -> Self {
        Self::of(limiter.acquire(Cost::new()))
    }

    fn of(acquire: Acquire) -> Self {
        let mut call = Self { acquire, wakes: Arc::default(), permit: None };
        call.poll();
        call
    }

    /// Polls the call again with a new waker. The old one may still be called, but need not be.
    fn poll(&mut self) {
        if self.permit.is_none() {
            self.wakes = Arc::default();
            let waker = Waker::from(Arc::clone(&self.wakes));
            if let Poll::Ready(outcome) = Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker)) {
                self.permit = outcome.ok();
                assert!(self.permit.is_some(), "nothing here is refused");
            }
        }
    }

    /// Returns whether it is admitted. If it is and was not polled since, it must have been woken.
    fn is_admitted(&mut self) -> bool {
        let (knew, woken) = (self.permit.is_some(), self.wakes.0.load(Ordering::SeqCst));
        self.poll();
        let admitted = self.permit.is_some();
        assert!(knew || !admitted || woken > 0, "a wake-up was lost");
        assert!(admitted || woken == 0, "woken for nothing");
        admitted
    }
}

/// Takes the only request that is available at first.
fn drained(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new()).expect("there is room")
}

/// Checks that nothing is left, and that one request is available a second later.
fn holds_exactly_nothing(limiter: &RateLimiter, clock: &ManualClock) {
    assert!(limiter.try_acquire(Cost::new()).is_err(), "given out twice");
    clock.advance(SECOND);
    assert!(limiter.try_acquire(Cost::new()).is_ok(), "lost");
}

/// Runs a model with a limiter of one request per second.
fn model(test: impl Fn(&ManualClock, RateLimiter) + Sync + Send + 'static) {
    loom::model(move || {
        let clock = ManualClock::new();
        test(&clock, limiter(&clock));
    });
}

/// Starts a thread that fires the timer as of a second later.
fn timer(clock: &ManualClock) -> JoinHandle<()> {
    let clock = clock.clone();
    thread::spawn(move || clock.advance(SECOND))
}

/// Starts a thread that cancels a call.
fn canceller(permit: Permit) -> JoinHandle<()> {
    thread::spawn(move || permit.cancel())
}

/// Waits until a thread has ended.
fn ended<T>(thread: JoinHandle<T>) -> T {
    thread.join().expect("no thread panics")
}
