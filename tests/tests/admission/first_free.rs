//! `first_free`: waits in several queues, takes the first grant, and the others cost nothing.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{
    Acquire, AcquireError, Cost, FirstFree, FirstFreeError, Permit, Rate, RateLimiter, Stack, first_free,
};
use openlimit_tests::{Call, Wakes, at_once, plain, secs};

/// Returns a limiter of one request in so many seconds.
fn every(seconds: u64, clock: &ManualClock) -> RateLimiter {
    plain(clock).requests(Rate::new(1, secs(seconds))).build().expect("a valid rate")
}

/// Returns the same, with nothing left.
fn busy(seconds: u64, clock: &ManualClock) -> RateLimiter {
    let limiter = every(seconds, clock);
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    limiter
}

fn one(limiter: &RateLimiter) -> Acquire {
    limiter.acquire(Cost::new())
}

fn waiting(limiter: &RateLimiter) -> usize {
    limiter.status().expect("it is built").waiting
}

type Polled = Poll<Result<(usize, Permit), FirstFreeError>>;

fn poll(calls: &mut FirstFree, wakes: &Arc<Wakes>) -> Polled {
    Pin::new(calls).poll(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
}

#[test]
fn the_first_that_is_free_at_once_leaves_the_others_untouched() {
    let clock = ManualClock::new();
    let (busy, free, spare) = (busy(10, &clock), every(10, &clock), every(10, &clock));
    let (index, permit) = first_free([one(&busy), one(&free), one(&spare)]).blocking().expect("one is free");
    assert_eq!((index, permit.waited()), (1, Duration::ZERO));
    assert_eq!((waiting(&busy), at_once(&free), at_once(&spare)), (0, 0, 1));
}

#[test]
fn it_waits_in_every_queue_and_takes_the_first_grant() {
    let clock = ManualClock::new();
    let (slow, quick) = (busy(10, &clock), busy(3, &clock));
    let mut calls = first_free([one(&slow), one(&quick)]);
    let wakes = Arc::default();
    assert!(poll(&mut calls, &wakes).is_pending());
    assert_eq!((waiting(&slow), waiting(&quick)), (1, 1));
    // It keeps its place in both.
    let mut behind = Call::start(one(&slow));
    clock.advance(secs(3));
    assert_eq!(wakes.count(), 1);
    let Poll::Ready(Ok((1, permit))) = poll(&mut calls, &wakes) else { panic!("the quick one is free") };
    assert_eq!(permit.waited(), secs(3));
    // The other call has left its queue, although the future is still there.
    assert_eq!(waiting(&slow), 1);
    clock.advance(secs(7));
    assert!(behind.poll());
    drop(calls);
}

#[test]
fn of_two_that_are_granted_at_the_same_moment_the_later_is_given_back_in_full() {
    let clock = ManualClock::new();
    let (first, second) = (busy(5, &clock), busy(5, &clock));
    let mut calls = first_free([one(&first), one(&second)]);
    assert!(poll(&mut calls, &Arc::default()).is_pending());
    let mut behind = Call::start(one(&second));
    clock.advance(secs(5));
    let Poll::Ready(Ok((0, _permit))) = poll(&mut calls, &Arc::default()) else { panic!("both are free") };
    assert!(behind.poll());
    assert_eq!(at_once(&first), 0);
}

#[test]
fn dropped_at_any_point_it_costs_nothing() {
    for advances in 0..3 {
        let clock = ManualClock::new();
        let limiters = [busy(5, &clock), busy(5, &clock), every(5, &clock)];
        drop(first_free(limiters.iter().map(one)));
        let mut calls = first_free(limiters[..2].iter().map(one));
        if advances > 0 {
            assert!(poll(&mut calls, &Arc::default()).is_pending());
        }
        if advances > 1 {
            // Both are granted, and not polled since.
            clock.advance(secs(5));
        }
        drop(calls);
        clock.advance(secs(5));
        assert_eq!(limiters.map(|limiter| (waiting(&limiter), at_once(&limiter))), [(0, 1); 3]);
    }
}

#[test]
fn a_call_in_flight_is_given_back_too() {
    let clock = ManualClock::new();
    let limiters = [1, 2].map(|calls| plain(&clock).concurrency(calls).build().expect("it is valid"));
    let held = limiters.clone().map(|limiter| limiter.try_acquire(Cost::new()).expect("there is room"));
    let _also = limiters[1].try_acquire(Cost::new()).expect("there is room");
    let mut calls = first_free(limiters.iter().map(one));
    assert!(poll(&mut calls, &Arc::default()).is_pending());
    drop(held);
    let Poll::Ready(Ok((0, permit))) = poll(&mut calls, &Arc::default()) else { panic!("both are free") };
    let in_flight = || limiters.each_ref().map(|limiter| limiter.status().unwrap().in_flight.unwrap().calls);
    assert_eq!(in_flight(), [1, 1]);
    drop(permit);
    assert_eq!(in_flight(), [0, 1]);
}

#[test]
fn calls_that_fail_are_left_out_and_the_others_go_on() {
    let clock = ManualClock::new();
    let limiter = busy(5, &clock);
    let too_large = limiter.acquire(Cost::new().requests(7));
    let mut calls = first_free([too_large, one(&limiter), one(&limiter).timeout(secs(1))]);
    assert!(poll(&mut calls, &Arc::default()).is_pending());
    clock.advance(secs(5));
    assert!(matches!(poll(&mut calls, &Arc::default()), Poll::Ready(Ok((1, _)))));
}

/// Returns a limiter of one request in so many seconds, for which one call waits and no other may,
/// and that call.
fn full(seconds: u64, clock: &ManualClock) -> (RateLimiter, Call) {
    let builder = plain(clock).requests(Rate::new(1, secs(seconds))).max_waiting(1);
    let limiter = builder.build().expect("a valid rate");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let waits = Call::start(one(&limiter));
    (limiter, waits)
}

/// Asks for `call`, which a full queue refuses, and for one that fails after ten seconds. Returns
/// what comes of both then, after `change`.
fn ten_seconds_after(call: Acquire, clock: &ManualClock, change: impl FnOnce()) -> (FirstFree, Polled) {
    let busy = plain(clock).concurrency(1).build().expect("it is valid");
    let _held = busy.try_acquire(Cost::new()).expect("there is room");
    let mut calls = first_free([call, one(&busy).timeout(secs(10))]);
    assert!(poll(&mut calls, &Arc::default()).is_pending());
    change();
    assert!(poll(&mut calls, &Arc::default()).is_pending(), "it is left out while the other one waits");
    clock.advance(secs(10));
    let polled = poll(&mut calls, &Arc::default());
    (calls, polled)
}

#[test]
fn a_call_that_a_full_queue_refused_is_admitted_if_there_is_room_when_the_others_have_failed() {
    for is_stacked in [false, true] {
        // The last one has ended by then.
        for timeout in [u64::MAX, 20, 2] {
            let clock = ManualClock::new();
            let (full, _first) = full(1, &clock);
            let call = if is_stacked { Stack::of([&full]).acquire(Cost::new()) } else { one(&full) };
            let (_, polled) = ten_seconds_after(call.timeout(secs(timeout)), &clock, || ());
            let Poll::Ready(Ok((0, permit))) = polled else { panic!("there is room: {polled:?}") };
            assert_eq!((permit.waited(), at_once(&full)), (Duration::ZERO, 0));
        }
    }
}

#[test]
fn a_call_of_any_cost_that_a_full_queue_refused_arrives_again() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).concurrency(1).max_waiting(0).build().expect("it is valid");
    let held = limiter.try_acquire(Cost::new()).expect("there is room");
    let (_, polled) = ten_seconds_after(one(&limiter), &clock, || drop(held));
    assert!(matches!(polled, Poll::Ready(Ok((0, _)))), "{polled:?}");
}

#[test]
fn a_call_that_a_full_queue_refused_waits_if_there_is_a_place_when_the_others_have_failed() {
    for is_stacked in [false, true] {
        let clock = ManualClock::new();
        let (full, first) = full(100, &clock);
        let call = if is_stacked { Stack::of([&full]).acquire(Cost::new()) } else { one(&full) };
        let raise = || full.update(|limits| limits.max_waiting(2)).expect("it is valid");
        let (mut calls, polled) = ten_seconds_after(call.timeout(secs(200)), &clock, raise);
        assert!(polled.is_pending());
        assert_eq!(waiting(&full), 2);
        clock.advance(secs(190));
        drop(first.admitted());
        let Poll::Ready(Ok((0, _))) = poll(&mut calls, &Arc::default()) else { panic!("it is due") };
    }
}

#[test]
fn the_timeout_of_a_call_that_arrives_again_counts_from_its_first_arrival() {
    let clock = ManualClock::new();
    let (full, first) = full(100, &clock);
    let mut second = None;
    let (_, polled) = ten_seconds_after(one(&full).timeout(secs(200)), &clock, || {
        full.update(|limits| limits.max_waiting(3)).expect("it is valid");
        second = Some(Call::start(one(&full)));
    });
    let Poll::Ready(Err(error)) = polled else { panic!("it is due after 300 s: {polled:?}") };
    let AcquireError::Timeout { timeout, wait, .. } = error.errors()[0] else { panic!("{error}") };
    assert_eq!((timeout, wait), (secs(190), secs(290)));
    drop((first, second));
}

#[test]
fn if_a_queue_is_full_still_when_the_others_have_failed_the_error_says_what_is_so_then() {
    let clock = ManualClock::new();
    let (full, first) = full(100, &clock);
    let mut second = None;
    let (_, polled) = ten_seconds_after(one(&full), &clock, || {
        full.update(|limits| limits.max_waiting(2)).expect("it is valid");
        second = Some(Call::start(one(&full)));
    });
    let Poll::Ready(Err(error)) = polled else { panic!("there is no place: {polled:?}") };
    let AcquireError::QueueFull { waiting, wait, .. } = error.errors()[0] else { panic!("{error}") };
    assert_eq!((waiting, wait), (2, secs(290)));
    assert!(matches!(error.errors()[1], AcquireError::TooManyInFlight { .. }), "{error}");
    drop((first, second));
}

#[test]
fn it_fails_when_all_have_failed_and_says_why_each_did() {
    let clock = ManualClock::new();
    let chat = plain(&clock).name("chat").requests(Rate::per_minute(1)).build().expect("a valid rate");
    drop(chat.try_acquire(Cost::new()).expect("there is room"));
    let slots = plain(&clock).name("slots").concurrency(1).build().expect("it is valid");
    let _permit = slots.try_acquire(Cost::new()).expect("there is room");
    let timeout = secs(4);
    let mut calls = first_free([one(&chat).timeout(timeout), one(&slots).timeout(timeout)]);
    assert!(poll(&mut calls, &Arc::default()).is_pending());
    clock.advance(timeout);
    let Poll::Ready(Err(error)) = poll(&mut calls, &Arc::default()) else { panic!("both have failed") };
    assert!(matches!(error.errors(), [AcquireError::Timeout { .. }, AcquireError::TooManyInFlight { .. }]));
    assert_eq!(error.retry_after(), Some(secs(60)));
    let told = error.to_string();
    assert!(told.starts_with("none of 2 calls can be admitted; 0: limiter `chat`"), "{told}");
    assert!(told.contains("; 1: limiter `slots` cannot admit the call within 4s"), "{told}");
    let alone = first_free([one(&chat).timeout(Duration::ZERO)]).blocking().unwrap_err();
    assert_eq!(alone.to_string(), alone.errors()[0].to_string());
}

#[test]
fn the_first_of_none_is_an_error() {
    let error = first_free([]).blocking().unwrap_err();
    assert!(error.errors().is_empty() && error.retry_after().is_none());
    assert_eq!(error.to_string(), "`first_free` was given no calls; give it at least one");
}

#[tokio::test]
async fn it_is_awaited_like_any_call_by_many_tasks() {
    let limiters =
        [1, 2, 3].map(|calls| RateLimiter::builder().concurrency(calls).build().expect("it is valid"));
    let tasks = (0..50).map(|_| {
        let limiters = limiters.clone();
        tokio::spawn(async move {
            let (index, permit) = first_free(limiters.iter().map(one)).await.expect("one is free");
            tokio::task::yield_now().await;
            let flights = limiters[index].status().expect("it is built").in_flight.expect("it is limited");
            assert!(flights.calls <= flights.most);
            drop(permit);
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.expect("no task panics");
    }
    for limiter in limiters {
        assert_eq!(limiter.status().expect("it is built").in_flight.expect("it is limited").calls, 0);
        assert_eq!(waiting(&limiter), 0);
    }
}
