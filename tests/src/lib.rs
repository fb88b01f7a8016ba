//! What the behaviour tests share: a call that is polled by hand, and a model to compare the limiter with.
//!
//! Polling by hand makes a test exact: it decides when a waiter looks, and counts how often it was woken.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::testing::ManualClock;
use openlimit::{Acquire, AcquireError, Builder, Permit, RateLimiter, kind};

pub mod meter;
pub mod model;
pub mod random;
pub mod redis;

/// How an acquisition ended.
pub type Outcome = Result<Permit, AcquireError>;

/// A builder of limiters on `clock`, with neither jitter nor headroom, so that a test's sums are round.
pub fn plain(clock: &ManualClock) -> Builder<kind::Explicit> {
    RateLimiter::builder().clock(clock).jitter(Duration::ZERO).headroom(openlimit::Percent(0))
}

/// So many seconds.
#[must_use]
pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// So many milliseconds.
#[must_use]
pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// So many nanoseconds.
#[must_use]
pub fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// What the clock reads, in nanoseconds.
#[must_use]
pub fn nanos_of(clock: &ManualClock) -> u64 {
    u64::try_from(clock.now().as_nanos()).unwrap_or(u64::MAX)
}

/// Waits until something is so that is to be so soon, by the machine's clock.
///
/// # Panics
/// If it is not within twenty seconds.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(millis(5));
    }
}

/// A waker that counts.
#[derive(Debug, Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    /// How often it was woken.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A call that asks to be admitted, polled by hand.
#[derive(Debug)]
pub struct Call {
    acquire: Acquire,
    wakes: Arc<Wakes>,
    outcome: Option<Outcome>,
}

impl Call {
    /// Polls it for the first time: it is admitted, refused, or joins the queue.
    #[must_use]
    pub fn start(acquire: Acquire) -> Self {
        let mut call = Self { acquire, wakes: Arc::default(), outcome: None };
        call.poll();
        call
    }

    /// Looks again; whether it is over.
    pub fn poll(&mut self) -> bool {
        if self.outcome.is_none() {
            let waker = Waker::from(Arc::clone(&self.wakes));
            if let Poll::Ready(outcome) = Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker)) {
                self.outcome = Some(outcome);
            }
        }
        self.outcome.is_some()
    }

    /// How often it was woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.count()
    }

    /// Looks again, and hands out its outcome if it is over. To be asked no further then.
    pub fn over(&mut self) -> Option<Outcome> {
        self.poll();
        self.outcome.take()
    }

    /// Its permit.
    ///
    /// # Panics
    /// If it still waits or was refused.
    #[track_caller]
    pub fn admitted(mut self) -> Permit {
        match self.over() {
            Some(Ok(permit)) => permit,
            Some(Err(error)) => panic!("refused: {error}"),
            None => panic!("it still waits"),
        }
    }

    /// Why it was refused.
    ///
    /// # Panics
    /// If it still waits or was admitted.
    #[must_use]
    #[track_caller]
    pub fn refused(mut self) -> AcquireError {
        match self.over() {
            Some(Err(error)) => error,
            Some(Ok(_)) => panic!("it was admitted"),
            None => panic!("it still waits"),
        }
    }
}

/// How many calls of one request are admitted at once.
pub fn at_once(limiter: &RateLimiter) -> u64 {
    std::iter::from_fn(|| limiter.try_acquire(openlimit::Cost::new()).ok()).map(drop).count() as u64
}

/// The snippets of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
