//! How long a stacked call would wait, without making it.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, ChatRateLimiter, Cost, Output, Percent, Priority, Rate, Stack, Usage};
use openlimit_tests::{Call, millis, plain, secs};
use serde_json::json;

use super::{left, tokens};

#[test]
fn an_estimate_is_the_wait_of_the_stacked_call_that_is_made_next() {
    let clock = ManualClock::new();
    let (tenant, account) = (tokens(&clock, "tenant", 100), tokens(&clock, "account", 200));
    let stack = Stack::of((&tenant, &account));
    let wait_for = |tokens: u64| stack.wait_for(tokens).expect("it can be admitted");
    assert_eq!(wait_for(100), Duration::ZERO);
    drop(tenant.try_acquire(80).expect("there is room"));
    assert_eq!(wait_for(40), millis(200), "for the tenant");
    drop(account.try_acquire(200).expect("there is room"));
    assert_eq!(wait_for(50), millis(300), "for the tenant, longer than for the account");
    drop(account.charge(100).expect("it is built"));
    assert_eq!(wait_for(50), millis(750), "for the account");
    assert_eq!(left([&tenant, &account]), [20, 0], "nothing was charged for an estimate");
    let next = Call::start(stack.acquire(50));
    clock.advance(millis(750));
    assert_eq!(next.admitted().waited(), millis(750));
}

#[test]
fn an_estimate_counts_the_calls_that_wait_and_no_lower_priorities() {
    let clock = ManualClock::new();
    let (tenant, account) = (tokens(&clock, "tenant", 100), tokens(&clock, "account", 100));
    let stack = Stack::of((&tenant, &account));
    drop(stack.try_acquire(100).expect("there is room"));
    let _waits = Call::start(stack.acquire(30));
    assert_eq!(stack.wait_for(20).expect("it can be admitted"), millis(500));
    let _low = Call::start(stack.acquire(50).priority(Priority::Low));
    assert_eq!(stack.wait_for(20).expect("it can be admitted"), millis(500));
    account.hold(secs(9), "maintenance").expect("it is built");
    assert!(stack.wait_for(20).expect("it can be admitted") >= secs(9));
}

#[test]
fn an_estimate_takes_what_was_learned_of_the_output() {
    let clock = ManualClock::new();
    let builder = || ChatRateLimiter::builder().clock(&clock).jitter(secs(0)).headroom(Percent(0));
    let tenant = builder().tokens(Rate::per_second(2_000)).output(Output::Learned).build();
    let tenant = tenant.expect("valid options");
    let account = builder().tokens(Rate::per_second(100_000)).build().expect("valid rates");
    let stack = Stack::of((&tenant, &account));
    let messages = json!([{ "role": "user", "content": "Why is the sky blue?" }]);
    let request = json!({ "model": "gpt-4o", "messages": messages, "max_tokens": 1_000 });
    for _ in 0..20 {
        stack.try_acquire(&request).expect("there is room").settle(Usage::new(13, 5));
    }
    clock.advance(secs(1));
    drop(tenant.charge(1_990).expect("it is built"));
    // It would be 0.5 s for the maximum that the request names.
    assert_eq!(stack.wait_for(&request).expect("it can be admitted"), millis(4));
    let next = Call::start(stack.acquire(&request));
    clock.advance(millis(4));
    assert_eq!(next.admitted().waited(), millis(4));
}

#[test]
fn an_estimate_fails_as_the_stacked_call_would() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).name("tenant").requests(Rate::per_minute(60)).build().expect("valid rates");
    let account = tokens(&clock, "account", 100);
    let stack = Stack::of((&tenant, &account));
    let error = |cost: Cost| stack.wait_for(cost).expect_err("it can never be admitted");
    let too_large = error(Cost::new().tokens(101));
    assert!(matches!(too_large, AcquireError::TooLarge { .. }) && too_large.limiter() == "account");
    assert!(matches!(error(Cost::new().images(1)), AcquireError::UnknownDimension { .. }));
    drop(tenant.close());
    assert!(matches!(error(Cost::new()), AcquireError::Closed { .. }));
}
