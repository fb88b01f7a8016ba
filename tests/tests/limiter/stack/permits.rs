//! The permit of a stacked call acts on all of its limiters.

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::{Call, millis, plain, requests_and_tokens, secs};

use super::{left, tokens};

fn pair() -> (ManualClock, RateLimiter, RateLimiter) {
    let clock = ManualClock::new();
    let (tenant, account) = (tokens(&clock, "tenant", 100), tokens(&clock, "account", 200));
    (clock, tenant, account)
}

#[test]
fn it_settles_and_cancels_in_all_limiters() {
    let (_clock, tenant, account) = pair();
    let stack = Stack::of((&tenant, &account));
    stack.try_acquire(90).expect("there is room").settle(10);
    assert_eq!(left([&tenant, &account]), [90, 190]);
    let mut permit = stack.try_acquire(50).expect("there is room");
    permit.settle_so_far(Usage::new(10, 10));
    assert_eq!(left([&tenant, &account]), [70, 170]);
    assert_eq!(permit.cost(), Cost::new().tokens(20));
    permit.cancel();
    assert_eq!(left([&tenant, &account]), [90, 190]);
    // What it used beyond its reservation is owed in both.
    stack.try_acquire(50).expect("there is room").settle(150);
    assert_eq!(left([&tenant, &account]), [0, 40]);
}

#[test]
fn a_call_that_waited_settles_in_all_limiters_too() {
    let (clock, tenant, account) = pair();
    let stack = Stack::of((&tenant, &account));
    drop(stack.try_acquire(100).expect("there is room"));
    let call = Call::start(stack.acquire(50));
    clock.advance(millis(500));
    call.admitted().settle(20);
    assert_eq!(left([&tenant, &account]), [30, 180]);
}

#[test]
fn it_refuses_and_observes_in_all_limiters() {
    let (clock, tenant, account) = pair();
    let permit = Stack::of((&tenant, &account)).try_acquire(10).expect("there is room");
    let refusal = Observation::from_parts(429, [("retry-after", "20")], b"");
    assert_eq!(permit.responded(&refusal), Verdict::Retry { after: Some(secs(20)) });
    for limiter in [&tenant, &account] {
        let refusal = limiter.try_acquire(1).unwrap_err();
        assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
    }
    let by_the_minute = || plain(&clock).tokens(Rate::per_minute(6_000)).burst(secs(60)).build();
    let (tenant, account) = (by_the_minute().expect("valid rates"), by_the_minute().expect("valid rates"));
    // Of its own call, the first response says nothing.
    for _ in 0..2 {
        let permit = Stack::of((&tenant, &account)).try_acquire(10).expect("there is room");
        let headers = [("x-ratelimit-limit-tokens", "6000"), ("x-ratelimit-remaining-tokens", "30")];
        permit.observe(&Observation::from_parts(200, headers, b""));
    }
    assert!(left([&tenant, &account]).into_iter().all(|left| left <= 30));
}

#[test]
fn each_limiter_takes_what_it_meters() {
    let clock = ManualClock::new();
    let requests = plain(&clock).requests(Rate::per_second(2)).build().expect("valid rates");
    let both = requests_and_tokens(&clock, Rate::per_second(9), Rate::per_second(100));
    let stack = Stack::of((&requests, &both));
    let cost = Cost::new().requests(1).tokens(40);
    let permit = stack.try_acquire(&cost).expect("there is room");
    assert_eq!(permit.cost(), cost);
    assert_eq!((left([&requests]), left([&both])), ([1], [8]));
    // One that no limiter meters is a mistake.
    let refusal = stack.try_acquire(Cost::new().images(1)).unwrap_err();
    assert!(matches!(refusal, AcquireError::UnknownDimension { .. }), "{refusal}");
    let many = requests.cost(Cost::new()).expect("it is a cost").with("audio_seconds", 3);
    assert!(stack.try_acquire(&many).is_err());
    assert_eq!((left([&requests]), left([&both])), ([1], [8]));
}

#[test]
fn an_exhausted_quota_in_one_limiter_refuses_the_call_and_a_probe_ends_it() {
    let (clock, tenant, account) = pair();
    let stack = Stack::of((&tenant, &account));
    let waits = {
        drop(account.try_acquire(200).expect("there is room"));
        Call::start(stack.acquire(10))
    };
    let body = br#"{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}"#;
    clock.advance(millis(10));
    let spent = account.acquire(Cost::new().tokens(1));
    let spent = Call::start(spent);
    clock.advance(millis(90));
    drop(waits.admitted());
    let permit = spent.admitted();
    assert!(matches!(
        permit.responded(&Observation::from_parts(429, [("", ""); 0], body)),
        Verdict::Exhausted { .. }
    ));
    let refusal = Call::start(stack.acquire(10)).refused();
    assert!(matches!(refusal, AcquireError::Exhausted { .. }), "{refusal}");
    assert!(matches!(stack.try_acquire(10).unwrap_err(), AcquireError::Exhausted { .. }));
    clock.advance(secs(601));
    let probe = Call::start(stack.acquire(10)).admitted();
    assert!(matches!(Call::start(stack.acquire(10)).refused(), AcquireError::Exhausted { .. }));
    probe.settle(10);
    drop(stack.try_acquire(10).expect("the quota is back"));
}

#[test]
fn a_call_is_in_flight_in_all_limiters_or_in_none() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).concurrency(1).build().expect("valid options");
    let account = plain(&clock).concurrency(2).tokens(Rate::per_second(100)).build().expect("valid options");
    let stack = Stack::of((&tenant, &account));
    let in_flight =
        || [&tenant, &account].map(|of| of.status().expect("built").in_flight.expect("it counts").calls);
    let first = stack.try_acquire(10).expect("there is room");
    assert_eq!(in_flight(), [1, 1]);
    let refusal = stack.try_acquire(10).unwrap_err();
    assert!(matches!(refusal, AcquireError::TooManyInFlight { most: 1, .. }), "{refusal}");
    let refusal = Call::start(stack.acquire(10).timeout(secs(0))).refused();
    assert!(matches!(refusal, AcquireError::TooManyInFlight { most: 1, .. }), "{refusal}");
    let (second, third) = (Call::start(stack.acquire(10)), Call::start(stack.acquire(10)));
    assert_eq!((in_flight(), left([&account])), ([1, 1], [90]));
    drop(first);
    assert_eq!((in_flight(), left([&account])), ([1, 1], [80]));
    // It departed, and nobody has polled it.
    drop(second);
    assert_eq!((in_flight(), left([&account])), ([1, 1], [80]));
    third.admitted().cancel();
    assert_eq!((in_flight(), left([&account])), ([0, 0], [90]));
    // While another call fills the account, the tenant has no call in flight.
    let others = [0, 1].map(|_| account.try_acquire(0).expect("there is room"));
    let waits = Call::start(stack.acquire(10));
    assert_eq!(in_flight(), [0, 2]);
    drop(others);
    assert_eq!(in_flight(), [1, 1]);
    drop(waits.admitted());
    assert_eq!(in_flight(), [0, 0]);
}
