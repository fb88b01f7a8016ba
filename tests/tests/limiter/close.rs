//! `close`: nothing is admitted any more, and calls that were admitted go on.

use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Closing, Cost, Rate, RateLimiter, limiter};
use openlimit_tests::{Call, Wakes, millis, plain, secs};

fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).name("chat").tokens(Rate::per_second(10).burst(secs(10))).build().expect("a valid rate")
}

fn is_closed(error: &AcquireError) -> bool {
    matches!(error, AcquireError::Closed { limiter } if &**limiter == "chat")
}

#[test]
fn calls_that_wait_are_refused_at_once_and_woken() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.try_acquire(100).expect("there is room"));
    let mut calls: Vec<_> =
        [secs(1), secs(3_600)].map(|time| Call::start(limiter.acquire(5).timeout(time))).into();
    calls.push(Call::start(limiter.acquire(5)));
    drop(limiter.close());
    for call in calls {
        assert_eq!(call.wakes(), 1);
        assert!(is_closed(&call.refused()));
    }
    assert_eq!(limiter.status().expect("it is built").waiting, 0);
}

#[test]
fn every_later_call_is_refused_however_it_asks() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let clone = limiter.clone();
    let prepared = limiter.acquire(1);
    drop(limiter.close());
    let refusals = [
        prepared.blocking().expect_err("it is closed"),
        clone.acquire(1).blocking().expect_err("it is closed"),
        clone.try_acquire(1).expect_err("it is closed"),
        clone.try_acquire(Cost::new().tokens(1 << 40)).expect_err("it is closed"),
        clone.acquire(1).timeout(millis(0)).blocking().expect_err("it is closed"),
    ];
    for refusal in &refusals[..3] {
        assert!(is_closed(refusal), "{refusal}");
        assert_eq!((refusal.retry_after(), refusal.limit()), (None, None));
        assert_eq!(refusal.to_string(), "limiter `chat` is closed and admits no calls any more");
    }
    clock.advance(secs(3_600));
    assert!(is_closed(&clone.acquire(1).blocking().expect_err("it is closed")));
}

#[test]
fn permits_that_are_out_are_settled_and_a_call_that_was_admitted_has_its_permit() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = limiter.try_acquire(100).expect("there is room");
    let waited = Call::start(limiter.acquire(10));
    clock.advance(secs(1));
    // It was admitted, and not polled since.
    drop(limiter.close());
    waited.admitted().cancel();
    permit.settle(20);
    drop(limiter.charge(5).expect("a charge is no admission"));
    let left = limiter.status().expect("it is built").limits[0].full_in;
    assert_eq!(left, millis(1_500));
}

#[test]
fn nothing_opens_it_again() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = limiter.try_acquire(1).expect("there is room");
    let exhausted = Observation::from_parts(
        429,
        [("retry-after", "86400")],
        br#"{"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}"#,
    );
    permit.refused(&exhausted);
    clock.advance(secs(86_400));
    let probe = limiter.acquire(1).blocking().expect("one call finds out");
    drop(limiter.close());
    drop(limiter.close());
    drop(probe);
    limiter.hold(secs(1), "429").expect("it is built");
    clock.advance(secs(86_400));
    limiter.release().expect("it is built");
    assert!(is_closed(&limiter.try_acquire(1).expect_err("it is closed")));
}

#[test]
fn the_status_says_so() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").tokens(Rate::per_day(100)).build().expect("a valid rate");
    assert!(!limiter.status().expect("it is built").is_closed);
    drop(limiter.close());
    let status = limiter.status().expect("it is built");
    assert!(status.is_closed && status.hold.is_none());
    assert_eq!(status.to_string(), "chat: closed, 0 waiting; 100 tokens / day: 100 available");
}

#[test]
fn the_status_still_says_why_it_is_on_hold() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let reason = || limiter.status().expect("it is built").hold.expect("it is on hold").reason;
    limiter.hold(secs(10), "429: come back in 10 s").expect("it is built");
    drop(limiter.close());
    assert_eq!(&*reason(), "429: come back in 10 s");
    // A call that was admitted before may be refused later.
    limiter.hold(secs(20), "429: come back in 20 s").expect("it is built");
    assert_eq!(&*reason(), "429: come back in 20 s");
    clock.advance(secs(20));
    assert!(limiter.status().expect("it is built").hold.is_none());
}

#[test]
fn awaiting_it_in_memory_is_over_at_once_again_and_again() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let _permit = limiter.try_acquire(1).expect("there is room");
    for _ in 0..2 {
        let mut closing = limiter.close();
        let polled = Future::poll(Pin::new(&mut closing), &mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Ready(Ok(()))));
        assert!(limiter.close().timeout(secs(0)).blocking().is_ok());
    }
}

#[test]
fn a_limiter_that_cannot_be_built_says_so_when_it_is_closed() {
    limiter! {
        static WRONG: RateLimiter = { requests: Rate::per_minute(0) };
    }
    assert!(matches!(WRONG.close().blocking(), Err(AcquireError::Build(_))));
}

#[test]
fn a_waker_may_close_the_limiter_that_calls_it() {
    struct Closes(RateLimiter, Mutex<Sender<Result<(), AcquireError>>>);

    impl Wake for Closes {
        fn wake(self: Arc<Self>) {
            let closed = self.0.close().blocking();
            self.1.lock().expect("no thread panics").send(closed).expect("the test receives it");
        }
    }

    // On the system's clock, so that the thread of the library calls the waker.
    let limiter = RateLimiter::builder().requests(Rate::per_second(20).burst(millis(50))).build();
    let limiter = limiter.expect("a valid rate");
    drop(limiter.acquire(Cost::new()).blocking().expect("there is room"));
    let (sender, closed) = channel();
    let waker = Waker::from(Arc::new(Closes(limiter.clone(), Mutex::new(sender))));
    let mut calls = [limiter.acquire(Cost::new()), limiter.acquire(Cost::new())];
    for call in &mut calls {
        assert!(Future::poll(Pin::new(call), &mut Context::from_waker(&waker)).is_pending());
    }
    assert!(closed.recv_timeout(secs(60)).expect("the waker hung").is_ok());
    let [first, second] = calls;
    assert!(first.blocking().is_ok());
    assert!(matches!(second.blocking(), Err(AcquireError::Closed { .. })));
}

#[test]
fn calls_that_wait_for_others_to_end_are_refused_too_and_those_in_flight_go_on() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").concurrency(1).build().expect("a valid concurrency");
    let first = limiter.try_acquire(Cost::new()).expect("there is room");
    let waits = Call::start(limiter.acquire(Cost::new()));
    drop(limiter.close());
    assert!(is_closed(&waits.refused()));
    assert!(is_closed(&limiter.try_acquire(Cost::new()).expect_err("it is closed")));
    assert_eq!(limiter.status().expect("it is built").in_flight.map(|calls| calls.calls), Some(1));
    drop(first);
    assert_eq!(limiter.status().expect("it is built").in_flight.map(|calls| calls.calls), Some(0));
    assert!(is_closed(&limiter.try_acquire(Cost::new()).expect_err("it is closed")));
}

#[test]
fn awaiting_it_waits_for_the_calls_in_flight() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").concurrency(2).build().expect("a valid concurrency");
    let permits = [0; 2].map(|_| limiter.try_acquire(Cost::new()).expect("there is room"));
    let mut closings = [0; 2].map(|_| limiter.close());
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let poll = |closing: &mut Closing| Pin::new(closing).poll(&mut Context::from_waker(&waker));
    assert!(closings.iter_mut().all(|closing| poll(closing).is_pending() && poll(closing).is_pending()));
    let [one, other] = permits;
    one.settle(0);
    assert_eq!(wakes.count(), 0);
    drop(other);
    assert_eq!(wakes.count(), 1, "both closings have one waker");
    assert!(closings.iter_mut().all(|closing| matches!(poll(closing), Poll::Ready(Ok(())))));
}

#[test]
fn awaiting_it_for_a_call_that_does_not_end_is_over_after_the_timeout() {
    let limiter = RateLimiter::builder().concurrency(1).build().expect("a valid concurrency");
    let permit = limiter.try_acquire(Cost::new()).expect("there is room");
    limiter.close().timeout(millis(20)).blocking().expect("nothing has to be sent");
    limiter.close().timeout(secs(0)).blocking().expect("nothing has to be sent");
    // And from another thread, as soon as it ends.
    let closing = limiter.close().timeout(secs(60));
    let closed = std::thread::spawn(|| closing.blocking());
    drop(permit);
    closed.join().expect("it does not panic").expect("nothing has to be sent");
}
