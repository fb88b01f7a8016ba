//! Limiters that a stacked call has not reached yet: what refuses all who wait there ends its wait
//! at once.

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Rate, RateLimiter, Stack, Waiting};
use openlimit_tests::{Call, plain, secs};

use super::tokens;

/// A limiter in which all is used, and two that come after it.
fn three(clock: &ManualClock) -> [RateLimiter; 3] {
    let [first, second, third] = ["first", "second", "third"].map(|name| tokens(clock, name, 10));
    drop(first.try_acquire(10).expect("there is room"));
    [first, second, third]
}

#[test]
fn a_close_of_a_limiter_that_it_has_not_reached_refuses_it_at_once() {
    for closed in 1..3 {
        let clock = ManualClock::new();
        let limiters = three(&clock);
        let call = Call::start(Stack::of(limiters.each_ref()).acquire(5));
        drop(limiters[closed].close());
        assert_eq!(call.wakes(), 1);
        let refusal = call.refused();
        assert!(matches!(refusal, AcquireError::Closed { .. }), "{refusal}");
        assert_eq!(&**refusal.limiter(), ["first", "second", "third"][closed]);
        assert_eq!(limiters[0].status().expect("it is built").waiting, 0);
    }
}

#[test]
fn so_does_a_quota_that_is_used_up_there() {
    let clock = ManualClock::new();
    let limiters = three(&clock);
    let running = limiters[2].try_acquire(1).expect("there is room");
    let calls = [1, 2, 3].map(|tokens| Call::start(Stack::of(limiters.each_ref()).acquire(tokens)));
    running.refused(Observation::new(429).body(br#"{"error":{"code":"insufficient_quota"}}"#));
    for call in calls {
        assert_eq!(call.wakes(), 1);
        let refusal = call.refused();
        assert!(matches!(refusal, AcquireError::Exhausted { .. }), "{refusal}");
    }
    assert_eq!(limiters[0].status().expect("it is built").waiting, 0);
}

#[test]
fn a_call_that_lets_others_go_first_again_learns_of_it_too() {
    let clock = ManualClock::new();
    let [outer, inner, _] = three(&clock);
    let call = Call::start(Stack::of((&inner, &outer)).acquire(5));
    // It waits for the outer limiter, and has to leave its queue for this.
    inner.hold(secs(60), "test").expect("it is built");
    clock.advance(secs(10));
    assert_eq!(outer.status().expect("it is built").waiting, 0);
    drop(outer.close());
    assert!(matches!(call.refused(), AcquireError::Closed { .. }));
}

#[test]
fn it_is_refused_although_it_has_not_been_polled_since_it_reached_a_long_wait() {
    let clock = ManualClock::new();
    let [inner, ..] = three(&clock);
    let outer = plain(&clock).name("outer").tokens(Rate::per_second(10));
    let outer = outer.on_wait(|_: &Waiting| ()).build().expect("valid options");
    let mut call = Call::start(Stack::of((&inner, &outer)).acquire(5));
    outer.hold(secs(60), "test").expect("it is built");
    clock.advance(secs(1));
    assert_eq!(outer.status().expect("it is built").waiting, 1);
    drop(outer.close());
    assert!(matches!(call.over(), Some(Err(AcquireError::Closed { .. }))));
}
