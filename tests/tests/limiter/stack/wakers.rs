//! Wakers of other calls, which a stacked call wakes when it goes on. They are foreign code, so no
//! lock of the stacked call is held while they run.

use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::thread;

use openlimit::testing::ManualClock;
use openlimit::{Acquire, Cost, Rate, RateLimiter, Stack};
use openlimit_tests::{plain, secs};

fn a_day(clock: &ManualClock, requests: u64) -> RateLimiter {
    plain(clock).requests(Rate::per_day(requests)).build().expect("valid rates")
}

fn poll(acquire: &mut Acquire, waker: &Waker) -> bool {
    Pin::new(acquire).poll(&mut Context::from_waker(waker)).is_ready()
}

/// A waker that runs its task at once: a task that waits for a stacked call, too.
struct Runs {
    stacked: Mutex<Option<Acquire>>,
    done: Mutex<mpsc::Sender<bool>>,
    drops: bool,
}

impl Wake for Runs {
    fn wake(self: Arc<Self>) {
        let mut stacked = self.stacked.lock().expect("no thread panics").take().expect("it is woken once");
        let is_ready = self.drops || poll(&mut stacked, Waker::noop());
        drop(stacked);
        self.done.lock().expect("no thread panics").send(is_ready).expect("the test waits");
    }
}

#[test]
fn a_waker_may_poll_or_drop_the_stacked_call_that_made_room() {
    for drops in [false, true] {
        let (done, is_done) = mpsc::channel();
        // A thread of its own: if it hangs, the test fails all the same.
        thread::spawn(move || {
            let clock = ManualClock::new();
            let (inner, outer) = (a_day(&clock, 2), a_day(&clock, 1));
            let last = outer.try_acquire(Cost::new()).expect("it is new");
            let mut stacked = Stack::of((&inner, &outer)).acquire(Cost::new());
            assert!(!poll(&mut stacked, Waker::noop()));
            // It waits for the stacked call alone.
            let mut behind = inner.acquire(Cost::new());
            let runs = Runs { stacked: Mutex::new(Some(stacked)), done: Mutex::new(done), drops };
            assert!(!poll(&mut behind, &Waker::from(Arc::new(runs))));
            last.cancel();
            assert!(poll(&mut behind, Waker::noop()));
        });
        assert_eq!(is_done.recv_timeout(secs(20)), Ok(true), "it hangs");
    }
}

#[test]
fn a_waker_that_panics_when_it_is_replaced_ends_no_wait() {
    struct Panics;

    impl Wake for Panics {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Panics {
        fn drop(&mut self) {
            std::panic::resume_unwind(Box::new("a panic of the waker"));
        }
    }

    let clock = ManualClock::new();
    let (inner, outer) = (a_day(&clock, 1), a_day(&clock, 1));
    let last = outer.try_acquire(Cost::new()).expect("it is new");
    let mut stacked = Stack::of((&inner, &outer)).acquire(Cost::new());
    let waker = Waker::from(Arc::new(Panics));
    assert!(!poll(&mut stacked, &waker));
    // The call has the last one now.
    drop(waker);
    assert!(!poll(&mut stacked, Waker::noop()));
    last.cancel();
    assert!(poll(&mut stacked, Waker::noop()));
}
