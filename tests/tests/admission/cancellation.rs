//! Dropped calls. A dropped call costs nothing at any stage: later calls are admitted as if it had
//! never been made.

use openlimit::testing::ManualClock;
use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::{Call, at_once, millis, plain, secs};

/// Returns a limiter of ten requests a second, with a burst of one.
fn ten(clock: &ManualClock) -> RateLimiter {
    let burst = millis(100);
    plain(clock).requests(Rate::per_second(10).burst(burst)).build().expect("valid rates")
}

fn call(limiter: &RateLimiter) -> Call {
    Call::start(limiter.acquire(Cost::new()))
}

#[test]
fn dropped_before_its_first_poll() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    for _ in 0..1_000 {
        drop(limiter.acquire(Cost::new()));
    }
    assert_eq!(at_once(&limiter), 1);
}

/// Queues four calls and drops some of them. The others are admitted as if those had never queued.
#[test]
fn dropped_anywhere_in_the_queue() {
    for left in [&[0_usize] as &[usize], &[1], &[2], &[3], &[0, 1], &[1, 2], &[2, 3], &[0, 3], &[0, 1, 2, 3]]
    {
        let clock = ManualClock::new();
        let limiter = ten(&clock);
        drop(call(&limiter).admitted());
        let mut calls: Vec<Option<Call>> = (0..4).map(|_| Some(call(&limiter))).collect();
        clock.advance(millis(50));
        for index in left {
            calls[*index] = None;
        }
        let mut due = 50;
        for mut stays in calls.into_iter().flatten() {
            clock.advance(millis(due) - millis(1));
            assert!(!stays.poll(), "a call was admitted early without {left:?}");
            clock.advance(millis(1));
            assert_eq!(stays.admitted().waited(), clock.now(), "{left:?}");
            due = 100;
        }
        clock.advance(millis(100));
        assert_eq!(at_once(&limiter), 1, "{left:?}");
    }
}

#[test]
fn a_grant_dropped_unpolled_is_given_back_and_the_next_goes_at_once() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    let (first, mut second) = (call(&limiter), call(&limiter));
    clock.advance(millis(100));
    assert_eq!((first.wakes(), second.wakes()), (1, 0));
    assert!(!second.poll());
    drop(first);
    assert_eq!(second.wakes(), 1, "the grant did not pass on at once");
    assert_eq!(second.admitted().waited(), millis(100));
}

#[test]
fn a_grant_dropped_later_gives_back_what_has_not_leaked() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    let first = call(&limiter);
    clock.advance(millis(140));
    drop(first);
    assert_eq!(at_once(&limiter), 1, "the dropped call still counts");
}

#[test]
fn dropped_once_its_time_was_over() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    let ahead = call(&limiter);
    let late = Call::start(limiter.acquire(Cost::new()).timeout(millis(200)));
    // The call ahead settles at 10 requests, so the other call times out.
    clock.advance(millis(100));
    ahead.admitted().settle(openlimit::Usage::from(0).with("requests", 10));
    clock.advance(millis(100));
    assert_eq!(late.wakes(), 1);
    drop(late);
    clock.advance(millis(900));
    assert_eq!(at_once(&limiter), 1);
}

#[test]
fn a_dropped_call_with_a_timeout_leaves_no_trace() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    for _ in 0..100 {
        drop(Call::start(limiter.acquire(Cost::new()).timeout(secs(1))));
    }
    let next = call(&limiter);
    clock.advance(millis(100));
    assert_eq!(next.admitted().waited(), millis(100));
}

#[test]
fn a_head_that_is_never_polled_again_holds_nobody_back() {
    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    // The runtime of this call never runs again, so the call is woken but not polled.
    let parked = call(&limiter);
    let behind: Vec<Call> = (0..3).map(|_| call(&limiter)).collect();
    clock.advance(millis(400));
    for (place, call) in behind.into_iter().enumerate() {
        assert_eq!(call.admitted().waited(), millis(200 + 100 * place as u64));
    }
    assert_eq!(parked.wakes(), 1);
    assert_eq!(parked.admitted().waited(), millis(100), "the parked call lost its turn");
}

#[test]
fn a_large_head_that_leaves_lets_the_small_ones_go_at_once() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(Call::start(limiter.acquire(50)).admitted());
    let large = Call::start(limiter.acquire(100));
    let mut small: Vec<Call> = (0..6).map(|_| Call::start(limiter.acquire(10))).collect();
    assert!(!small[0].poll());
    drop(large);
    let gone: Vec<bool> = small.iter_mut().map(Call::poll).collect();
    assert_eq!(gone, [true, true, true, true, true, false]);
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    let clock = ManualClock::new();
    let limiter = ten(&clock);
    drop(call(&limiter).admitted());
    let mut acquire = limiter.acquire(Cost::new());
    let wakers = [(); 3].map(|()| Arc::<openlimit_tests::Wakes>::default());
    for wakes in &wakers {
        let waker = Waker::from(Arc::clone(wakes));
        assert!(Pin::new(&mut acquire).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    clock.advance(millis(100));
    assert_eq!(wakers.each_ref().map(|wakes| wakes.count()), [0, 0, 1]);
    let ready = Pin::new(&mut acquire).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(ready, Poll::Ready(Ok(_))));
    clock.advance(secs(10));
    assert_eq!(wakers.map(|wakes| wakes.count()), [0, 0, 1], "a waker was woken twice or without need");
}
