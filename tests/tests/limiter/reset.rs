//! `reset`: the buckets are as new, and whoever waits moves at once.

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Percent, Priority, Rate, RateLimiter};
use openlimit_tests::{Call, millis, plain, secs};

fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).tokens(Rate::per_day(1_000)).build().expect("a valid rate")
}

fn reset(limiter: &RateLimiter) {
    limiter.reset().expect("it is built");
}

fn status(limiter: &RateLimiter) -> String {
    limiter.status().expect("it is built").to_string()
}

const NEW: &str = "unnamed: 0 waiting; 1000 tokens / day: 1000 available";

#[test]
fn levels_and_debts_are_gone() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.charge(100_000).expect("nothing is refused"));
    reset(&limiter);
    assert_eq!(status(&limiter), NEW);
    drop(limiter.try_acquire(1_000).expect("there is room"));
}

#[test]
fn whoever_waits_is_admitted_at_once_as_far_as_there_is_room() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.try_acquire(1_000).expect("there is room"));
    let mut calls = [600, 400, 1].map(|tokens| Call::start(limiter.acquire(tokens)));
    reset(&limiter);
    assert_eq!(calls.each_ref().map(Call::wakes), [1, 1, 0]);
    assert_eq!(calls.each_mut().map(Call::poll), [true, true, false]);
}

/// Such a call became due at the reset, so it does not depart late.
#[test]
fn a_call_that_waited_for_the_reset_is_charged_at_the_reset() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).jitter(millis(200)).build();
    let limiter = limiter.expect("a valid rate");
    clock.advance(secs(10));
    let at_once = Cost::new().requests(8);
    drop(limiter.try_acquire(at_once.clone()).expect("there is room"));
    let mut call = Call::start(limiter.acquire(at_once));
    clock.advance(millis(500));
    reset(&limiter);
    assert!(call.poll());
    let wait = limiter.wait_for(Cost::new().requests(1)).expect("it can be admitted");
    assert_eq!(wait, millis(100));
}

#[test]
fn permits_from_before_give_nothing_back_and_owe_what_they_use_beyond() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let [one, other, third] = [100; 3].map(|tokens| limiter.try_acquire(tokens).expect("there is room"));
    reset(&limiter);
    one.cancel();
    assert!(status(&limiter).starts_with(NEW));
    drop(limiter.try_acquire(500).expect("there is room"));
    other.settle(1);
    assert_eq!(limiter.status().expect("it is built").limits[0].available, 500);
    third.settle(150);
    assert_eq!(limiter.status().expect("it is built").limits[0].available, 450);
}

#[test]
fn what_permits_from_before_do_not_use_is_no_reason_for_advice() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let before = limiter.try_acquire(900).expect("there is room");
    reset(&limiter);
    let after = limiter.try_acquire(100).expect("there is room");
    before.settle(1);
    after.settle(60);
    let status = limiter.status().expect("it is built");
    let returned = status.limits[0].returned;
    assert_eq!((returned.reserved, returned.unused, returned.late), (100, 40, 0), "{status}");
}

#[test]
fn holds_used_up_quotas_and_what_the_provider_said_are_gone() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.hold(secs(300), "429").expect("it is built");
    reset(&limiter);
    assert_eq!(status(&limiter), NEW);

    let headers = [("x-ratelimit-limit-tokens", "500"), ("x-ratelimit-remaining-tokens", "100")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
    reset(&limiter);
    assert_eq!(status(&limiter), NEW);

    let refused = |body: &'static [u8]| {
        let permit = limiter.try_acquire(1).expect("there is room");
        permit.refused(Observation::from_parts(429, [("retry-after", "60")], body));
    };
    refused(b"");
    assert!(matches!(limiter.try_acquire(1), Err(AcquireError::Held { .. })));
    reset(&limiter);
    assert!(status(&limiter).starts_with(NEW));
    refused(br#"{"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}"#);
    assert!(matches!(limiter.try_acquire(1), Err(AcquireError::Exhausted { .. })));
    reset(&limiter);
    assert!(status(&limiter).starts_with(NEW));
}

#[test]
fn updated_limits_stay_updated() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    limiter.update(|limits| limits.tokens(Rate::per_day(2_000))).expect("a valid rate");
    drop(limiter.try_acquire(2_000).expect("there is room"));
    reset(&limiter);
    assert_eq!(status(&limiter), "unnamed: 0 waiting; 2000 tokens / day: 2000 available");
}

#[test]
fn a_closed_limiter_stays_closed() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(limiter.close());
    reset(&limiter);
    assert!(matches!(limiter.try_acquire(Cost::new().tokens(1)), Err(AcquireError::Closed { .. })));
}

#[test]
fn the_share_of_lower_priorities_is_as_new_too() {
    let clock = ManualClock::new();
    let reserve = (Priority::High, Percent(20));
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).reserve(reserve).build().expect("valid");
    drop(limiter.try_acquire(800).expect("its share has room"));
    let mut waits = Call::start(limiter.acquire(100));
    assert!(waits.over().is_none());
    reset(&limiter);
    assert!(waits.over().is_some());
    drop(limiter.try_acquire(700).expect("the share was empty"));
    assert!(limiter.try_acquire(1).is_err());
    drop(Call::start(limiter.acquire(200).priority(Priority::High)).admitted());
}
