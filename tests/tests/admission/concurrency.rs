//! `concurrency`: at most so many calls are in flight, in the same queue as everything else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Concurrency, Cost, InFlightStatus, Permit, Rate, RateLimiter, Usage,
};
use openlimit_tests::{Call, millis, plain, secs};

/// Returns a limiter without limits that admits two calls at a time.
fn two(clock: &ManualClock) -> RateLimiter {
    plain(clock).concurrency(2).build().expect("a valid concurrency")
}

fn call(limiter: &RateLimiter) -> Call {
    Call::start(limiter.acquire(Cost::new()))
}

fn permit(limiter: &RateLimiter) -> Permit {
    limiter.try_acquire(Cost::new()).expect("there is room")
}

/// Returns how many calls are in flight.
fn in_flight(limiter: &RateLimiter) -> u32 {
    limiter.status().expect("it is built").in_flight.expect("it is limited").calls
}

#[test]
fn the_third_of_two_waits_until_one_ends_and_the_others_for_it() {
    let clock = ManualClock::new();
    let limiter = two(&clock);
    let (first, second) = (permit(&limiter), permit(&limiter));
    let (mut third, mut fourth) = (call(&limiter), call(&limiter));
    clock.advance(secs(3_600));
    assert!(!third.poll() && !fourth.poll());
    drop(second);
    assert!(!fourth.poll());
    assert_eq!(third.wakes(), 1);
    let third = third.admitted();
    assert_eq!(third.waited(), secs(3_600));
    assert!(third.waited_for().is_none());
    drop(first);
    let fourth = fourth.admitted();
    assert!(limiter.try_acquire(Cost::new()).is_err());
    drop((third, fourth));
    assert_eq!(in_flight(&limiter), 0);
}

#[test]
fn every_end_of_a_permit_ends_the_call_once() {
    type End = fn(Permit);
    let ends: [(&str, End); 9] = [
        ("dropped", drop),
        ("settled", |permit| permit.settle(3)),
        ("settled in parts", |mut permit| {
            permit.settle_so_far(1);
            permit.settle_so_far(2);
            permit.settle(3);
        }),
        ("settled in part", |mut permit| permit.settle_so_far(1)),
        ("cancelled", Permit::cancel),
        ("refused", |permit| {
            permit.refused(Observation::new(429));
        }),
        ("failed", |permit| {
            permit.refused(Observation::new(500));
        }),
        ("responded to", |permit| {
            permit.responded(&Observation::new(200).body(br#"{"usage": {"total_tokens": 3}}"#));
        }),
        ("lost in a panic", |permit| {
            let panicked = catch_unwind(AssertUnwindSafe(move || {
                let _permit = permit;
                panic!("as the body of a function may");
            }));
            assert!(panicked.is_err());
        }),
    ];
    for (how, end) in ends {
        let clock = ManualClock::new();
        let limiter = two(&clock);
        let (first, other) = (permit(&limiter), permit(&limiter));
        let (mut next, mut last) = (call(&limiter), call(&limiter));
        end(first);
        assert_eq!(in_flight(&limiter), 1 + u32::from(next.poll()), "{how}");
        limiter.release().expect("it is built");
        assert!(next.poll() && !last.poll(), "{how}");
        drop((other, next, last));
        assert_eq!(in_flight(&limiter), 0, "{how}");
    }
}

#[test]
fn a_call_that_is_dropped_at_any_point_is_not_in_flight() {
    let clock = ManualClock::new();
    let limiter = two(&clock);
    for _ in 0..100 {
        drop(limiter.acquire(Cost::new()));
        // Admitted at its first poll.
        drop(call(&limiter));
    }
    let (first, _second) = (permit(&limiter), permit(&limiter));
    let (waiting, unpolled, mut next) = (call(&limiter), call(&limiter), call(&limiter));
    drop(waiting);
    drop(first);
    assert_eq!((unpolled.wakes(), next.wakes()), (1, 0));
    // It was admitted, and leaves without having been polled since.
    drop(unpolled);
    assert!(next.poll());
    assert_eq!(in_flight(&limiter), 2);
}

#[test]
fn while_the_head_waits_nothing_is_charged_and_nothing_overtakes_it() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).concurrency(1).build().expect("it is valid");
    let first = limiter.try_acquire(100).expect("there is room");
    let mut large = Call::start(limiter.acquire(800));
    let mut small = Call::start(limiter.acquire(1));
    assert!(limiter.try_acquire(Cost::new()).is_err());
    let available = || limiter.status().expect("it is built").limits[0].available;
    assert_eq!(available(), 900);
    drop(first);
    assert!(!small.poll());
    drop(large.over().expect("it is admitted"));
    small.admitted().settle(1);
    assert_eq!(available(), 99);
}

#[test]
fn the_head_departs_when_both_the_buckets_and_the_calls_in_flight_allow_it() {
    for (ends_at, departs_at, limit) in [(3, 10, true), (10, 10, false), (12, 12, false)] {
        let clock = ManualClock::new();
        let rate = Rate::new(1, secs(10));
        let limiter = plain(&clock).requests(rate).concurrency(1).build().expect("it is valid");
        let first = permit(&limiter);
        let mut next = call(&limiter);
        clock.advance(secs(ends_at));
        drop(first);
        if departs_at > ends_at {
            clock.advance(secs(departs_at - ends_at) - Duration::from_nanos(1));
            assert!(!next.poll());
            clock.advance(Duration::from_nanos(1));
        }
        let next = next.admitted();
        assert_eq!(next.waited(), secs(departs_at), "{ends_at}");
        // At ten it is due by both, and the limit is said.
        assert_eq!(next.waited_for().is_some(), limit || ends_at == 10, "{ends_at}");
        // It is charged as of its departure, so a further one departs ten seconds later.
        drop(next);
        let mut last = call(&limiter);
        clock.advance(secs(10) - Duration::from_nanos(1));
        assert!(!last.poll());
        clock.advance(Duration::from_nanos(1));
        assert!(last.poll());
    }
}

#[test]
fn a_call_that_may_not_wait_is_told_how_many_are_in_flight() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").concurrency(2).build().expect("it is valid");
    let _both = (permit(&limiter), permit(&limiter));
    let error = limiter.try_acquire(Cost::new()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "limiter `chat` cannot admit the call: it has 2 in flight and a concurrency of 2; try again when one has \
         ended, or allow more time"
    );
    assert_eq!((error.retry_after(), error.limit()), (None, None));
    assert_eq!(&**error.limiter(), "chat");
    let error = Call::start(limiter.acquire(Cost::new()).timeout(Duration::ZERO)).refused();
    assert!(matches!(error, AcquireError::TooManyInFlight { calls: 2, most: 2, waited: Duration::ZERO, .. }));

    let mut head = Call::start(limiter.acquire(Cost::new()).timeout(secs(5)));
    let mut behind = Call::start(limiter.acquire(Cost::new()).timeout(secs(7)));
    clock.advance(secs(5));
    assert!(head.poll() && !behind.poll());
    let error = head.refused();
    assert!(error.to_string().contains("cannot admit the call within 5s: it has 2"), "{error}");
    clock.advance(secs(2));
    let waited = secs(7);
    assert!(matches!(behind.refused(), AcquireError::TooManyInFlight { waited: told, .. } if told == waited));
    assert_eq!(limiter.status().expect("it is built").waiting, 0);
}

#[test]
fn a_timeout_of_zero_admits_a_call_for_which_there_is_room() {
    let clock = ManualClock::new();
    let limiter = two(&clock);
    let at_once = || Call::start(limiter.acquire(Cost::new()).timeout(Duration::ZERO));
    let first = at_once().admitted();
    let _second = at_once().admitted();
    assert!(at_once().over().is_some_and(|outcome| outcome.is_err()));
    drop(first);
    at_once().admitted().cancel();
}

#[test]
fn a_wait_for_the_limits_that_is_known_to_be_too_long_fails_at_once() {
    let clock = ManualClock::new();
    let rate = Rate::new(1, secs(100));
    let limiter = plain(&clock).requests(rate).concurrency(1).build().expect("it is valid");
    let first = permit(&limiter);
    let refused = || Call::start(limiter.acquire(Cost::new()).timeout(secs(50))).refused();
    assert!(matches!(refused(), AcquireError::Timeout { wait, .. } if wait == secs(100)));
    drop(first);
    assert!(matches!(refused(), AcquireError::Timeout { wait, .. } if wait == secs(100)));
    clock.advance(secs(60));
    let mut call = Call::start(limiter.acquire(Cost::new()).timeout(secs(50)));
    clock.advance(secs(40));
    assert!(call.poll());
}

#[test]
fn a_call_that_may_not_wait_is_told_of_the_wait_behind_all_calls_before_it() {
    let clock = ManualClock::new();
    let slow = || plain(&clock).requests(Rate::new(1, secs(100)));
    for limiter in [slow().concurrency(9).build(), slow().build()] {
        let limiter = limiter.expect("it is valid");
        drop(permit(&limiter));
        let waits = [call(&limiter), call(&limiter)];
        for timeout in [Duration::ZERO, secs(299)] {
            let error = Call::start(limiter.acquire(Cost::new()).timeout(timeout)).refused();
            assert_eq!(error.retry_after(), Some(secs(300)), "{error}");
        }
        let error = limiter.try_acquire(Cost::new()).unwrap_err();
        assert_eq!(error.retry_after(), Some(secs(300)), "{error}");
        drop(waits);
    }
}

#[test]
fn status_shows_the_calls_in_flight() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").concurrency(2).build().expect("it is valid");
    let _both = (permit(&limiter), permit(&limiter));
    let _waits = call(&limiter);
    let status = limiter.status().expect("it is built");
    assert_eq!(status.in_flight.map(|InFlightStatus { calls, most, .. }| (calls, most)), Some((2, 2)));
    assert_eq!(status.next, None);
    assert_eq!(status.to_string(), "chat: 1 waiting; 2 of 2 in flight");
    let unlimited = plain(&clock).requests(Rate::per_day(1)).build().expect("it is valid");
    assert!(unlimited.status().expect("it is built").in_flight.is_none());
}

#[test]
fn a_concurrency_that_admits_nothing_cannot_be_built() {
    #[allow(clippy::reversed_empty_ranges)]
    let wrong = [Concurrency::Fixed(0), Concurrency::Adaptive(0..=4), Concurrency::Adaptive(5..=4)];
    for (wrong, words) in wrong.into_iter().zip(["of 0 ", "of 0..=4 ", "of 5..=4 "]) {
        let error = RateLimiter::builder().concurrency(wrong.clone()).build().unwrap_err();
        assert!(matches!(error.problem(), BuildProblem::Concurrency(found) if *found == wrong));
        assert!(error.to_string().contains(words), "{error}");
    }
    let most = RateLimiter::builder().concurrency(u32::MAX).build().expect("it is valid");
    most.try_acquire(Cost::new()).expect("there is room").cancel();
    let shared = RateLimiter::builder().name("shared").redis("redis://localhost:1").concurrency(4);
    assert!(matches!(shared.build().unwrap_err().problem(), BuildProblem::NoLimits));
}

#[test]
fn without_limits_holds_and_used_up_quotas_still_stop_calls() {
    let clock = ManualClock::new();
    let limiter = two(&clock);
    limiter.hold(secs(5), "maintenance").expect("it is built");
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Held { .. })));
    let mut call_during = call(&limiter);
    let timed = Call::start(limiter.acquire(Cost::new()).timeout(secs(1))).refused();
    assert!(matches!(timed, AcquireError::Held { .. }));
    clock.advance(secs(5));
    assert!(call_during.poll());
    let used_up = Observation::new(429).body(br#"{"error": {"code": "insufficient_quota"}}"#);
    permit(&limiter).refused(&used_up);
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Exhausted { .. })));
    assert!(matches!(call(&limiter).refused(), AcquireError::Exhausted { .. }));
    clock.advance(secs(600));
    let probe = permit(&limiter);
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Exhausted { .. })));
    drop(probe);
    assert_eq!(in_flight(&limiter), 1);
    drop(call_during);
    assert_eq!(in_flight(&limiter), 0);
}

#[test]
fn a_probe_waits_for_a_call_in_flight_to_end() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).concurrency(1).build().expect("it is valid");
    let used_up = Observation::new(429).body(br#"{"error": {"code": "insufficient_quota"}}"#);
    permit(&limiter).refused(&used_up);
    clock.advance(secs(600));
    let probe = permit(&limiter);
    clock.advance(secs(60));
    // Another call may find out by now, but the first one is in flight still.
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::TooManyInFlight { .. })));
    let mut next = call(&limiter);
    assert!(!next.poll());
    drop(probe);
    assert!(next.poll());
}

#[test]
fn no_more_than_allowed_run_at_a_time_on_many_threads() {
    let limiter = RateLimiter::builder().concurrency(3).build().expect("it is valid");
    let (running, most) = (AtomicU32::new(0), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for round in 0..500_u64 {
                    let permit = limiter.acquire(Cost::new()).blocking().expect("it is admitted");
                    most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    if round % 8 == 0 {
                        thread::yield_now();
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                    match round % 3 {
                        0 => permit.cancel(),
                        1 => permit.settle(Usage::from(1)),
                        _ => drop(permit),
                    }
                }
            });
        }
    });
    assert!(most.into_inner() <= 3);
    assert_eq!(in_flight(&limiter), 0);
}

#[test]
fn a_jitter_does_not_date_the_charge_before_the_end_of_the_call_in_flight() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().clock(&clock).jitter(millis(200)).headroom(openlimit::Percent(0));
    let limiter = limiter.requests(Rate::per_second(1)).concurrency(1).build().expect("it is valid");
    let first = permit(&limiter);
    let mut next = call(&limiter);
    clock.advance(secs(10));
    drop(first);
    assert!(next.poll());
    let full_in = limiter.status().expect("it is built").limits[0].full_in;
    assert_eq!(full_in, millis(1_200));
}

#[test]
fn a_full_queue_refuses_only_calls_that_would_wait() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).concurrency(1).max_waiting(1).build().expect("it is valid");
    let first = call(&limiter).admitted();
    let mut waits = call(&limiter);
    assert!(!waits.poll());
    assert!(matches!(call(&limiter).refused(), AcquireError::QueueFull { .. }));
    drop(first);
    assert!(waits.poll());
    drop(waits);
    drop(call(&limiter).admitted());
    assert_eq!(in_flight(&limiter), 0);
}
