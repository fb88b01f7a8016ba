//! A queue that may hold only so many calls: which one is refused, and what it is told.

use openlimit::Priority::{High, Low, Normal};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, BuildProblem, Cost, Overflow, Priority, Rate, RateLimiter};
use openlimit_tests::{Call, millis, plain, refused_as_full, secs};

/// A limiter of ten requests a second, none of which is left, where at most `most` calls wait.
fn used_up(clock: &ManualClock, most: usize, overflow: Overflow) -> RateLimiter {
    let builder = plain(clock).name("full").requests(Rate::per_second(10));
    let limiter = builder.max_waiting(most).overflow(overflow).build().expect("valid rates");
    while limiter.try_acquire(Cost::new()).is_ok() {}
    limiter
}

fn call(limiter: &RateLimiter, priority: Priority) -> Call {
    Call::start(limiter.acquire(Cost::new()).priority(priority))
}

#[test]
fn a_full_queue_refuses_the_call_that_arrives_and_says_how_long_it_would_take() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock, 3, Overflow::RejectNew);
    let calls = [Normal; 3].map(|priority| call(&limiter, priority));
    let error = call(&limiter, Normal).refused();
    let AcquireError::QueueFull { waiting, waited, wait, .. } = error else { panic!("{error}") };
    assert_eq!((waiting, waited, wait), (3, secs(0), millis(400)));
    assert_eq!((error.retry_after(), &**error.limiter(), error.limit()), (Some(millis(400)), "full", None));
    assert_eq!(
        error.to_string(),
        "limiter `full` has no place in its queue for the call: 3 calls wait, `max_waiting` allows no more, and \
         another one would wait for at least 400ms; try again after that, or send fewer calls"
    );
    clock.advance(millis(100));
    let next = call(&limiter, Normal);
    clock.advance(secs(1));
    assert!(calls.into_iter().map(|call| call.admitted().waited()).eq([100, 200, 300].map(millis)));
    assert_eq!(next.admitted().waited(), millis(300), "one place was free");
}

#[test]
fn a_high_call_is_refused_too_if_those_that_wait_keep_their_places() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock, 2, Overflow::RejectNew);
    let mut calls = [Low, Low, High].map(|priority| call(&limiter, priority));
    assert_eq!(refused_as_full(&mut calls), [false, false, true]);
}

#[test]
fn the_oldest_call_that_is_no_higher_makes_place() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock, 3, Overflow::DropOldest);
    let mut calls: Vec<Call> = [High, Normal, Low].map(|priority| call(&limiter, priority)).into();
    clock.advance(millis(50));
    calls.push(call(&limiter, Normal));
    assert_eq!(calls[1].wakes(), 1);
    let error = calls.remove(1).refused();
    let AcquireError::QueueFull { waited, wait, .. } = error else { panic!("{error}") };
    assert_eq!((waited, wait), (millis(50), millis(250)), "behind the high call and the new one");
    // [High, Low, Normal] wait.
    calls.push(call(&limiter, Low));
    assert_eq!(refused_as_full(&mut calls), [false, true, false, false]);
    // A low call takes the place of no higher one.
    let limiter = used_up(&clock, 1, Overflow::DropOldest);
    let mut calls = [Normal, Low, Normal].map(|priority| call(&limiter, priority));
    assert_eq!(refused_as_full(&mut calls), [true, true, false]);
}

#[test]
fn the_last_call_of_the_lowest_priority_makes_place() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock, 3, Overflow::DropLowest);
    let mut calls: Vec<Call> = [Low, Normal, Low].map(|priority| call(&limiter, priority)).into();
    for (priority, expected) in [
        (High, vec![false, false, true, false]),
        (Normal, vec![true, false, false, false]),
        // None is lower than it.
        (Normal, vec![false, false, false, true]),
        (Low, vec![false, false, false, true]),
    ] {
        calls.push(call(&limiter, priority));
        let refused = refused_as_full(&mut calls);
        assert_eq!(refused.len(), 4);
        assert_eq!(refused, expected, "{priority}");
        let mut keeps = refused.iter().map(|refused| !refused);
        calls.retain(|_| keeps.next() == Some(true));
    }
    clock.advance(secs(1));
    assert!(calls.into_iter().all(|call| call.admitted().waited() <= millis(300)));
}

#[test]
fn with_no_place_at_all_a_call_goes_at_once_or_not_at_all() {
    for overflow in [Overflow::RejectNew, Overflow::DropOldest, Overflow::DropLowest] {
        let clock = ManualClock::new();
        let limiter = used_up(&clock, 0, overflow);
        for priority in [High, Normal, Low] {
            let error = call(&limiter, priority).refused();
            assert!(matches!(error, AcquireError::QueueFull { waiting: 0, .. }), "{error}");
            assert_eq!(error.retry_after(), Some(millis(100)));
        }
        clock.advance(millis(100));
        assert_eq!(call(&limiter, Low).admitted().waited(), secs(0));
        assert_eq!(limiter.status().expect("it is built").waiting, 0);
    }
}

#[test]
fn a_call_that_need_not_wait_needs_no_place() {
    let clock = ManualClock::new();
    let builder = plain(&clock).tokens(Rate::per_second(100)).max_waiting(1);
    let limiter = builder.build().expect("valid rates");
    drop(limiter.try_acquire(60));
    let large = Call::start(limiter.acquire(90).priority(Low));
    drop(Call::start(limiter.acquire(30).priority(High)).admitted());
    assert!(matches!(Call::start(limiter.acquire(30)).refused(), AcquireError::QueueFull { .. }));
    drop(large);
}

#[test]
fn a_call_that_leaves_makes_place() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock, 1, Overflow::RejectNew);
    for _ in 0..3 {
        let mut calls = [Normal, Normal].map(|priority| call(&limiter, priority));
        assert_eq!(refused_as_full(&mut calls), [false, true]);
    }
}

#[test]
fn a_large_call_that_is_dropped_from_the_head_lets_the_others_go() {
    let clock = ManualClock::new();
    let builder = plain(&clock).tokens(Rate::per_second(100)).max_waiting(2).overflow(Overflow::DropOldest);
    let limiter = builder.build().expect("valid rates");
    drop(limiter.try_acquire(60));
    let calls = [90, 20, 10].map(|tokens| Call::start(limiter.acquire(tokens)));
    let [large, second, third] = calls;
    assert!(matches!(large.refused(), AcquireError::QueueFull { .. }));
    assert_eq!([second, third].map(|call| call.admitted().waited()), [secs(0); 2]);
}

#[test]
fn an_overflow_of_a_queue_without_bound_is_a_mistake() {
    let builder = RateLimiter::builder().requests(Rate::per_second(1));
    let error = builder.overflow(Overflow::DropLowest).build().expect_err("it changes nothing");
    assert!(matches!(error.problem(), BuildProblem::UnusedOverflow), "{error}");
}

#[test]
fn under_a_flood_the_queue_stays_at_its_bound() {
    let clock = ManualClock::new();
    for overflow in [Overflow::RejectNew, Overflow::DropOldest, Overflow::DropLowest] {
        let limiter = used_up(&clock, 1_000, overflow);
        let mut calls: Vec<Call> =
            (0..20_000_usize).map(|at| call(&limiter, [Low, High, Normal][at * at % 3])).collect();
        assert_eq!(limiter.status().expect("it is built").waiting, 1_000);
        assert_eq!(refused_as_full(&mut calls).into_iter().filter(|refused| *refused).count(), 19_000);
    }
}
