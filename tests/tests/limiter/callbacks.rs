//! What a program's own functions may do when the library calls them: use and close the limiter,
//! and block. No call is lost by it, and no other one is delayed.

use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, ChatRateLimiter, Cost, Dollars, KeyLimits, Keyed, Rate, RateLimiter, Stack,
    Unit, Usage,
};
use openlimit_tests::{Call, plain, secs};
use serde_json::json;

fn is_closed<T>(outcome: &Result<T, AcquireError>) -> bool {
    matches!(outcome, Err(AcquireError::Closed { .. }))
}

/// A limiter of one request a second, which is used up and held for ten seconds, and closes itself
/// when a wait is long.
fn closes_itself(clock: &ManualClock) -> RateLimiter {
    let itself = Arc::new(OnceLock::<RateLimiter>::new());
    let closing = Arc::clone(&itself);
    let builder = plain(clock).requests(Rate::per_minute(60)).on_wait(move |_| {
        drop(closing.get().expect("it is set").close());
    });
    let limiter = itself.get_or_init(|| builder.build().expect("valid options")).clone();
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    limiter
}

#[test]
fn on_wait_may_close_the_limiter() {
    let clock = ManualClock::new();
    let limiter = closes_itself(&clock);
    let short = Call::start(limiter.acquire(Cost::new()));
    assert_eq!(short.wakes(), 0);
    // Its wait is known to be long when it arrives.
    let long = Call::start(limiter.acquire(Cost::new()));
    assert_eq!(short.wakes(), 1);
    assert!(is_closed(&Err::<(), _>(short.refused())) && is_closed(&Err::<(), _>(long.refused())));
    assert!(is_closed(&limiter.try_acquire(Cost::new())));
}

#[test]
fn on_wait_may_close_a_limiter_of_the_stack_that_waits() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).requests(Rate::per_second(9)).build().expect("valid options");
    let account = closes_itself(&clock);
    account.hold(secs(10), "maintenance").expect("it is built");
    let stack = Stack::of((&tenant, &account));
    let calls = [(); 3].map(|()| Call::start(stack.acquire(Cost::new())));
    calls.into_iter().for_each(|call| assert!(is_closed(&Err::<(), _>(call.refused()))));
    // Nothing was charged in the other one, and nothing waits there.
    let status = tenant.status().expect("it is built");
    assert_eq!((status.waiting, status.limits[0].available), (0, 9));
}

#[test]
fn a_price_may_close_the_limiter_and_fails_its_own_call_only_by_that() {
    let limiter = Arc::new(OnceLock::<ChatRateLimiter>::new());
    let closing = Arc::clone(&limiter);
    let builder = ChatRateLimiter::builder().spend(Dollars(1) / Unit::day);
    let builder = builder.price(move |model: &str, _: &Usage| {
        let limiter = closing.get().expect("it is set");
        limiter.status().expect("it is built");
        if model == "closes" {
            drop(limiter.close());
        }
        Dollars::from_cents(1)
    });
    let limiter = limiter.get_or_init(|| builder.build().expect("valid options"));
    let request = |model: &str| json!({ "model": model, "messages": [], "max_tokens": 9 });
    let permit = limiter.try_acquire(&request("m-1")).expect("there is room");
    assert!(is_closed(&limiter.acquire(&request("closes")).blocking()));
    assert!(is_closed(&limiter.try_acquire(&request("m-1"))));
    permit.settle(Usage::new(1, 1));
}

#[test]
fn an_update_may_close_the_limiter_it_changes() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("valid options");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let waits = Call::start(limiter.acquire(Cost::new()));
    let updated = limiter.update(|limits| {
        drop(limiter.close());
        limits.requests(Rate::per_minute(6_000))
    });
    updated.expect("valid options");
    assert!(is_closed(&Err::<(), _>(waits.refused())));
    assert!(is_closed(&limiter.try_acquire(Cost::new())));
}

#[test]
fn the_limits_of_a_key_may_close_that_of_another_one() {
    let tenants = Arc::new(OnceLock::<Keyed<String, RateLimiter>>::new());
    let all = Arc::clone(&tenants);
    let builder = RateLimiter::builder().requests(Rate::per_day(9)).keyed::<String>();
    let builder = builder.limits(move |key: &String, limits: KeyLimits| {
        if key == "closes" {
            drop(all.get().expect("it is set").of("other").close());
        }
        limits
    });
    let tenants = tenants.get_or_init(|| builder.build().expect("valid options"));
    let other = tenants.of("other");
    drop(other.try_acquire(Cost::new()).expect("there is room"));
    drop(tenants.of("closes").try_acquire(Cost::new()).expect("there is room"));
    assert!(
        is_closed(&other.try_acquire(Cost::new()))
            && is_closed(&tenants.of("other").try_acquire(Cost::new()))
    );
}

#[test]
fn limits_of_a_key_that_block_delay_no_other_key() {
    let (enter, entered) = channel();
    let (leave, left) = channel::<()>();
    let left = Mutex::new(left);
    let builder = RateLimiter::builder().requests(Rate::per_day(9)).keyed::<String>();
    let builder = builder.limits(move |key: &String, limits: KeyLimits| {
        if key == "slow" {
            enter.send(()).expect("the test receives it");
            left.lock().expect("no thread panics").recv().expect("the test ends it");
        }
        limits
    });
    let tenants = builder.build().expect("valid options");
    thread::scope(|scope| {
        let slow = scope.spawn(|| tenants.of("slow").try_acquire(Cost::new()).map(drop));
        entered.recv_timeout(Duration::from_secs(60)).expect("it was called");
        for key in 0..500 {
            drop(tenants.of(&key.to_string()).try_acquire(Cost::new()).expect("there is room"));
        }
        leave.send(()).expect("it waits for it");
        assert!(slow.join().expect("it does not panic").is_ok());
    });
}

#[test]
fn an_update_to_zero_of_anything_changes_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").tokens(Rate::per_day(100)).spend(Dollars(1) / Unit::day);
    let limiter = limiter.concurrency(2).build().expect("valid options");
    let _permit = limiter.try_acquire(Cost::new().tokens(30).spend(Dollars(0))).expect("there is room");
    let before = limiter.status().expect("it is built").to_string();
    let day = |amount| Rate::new(amount, secs(86_400));
    for problem in [
        limiter.update(|limits| limits.tokens(day(0))),
        limiter.update(|limits| limits.spend(Dollars(0) / Unit::day)),
        limiter.update(|limits| limits.tokens(day(50)).burst(secs(0))),
        limiter.update(|limits| limits.tokens(day(50)).concurrency(0)),
        limiter.update(|limits| limits.tokens(Rate::new(5, secs(0)))),
    ] {
        let problem = problem.expect_err("it would admit nothing");
        assert!(!matches!(problem.problem(), BuildProblem::Forked), "{problem}");
        assert_eq!(limiter.status().expect("it is built").to_string(), before, "{problem}");
    }
}
