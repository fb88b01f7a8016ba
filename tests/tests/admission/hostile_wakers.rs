//! Wakers that panic or block on the timer thread of the process. Other limiters are not affected.
//!
//! The tests use the system clock, because a thread of the library calls wakers only there.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use openlimit::{Acquire, AcquireError, Cost, Permit, Rate, RateLimiter};
use openlimit_tests::{millis, secs};

/// Returns a limiter of twenty requests a second, with a burst of one.
fn limiter() -> RateLimiter {
    let rate = Rate::per_second(20).burst(millis(50));
    RateLimiter::builder().name("slow").requests(rate).jitter(millis(0)).build().expect("valid rates")
}

/// Returns a waiting call that wakes `waker` when it is admitted.
fn waiting(limiter: &RateLimiter, waker: Arc<impl Wake + Send + Sync + 'static>) -> Acquire {
    drop(limiter.acquire(Cost::new()).blocking().expect("the call is admitted"));
    let mut acquire = limiter.acquire(Cost::new());
    let waker = Waker::from(waker);
    let polled = Future::poll(Pin::new(&mut acquire), &mut Context::from_waker(&waker));
    assert!(polled.is_pending(), "a second call was admitted at once");
    acquire
}

/// Asserts that another limiter still queues and admits calls.
fn another_goes_on() {
    let another = limiter();
    for _ in 0..3 {
        drop(another.acquire(Cost::new()).timeout(secs(60)).blocking().expect("the call is admitted"));
    }
}

#[test]
fn a_waker_whose_panic_panics_again_when_it_is_dropped_ends_no_other_wait() {
    struct PanicsAgain;

    impl Drop for PanicsAgain {
        fn drop(&mut self) {
            resume_unwind(Box::new("the payload's own panic"));
        }
    }

    struct Panics(Mutex<Sender<()>>);

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            self.0.lock().expect("no thread panics").send(()).expect("the test receives it");
            resume_unwind(Box::new(PanicsAgain));
        }
    }

    let (sender, woken) = channel();
    let limiter = limiter();
    let acquire = waiting(&limiter, Arc::new(Panics(Mutex::new(sender))));
    woken.recv_timeout(secs(60)).expect("the waker is called");
    another_goes_on();
    drop(acquire);
}

#[test]
fn a_waker_that_blocks_its_own_thread_gets_an_error_and_ends_no_other_wait() {
    struct Blocks(RateLimiter, Mutex<Sender<Result<Permit, AcquireError>>>);

    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            let blocked = (0..3).find_map(|_| self.0.acquire(Cost::new()).timeout(secs(60)).blocking().err());
            let sender = self.1.lock().expect("no thread panics");
            sender.send(Err(blocked.expect("one of three calls waits"))).expect("the test receives it");
        }
    }

    let (sender, blocked) = channel();
    let limiter = limiter();
    let acquire = waiting(&limiter, Arc::new(Blocks(self::limiter(), Mutex::new(sender))));
    let error = blocked.recv_timeout(secs(60)).expect("the call hung").expect_err("an error");
    assert!(matches!(error, AcquireError::WouldDeadlock { .. }), "wrong error: {error:?}");
    assert_eq!(
        error.to_string(),
        "limiter `slow` cannot block the call on this thread, which ends the waits of all calls; await the call, or \
         block on a thread of your own"
    );
    another_goes_on();
    drop(acquire);
}
