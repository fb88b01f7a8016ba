//! `charge`: takes without a wait, into debt, and whoever waits is held back by it.

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, ChatRateLimiter, Cost, Percent, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, nanos, plain, secs};
use serde_json::json;

/// A limiter of ten tokens per second, a hundred of which may be taken at once.
fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).tokens(Rate::per_second(10).burst(secs(10))).build().expect("a valid rate")
}

fn available(limiter: &RateLimiter) -> u64 {
    limiter.status().expect("it is built").limits[0].available
}

fn debt(limiter: &RateLimiter) -> u64 {
    limiter.status().expect("it is built").limits[0].debt
}

#[test]
fn a_charge_takes_what_is_there_and_the_rest_is_debt() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.charge(60).expect("nothing is refused"));
    assert_eq!((available(&limiter), debt(&limiter)), (40, 0));
    drop(limiter.charge(60).expect("nothing is refused"));
    assert_eq!((available(&limiter), debt(&limiter)), (0, 20));
    // 20 of debt and 5 for the call.
    let refusal = limiter.try_acquire(5).expect_err("the limiter is in debt");
    assert!(matches!(refusal, AcquireError::WouldWait { wait, .. } if wait == nanos(2_500_000_000)));
}

#[test]
fn calls_that_wait_are_held_back_by_it_and_keep_their_order() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.try_acquire(100).expect("there is room"));
    let mut calls: Vec<_> = (0..2).map(|_| Call::start(limiter.acquire(10))).collect();
    clock.advance(nanos(999_999_999));
    drop(limiter.charge(30).expect("nothing is refused"));
    clock.advance(nanos(1));
    assert!(!calls[0].poll());
    clock.advance(secs(3));
    assert!(calls[0].poll() && !calls[1].poll());
    clock.advance(secs(1));
    assert!(calls[1].poll());
}

#[test]
fn a_call_that_was_due_before_the_charge_is_admitted_before_it() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.try_acquire(100).expect("there is room"));
    let mut call = Call::start(limiter.acquire(10));
    clock.advance(secs(1));
    drop(limiter.charge(1_000).expect("nothing is refused"));
    assert!(call.poll());
}

#[test]
fn its_permit_settles_up_and_down_and_cancels() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.charge(90).expect("nothing is refused").settle(30);
    assert_eq!(available(&limiter), 70);
    limiter.charge(20).expect("nothing is refused").settle(40);
    assert_eq!(available(&limiter), 30);
    let permit = limiter.charge(300).expect("nothing is refused");
    assert_eq!(permit.cost(), Cost::new().tokens(300));
    permit.cancel();
    assert_eq!(available(&limiter), 30);
}

#[test]
fn it_may_be_larger_than_a_call_may_ever_be() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    assert!(matches!(limiter.try_acquire(101), Err(AcquireError::TooLarge { .. })));
    drop(limiter.charge(500).expect("nothing is refused"));
    assert_eq!(debt(&limiter), 400);
}

#[test]
fn a_debt_of_fifteen_times_the_limit_is_remembered() {
    for (amount, period) in [(1, 86_400), (7, 31 * 86_400), (u64::MAX / 2, 1), (3_000_000_019, 61)] {
        let clock = ManualClock::new();
        let rate = Rate::new(amount, secs(period)).burst(secs(period));
        let limiter = plain(&clock).tokens(rate).build().expect("a valid rate");
        for _ in 0..16 {
            drop(limiter.charge(Cost::new().tokens(amount)).expect("nothing is refused"));
        }
        assert_eq!(debt(&limiter), amount.saturating_mul(15), "{rate}");
    }
}

#[test]
fn a_huge_charge_is_a_debt_that_never_wraps_around() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    for _ in 0..3 {
        drop(limiter.charge(Cost::new().tokens(u64::MAX)).expect("nothing is refused"));
    }
    clock.advance(secs(86_400));
    assert!(limiter.try_acquire(1).is_err());
    assert!(debt(&limiter) > 1_000_000);
}

#[test]
fn a_request_is_priced_and_learned_from_as_in_acquire() {
    let clock = ManualClock::new();
    let limiter = ChatRateLimiter::builder().tokens(Rate::per_day(100_000)).clock(&clock);
    let limiter = limiter.headroom(Percent(0)).build().expect("a valid rate");
    let request = json!({ "model": "gpt-4o", "max_tokens": 500,
        "messages": [{ "role": "user", "content": "Hello" }] });
    let permit = limiter.charge(&request).expect("nothing is refused");
    assert_eq!(permit.cost(), limiter.try_acquire(&request).expect("there is room").cost());
    permit.settle(Usage::new(8, 20));
    let error = limiter.charge(&json!({ "model": "gpt-4o" })).expect_err("it has no messages");
    assert!(matches!(error, AcquireError::Params { .. }), "{error}");
}

#[test]
fn a_cost_that_the_limiter_does_not_meter_is_an_error_and_charges_nothing() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let error = limiter.charge(Cost::new().tokens(10).images(1)).expect_err("there is no such limit");
    assert!(matches!(error, AcquireError::UnknownDimension { .. }), "{error}");
    assert_eq!(available(&limiter), 100);
    assert!(matches!(limiter.charge(-1), Err(AcquireError::Params { .. })));
}

#[test]
fn it_is_charged_during_a_hold() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(5), "429").expect("it is built");
    drop(limiter.charge(60).expect("nothing is refused"));
    clock.advance(secs(5));
    assert_eq!(available(&limiter), 40);
}

#[test]
fn what_a_response_says_is_left_contains_no_later_charge() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).build().expect("a valid rate");
    let left = |left: &str| {
        let headers = [("x-ratelimit-limit-tokens", "1000"), ("x-ratelimit-remaining-tokens", left)];
        Observation::from_parts(200, headers, b"")
    };
    limiter.observe(&left("1000")).expect("it is built");
    let permit = limiter.try_acquire(100).expect("there is room");
    drop(limiter.charge(300).expect("nothing is refused"));
    permit.observe(&left("900"));
    assert!(available(&limiter) <= 600, "{}", available(&limiter));
}
