//! Shared by the tests: a call that is polled by hand, a model of the limiter, a simulation of a
//! key that is shared, and real Redis servers.
//!
//! Polling by hand makes a test exact: the test decides when a waiter is polled, and counts its
//! wakes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::testing::ManualClock;
use openlimit::{Acquire, AcquireError, Builder, Permit, Rate, RateLimiter, kind};
use serde_json::{Value, json};

pub mod closed_loop;
pub mod exact;
pub mod learning;
pub mod meter;
pub mod model;
pub mod random;
pub mod redis;
pub mod shared_key;

/// The result of an acquisition.
pub type Outcome = Result<Permit, AcquireError>;

/// Returns a builder of limiters on `clock`, without jitter and headroom, so that a test's sums are
/// round.
pub fn plain(clock: &ManualClock) -> Builder<kind::Explicit> {
    RateLimiter::builder().clock(clock).jitter(Duration::ZERO).headroom(openlimit::Percent(0))
}

/// Builds such a limiter of requests and tokens.
///
/// # Panics
/// If a rate is invalid.
#[must_use]
pub fn requests_and_tokens(clock: &ManualClock, requests: Rate, tokens: Rate) -> RateLimiter {
    plain(clock).requests(requests).tokens(tokens).build().expect("valid rates")
}

/// Returns a duration in seconds.
#[must_use]
pub fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// Returns a duration in milliseconds.
#[must_use]
pub fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a duration in nanoseconds.
#[must_use]
pub fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Returns the time of the clock, in nanoseconds.
#[must_use]
pub fn nanos_of(clock: &ManualClock) -> u64 {
    u64::try_from(clock.now().as_nanos()).unwrap_or(u64::MAX)
}

/// Waits until a condition holds, by the machine's clock.
///
/// # Panics
/// If it does not hold within twenty seconds.
#[track_caller]
pub fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + secs(20);
    while !is_so() {
        assert!(Instant::now() < deadline, "timed out waiting for {what}");
        thread::sleep(millis(5));
    }
}

/// A waker that counts its wakes.
#[derive(Debug, Default)]
pub struct Wakes(AtomicUsize);

impl Wakes {
    /// Returns how often it was woken.
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

/// A call that is polled by hand.
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

    /// Polls it, and returns whether it is ready.
    pub fn poll(&mut self) -> bool {
        if self.outcome.is_none() {
            let waker = Waker::from(Arc::clone(&self.wakes));
            if let Poll::Ready(outcome) = Pin::new(&mut self.acquire).poll(&mut Context::from_waker(&waker)) {
                self.outcome = Some(outcome);
            }
        }
        self.outcome.is_some()
    }

    /// Returns how often it was woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        self.wakes.count()
    }

    /// Polls it, and returns its outcome if it is ready. Must not be called again after that.
    pub fn over(&mut self) -> Option<Outcome> {
        self.poll();
        self.outcome.take()
    }

    /// Returns its permit.
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

    /// Returns the error with which it was refused.
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

/// Admits calls of one request until one would wait, and returns their number.
pub fn at_once(limiter: &RateLimiter) -> u64 {
    std::iter::from_fn(|| limiter.try_acquire(openlimit::Cost::new()).ok()).map(drop).count() as u64
}

/// Returns which of the calls were refused because the queue is full.
///
/// # Panics
/// If a call is over for another reason.
#[track_caller]
pub fn refused_as_full(calls: &mut [Call]) -> Vec<bool> {
    let is_refused = |call: &mut Call| match call.over() {
        None => false,
        Some(Err(AcquireError::QueueFull { .. })) => true,
        Some(outcome) => panic!("{outcome:?}"),
    };
    calls.iter_mut().map(is_refused).collect()
}

/// Returns a chat with a prompt of 13 tokens, and an answer of this length at most.
#[must_use]
pub fn question(model: &str, output: u64) -> Value {
    json!({
        "model": model,
        "messages": [{ "role": "user", "content": "Why is the sky blue?" }],
        "max_completion_tokens": output,
    })
}

/// The snippets of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The examples of the attribute compile.
#[cfg(doctest)]
#[doc = include_str!("../../openlimit-macros/src/rate_limited.md")]
pub struct RateLimited;
