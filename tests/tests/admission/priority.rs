//! Priorities: which of the waiting calls goes next, how long a low one is delayed at most, and
//! that a queue of any mix costs no more than one in the order of arrival.

use std::time::Duration;

use openlimit::Priority::{High, Low, Normal};
use openlimit::testing::ManualClock;
use openlimit::{Acquire, AcquireError, Cost, Priority, Rate, RateLimiter, Stack};
use openlimit_tests::{Call, millis, nanos_of, plain, secs};

/// A limiter of ten requests a second, none of which is left.
fn used_up(clock: &ManualClock) -> RateLimiter {
    let limiter = plain(clock).requests(Rate::per_second(10)).build().expect("valid rates");
    while limiter.try_acquire(Cost::new()).is_ok() {}
    limiter
}

fn call(limiter: &RateLimiter, priority: Priority) -> Call {
    Call::start(limiter.acquire(Cost::new()).priority(priority))
}

#[test]
fn a_higher_priority_goes_first_and_equal_ones_go_as_they_arrived() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let mixed = [Low, Normal, High, Low, High, Normal];
    let calls = mixed.map(|priority| call(&limiter, priority));
    clock.advance(secs(1));
    let waited = calls.map(|call| call.admitted().waited());
    assert_eq!(waited, [5, 3, 1, 6, 2, 4].map(|tenths| millis(100 * tenths)));
}

#[test]
fn a_call_that_names_no_priority_is_normal() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let calls = [
        call(&limiter, Low),
        Call::start(limiter.acquire(Cost::new())),
        call(&limiter, Normal),
        Call::start(limiter.acquire(Cost::new())),
        call(&limiter, High),
    ];
    clock.advance(secs(1));
    let waited = calls.map(|call| call.admitted().waited());
    assert_eq!(waited, [5, 2, 3, 4, 1].map(|tenths| millis(100 * tenths)));
}

#[test]
fn a_low_call_goes_after_nine_higher_ones_that_came_later() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let low = [call(&limiter, Low), call(&limiter, Low)];
    // More high calls arrive than the limit admits.
    let mut high: Vec<Call> = Vec::new();
    for _ in 0..300 {
        high.push(call(&limiter, High));
        clock.advance(millis(50));
    }
    assert_eq!(low.map(|call| call.admitted().waited()), [secs(1), secs(2)]);
}

#[test]
fn a_backlog_of_low_calls_takes_one_place_in_ten_from_high_ones() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let backlog: Vec<Call> = (0..5_000).map(|_| call(&limiter, Low)).collect();
    clock.advance(secs(60));
    // Old as they are, high calls need not wait for them.
    let high: Vec<Call> = (0..20).map(|_| call(&limiter, High)).collect();
    clock.advance(secs(10));
    let waited: Vec<_> = high.into_iter().map(|call| call.admitted().waited()).collect();
    let places = (1..=20).map(|place| place + (place - 1) / 9);
    assert_eq!(waited, places.map(|place| millis(100 * place)).collect::<Vec<_>>());
    drop(backlog);
}

#[test]
fn a_low_call_never_overtakes_a_higher_one_that_came_before() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let high: Vec<Call> = (0..50).map(|_| call(&limiter, High)).collect();
    let low = call(&limiter, Low);
    clock.advance(secs(6));
    assert_eq!(low.admitted().waited(), millis(5_100));
    assert!(high.into_iter().all(|call| call.admitted().waited() <= secs(5)));
}

#[test]
fn a_small_high_call_goes_at_once_while_a_large_low_one_waits() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(limiter.try_acquire(60));
    let large = Call::start(limiter.acquire(90).priority(Low));
    let small = Call::start(limiter.acquire(30).priority(High)).admitted();
    assert_eq!((small.waited(), large.wakes()), (secs(0), 0));
    clock.advance(secs(1));
    assert_eq!(large.admitted().waited(), millis(800), "the low call pays for it");
}

#[test]
fn a_priority_changes_nothing_of_the_limits() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).build().expect("valid rates");
    let mut random = 7_u64;
    let calls: Vec<Call> = (0..1_000)
        .map(|_| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            call(&limiter, [High, Normal, Low][(random >> 33) as usize % 3])
        })
        .collect();
    clock.advance(secs(99));
    let mut waited: Vec<_> = calls.into_iter().map(|call| call.admitted().waited()).collect();
    waited.sort_unstable();
    let due = (0..1_000_u64).map(|place| millis(100 * (place + 1).saturating_sub(10)));
    assert!(waited.into_iter().eq(due));
}

#[test]
fn a_timeout_counts_only_the_calls_that_go_first() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    let waiting: Vec<Call> = (0..100).map(|_| call(&limiter, Low)).collect();
    let hurried =
        |priority| Call::start(limiter.acquire(Cost::new()).priority(priority).timeout(millis(500)));
    let Err(AcquireError::Timeout { wait, .. }) = hurried(Low).over().expect("refused at once") else {
        panic!("101 calls were to go in half a second")
    };
    assert_eq!(wait, millis(10_100));
    let high: Vec<Call> = (0..5).map(|_| hurried(High)).collect();
    let AcquireError::Timeout { wait, .. } = hurried(High).refused() else { panic!("no timeout") };
    assert_eq!(wait, millis(600));
    clock.advance(millis(500));
    high.into_iter().for_each(|call| drop(call.admitted()));
    drop(waiting);
}

#[test]
fn try_acquire_overtakes_no_call_not_even_a_low_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(limiter.try_acquire(60));
    let low = Call::start(limiter.acquire(90).priority(Low));
    let refusal = limiter.try_acquire(1).expect_err("there is room for 40, but a call waits");
    assert_eq!(refusal.retry_after(), Some(millis(500)), "the call that waits goes then: {refusal}");
    drop(low);
    assert!(limiter.try_acquire(1).is_ok());
}

#[test]
fn a_high_call_that_leaves_lets_the_others_move_up() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(limiter.try_acquire(100));
    let low = Call::start(limiter.acquire(10).priority(Low));
    let high = Call::start(limiter.acquire(100).priority(High));
    clock.advance(millis(500));
    drop(high);
    assert_eq!(low.admitted().waited(), millis(500));
}

#[test]
fn a_hundred_thousand_calls_of_any_priority_join_and_leave_in_no_time() {
    let clock = ManualClock::new();
    let limiter = used_up(&clock);
    // In a list of all, each high call would have to find its place before 100 000 others.
    let low: Vec<Call> = (0..100_000).map(|_| call(&limiter, Low)).collect();
    let mut others: Vec<Option<Call>> =
        (0..100_000).map(|at| Some(call(&limiter, [High, Normal][at % 2]))).collect();
    for at in 0..100_000 {
        others[at * 7 % 100_000] = None;
    }
    clock.advance(secs(1));
    let admitted = low.into_iter().take(10).map(|call| call.admitted().waited());
    assert!(admitted.eq((1..=10).map(|tenths| millis(100 * tenths))));
    assert_eq!(nanos_of(&clock), 1_000_000_000);
}

/// A limiter of 100 tokens a second that has 50 left, of which a low call needs all and more.
fn half_used(clock: &ManualClock, concurrency: Option<u32>) -> (RateLimiter, Call) {
    let builder = plain(clock).tokens(Rate::per_second(100));
    let builder = concurrency.into_iter().fold(builder, |builder, calls| builder.concurrency(calls));
    let limiter = builder.build().expect("it is valid");
    limiter.try_acquire(50).expect("it is full").settle(50);
    let low = Call::start(limiter.acquire(80).priority(Low));
    (limiter, low)
}

#[test]
fn a_call_that_goes_before_those_that_wait_has_not_waited() {
    for concurrency in [None, Some(9)] {
        let clock = ManualClock::new();
        let (limiter, low) = half_used(&clock, concurrency);
        let permit = Call::start(limiter.acquire(30).priority(High)).admitted();
        assert_eq!((permit.waited(), permit.waited_for()), (Duration::ZERO, None));
        clock.advance(millis(600));
        assert!(low.admitted().waited_for().is_some());
    }
}

#[test]
fn a_call_without_time_goes_before_those_that_wait_if_there_is_room() {
    for concurrency in [None, Some(9)] {
        let clock = ManualClock::new();
        let (limiter, mut low) = half_used(&clock, concurrency);
        let other = plain(&clock).tokens(Rate::per_second(100)).build().expect("it is valid");
        let stack = Stack::of((&limiter, &other));
        let now =
            |acquire: Acquire, priority| Call::start(acquire.priority(priority).timeout(Duration::ZERO));
        drop(now(limiter.acquire(20), High).admitted());
        drop(now(stack.acquire(20), Normal).admitted());
        // Ten are left.
        for refused in [
            now(limiter.acquire(11), High),
            now(stack.acquire(11), High),
            now(limiter.acquire(1), Low),
            now(stack.acquire(1), Low),
        ] {
            assert!(matches!(refused.refused(), AcquireError::Timeout { .. }));
        }
        clock.advance(millis(699));
        assert!(!low.poll());
        clock.advance(millis(1));
        drop(low.admitted());
    }
}
