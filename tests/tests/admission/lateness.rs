//! Late timers, suspended processes and stopped clocks. Timers that are late by up to half the
//! jitter cost no throughput, and no delay admits more calls at once than the bound allows.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Builder, Cost, Percent, Rate, RateLimiter, kind};
use openlimit_tests::{Call, at_once, millis, nanos, plain, secs};

/// Starts `size` calls of one request each.
fn crowd(limiter: &RateLimiter, size: usize) -> Vec<Call> {
    (0..size).map(|_| Call::start(limiter.acquire(Cost::new()))).collect()
}

/// Polls all calls and returns the number of calls that are over.
fn over(calls: &mut [Call]) -> usize {
    calls.iter_mut().map(Call::poll).filter(|over| *over).count()
}

#[test]
fn a_process_that_stood_still_for_ten_seconds_does_not_let_ten_seconds_worth_go_at_once() {
    let clock = ManualClock::new();
    // The burst is 100, and 10 of it are reserved for jitter. Late calls may use half of those.
    let limiter =
        plain(&clock).requests(Rate::per_second(100)).jitter(millis(100)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 2_000);
    assert_eq!(over(&mut calls), 90);
    clock.jump(secs(10));
    assert_eq!(over(&mut calls), 90 + 90 + 5);
    // The limiter then continues at the normal rate and does not make up for the delay again.
    clock.advance(secs(1));
    assert_eq!(over(&mut calls), 90 + 90 + 5 + 100);
}

#[test]
fn without_jitter_a_process_that_stood_still_lets_one_burst_go() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 2_000);
    assert_eq!(over(&mut calls), 100);
    clock.jump(secs(10));
    assert_eq!(over(&mut calls), 200);
}

#[test]
fn a_process_that_stood_still_again_and_again_never_exceeds_the_bound() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 2_000);
    for stop in 1..10 {
        clock.jump(millis(1_500));
        assert_eq!(over(&mut calls), 100 * (stop + 1), "each stop must admit one burst of 100");
    }
}

#[test]
fn timers_that_fire_late_by_up_to_half_the_jitter_cost_no_throughput() {
    // The burst leaves room for one call, for a few or for many.
    for (rate, burst) in [(100, millis(60)), (100, millis(75)), (700, millis(1_000))] {
        let clock = ManualClock::new();
        let rate = Rate::per_second(rate).burst(burst);
        let limiter = plain(&clock).requests(rate).jitter(millis(50)).build().expect("valid rates");
        let mut calls = crowd(&limiter, 11 * rate.amount() as usize);
        let mut late = 1_u64;
        let mut time = Duration::ZERO;
        while time < secs(10) {
            // A pseudorandom delay of up to 25 ms.
            late = late * 48_271 % 2_147_483_647;
            let step = nanos(late % 25_000_000);
            clock.jump(step);
            time += step;
            let given = (burst - millis(50) + time).as_nanos() * u128::from(rate.amount());
            assert_eq!(over(&mut calls) as u128, given / 1_000_000_000, "{rate:?} at {time:?}");
        }
    }
}

#[test]
fn timers_that_fire_late_by_more_than_half_the_jitter_cost_only_the_excess() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).requests(Rate::per_second(1_000)).jitter(millis(50)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 3_000);
    assert_eq!(over(&mut calls), 950);
    // The next call is due after 1 ms, but the timer fires after 1.5 s. The bucket is empty by
    // then, and the limiter makes up for 25 ms.
    clock.jump(millis(1_500));
    assert_eq!(over(&mut calls), 950 + 950 + 25);
}

#[test]
fn a_late_timer_does_not_delay_the_next_call_as_large_as_the_burst() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).requests(Rate::per_minute(60)).jitter(millis(500)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 3);
    assert_eq!(over(&mut calls), 1);
    // Each call is as large as the burst, so it waits until the bucket was empty for 0.5 s.
    clock.advance(millis(1_499));
    assert_eq!(over(&mut calls), 1);
    clock.jump(millis(251));
    assert_eq!(over(&mut calls), 2, "the second call was due at 1.5 s");
    clock.advance(millis(1_249));
    assert_eq!(over(&mut calls), 2, "the third call must wait until 3 s");
    clock.advance(millis(1));
    assert_eq!(over(&mut calls), 3);
}

#[test]
fn a_late_call_as_large_as_the_burst_counts_in_full_after_the_jitter_is_lowered() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).tokens(Rate::per_second(1_000)).jitter(millis(100)).build().expect("valid rates");
    drop(limiter.try_acquire(900).expect("the bucket is empty"));
    // It is due at 1 s, and departs 50 ms later.
    let late = Call::start(limiter.acquire(1_000));
    clock.jump(millis(1_050));
    drop(late.admitted());
    limiter.update(|limits| limits.jitter(Duration::ZERO)).expect("a valid jitter");
    assert!(limiter.try_acquire(1).is_err(), "more than the burst departed at once");
    // By then, the network may have delayed it by the other half of the earlier jitter.
    clock.advance(millis(50));
    assert!(limiter.try_acquire(1).is_err(), "more than the burst can arrive at once");
    clock.advance(millis(1));
    assert!(limiter.try_acquire(1).is_ok(), "a part of the large call has leaked");
}

#[test]
fn a_large_call_finds_room_in_a_bucket_that_was_empty_for_long_at_any_rate() {
    let clock = ManualClock::new();
    // At this rate, 64 bits hold the amount of only 18 microseconds.
    let rate = Rate::new(1_000_000_000_000_007, nanos(1_000)).burst(nanos(1));
    let limiter = plain(&clock).tokens(rate).jitter(millis(2)).build().expect("valid rates");
    let calls = [rate.amount(); 2].map(|tokens| Call::start(limiter.acquire(tokens)));
    clock.jump(millis(3));
    drop(calls.map(Call::admitted));
    for idle in [nanos(2_001_000), secs(10), secs(86_400 * 365 * 100)] {
        assert!(limiter.try_acquire(rate.amount()).is_err(), "the bucket has room");
        clock.advance(idle);
        assert!(limiter.try_acquire(rate.amount()).is_ok(), "no room in the empty bucket after {idle:?}");
    }
}

#[test]
fn a_clock_that_stands_still_admits_nobody_and_breaks_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 30);
    for _ in 0..100 {
        clock.advance(Duration::ZERO);
        clock.jump(Duration::ZERO);
        assert_eq!(over(&mut calls), 10);
        assert!(limiter.try_acquire(Cost::new()).is_err());
    }
    clock.advance(secs(1));
    assert_eq!(over(&mut calls), 20);
    clock.advance(secs(1));
    assert_eq!(over(&mut calls), 30);
}

#[test]
fn a_clock_at_the_end_of_its_range_breaks_nothing() {
    let clock = ManualClock::new();
    let limiter =
        RateLimiter::builder().clock(&clock).requests(Rate::per_second(10)).build().expect("valid rates");
    let mut calls = crowd(&limiter, 30);
    clock.advance(Duration::MAX);
    assert_eq!(over(&mut calls), 30);
    assert_eq!(at_once(&limiter), 9);
    let waits = Call::start(limiter.acquire(Cost::new()).timeout(Duration::MAX));
    clock.advance(Duration::MAX);
    clock.jump(Duration::MAX);
    drop(waits);
}

#[test]
fn idleness_of_any_length_is_worth_one_burst() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).headroom(Percent(50)).requests(Rate::per_second(10)).build().expect("valid rates");
    for idle in [secs(2), secs(60), secs(86_400 * 365 * 100)] {
        clock.advance(idle);
        assert_eq!(at_once(&limiter), 10, "wrong burst after {idle:?}");
    }
}

/// Two limits. A call of one request takes all that fits of the first, and the jitter is long.
fn two_limits(clock: &ManualClock) -> Builder<kind::Explicit> {
    let requests = Rate::per_second(10).burst(millis(200));
    plain(clock).requests(requests).tokens(Rate::per_second(10)).jitter(millis(100))
}

#[test]
fn a_call_that_waited_for_the_one_before_it_is_not_late() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock).build().expect("valid rates");
    drop(limiter.charge(Cost::new().requests(0).tokens(9)).expect("valid"));
    let tokens = Call::start(limiter.acquire(Cost::new().requests(0).tokens(9)));
    let requests = crowd(&limiter, 2);
    clock.advance(secs(3));
    // Room for a request was there long before, but it departs with the call before it.
    let [first, second] = requests.try_into().expect("two calls");
    let departed = tokens.admitted().waited();
    assert_eq!(first.admitted().waited(), departed);
    assert_eq!(second.admitted().waited(), departed + millis(100));
}

#[test]
fn nor_is_one_that_waited_for_a_call_that_left() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock).build().expect("valid rates");
    drop(limiter.charge(Cost::new().requests(0).tokens(9)).expect("valid"));
    let leaves = Call::start(limiter.acquire(Cost::new().requests(0).tokens(9)));
    let requests = crowd(&limiter, 2);
    clock.advance(millis(500));
    drop(leaves);
    clock.advance(secs(1));
    let [first, second] = requests.try_into().expect("two calls");
    assert_eq!(first.admitted().waited(), millis(500));
    assert_eq!(second.admitted().waited(), millis(600));
}

#[test]
fn nor_is_one_that_waited_for_a_call_in_flight_to_end() {
    let clock = ManualClock::new();
    let limiter = two_limits(&clock).concurrency(1).build().expect("valid rates");
    let in_flight = limiter.try_acquire(Cost::new()).expect("there is room");
    let [first, second] = crowd(&limiter, 2).try_into().expect("two calls");
    clock.advance(millis(500));
    drop(in_flight);
    let first = first.admitted();
    assert_eq!(first.waited(), millis(500));
    drop(first);
    clock.advance(secs(1));
    assert_eq!(second.admitted().waited(), millis(600));
}
