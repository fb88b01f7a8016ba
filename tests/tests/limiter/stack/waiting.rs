//! The wait of a stacked call: when it departs, what goes before it, and how its wait ends.

use std::time::Duration;

use openlimit::Priority::{High, Low};
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Overflow, Permit, Rate, RateLimiter, Stack};
use openlimit_tests::{Call, millis, plain, secs};

use super::{left, tokens};

/// A limiter of a tenant and one of the account, of 100 tokens a second each.
fn pair(clock: &ManualClock) -> (RateLimiter, RateLimiter) {
    (tokens(clock, "tenant", 100), tokens(clock, "account", 100))
}

#[test]
fn a_call_is_charged_in_all_limiters_or_in_none() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    let stack = Stack::of((&tenant, &account));
    drop(stack.try_acquire(30).expect("there is room"));
    assert_eq!(left([&tenant, &account]), [70, 70]);
    drop(account.try_acquire(50).expect("there is room"));
    let refusal = stack.try_acquire(30).unwrap_err();
    assert_eq!(refusal.limiter(), "account");
    assert_eq!(refusal.retry_after(), Some(millis(100)));
    drop(tenant.try_acquire(60).expect("there is room"));
    assert_eq!(stack.try_acquire(20).unwrap_err().limiter(), "tenant");
    assert_eq!(left([&tenant, &account]), [10, 20]);
}

#[test]
fn a_call_that_waits_for_one_limiter_is_charged_in_none() {
    for full in 0..2 {
        let clock = ManualClock::new();
        let (tenant, account) = pair(&clock);
        let stack = Stack::of((&tenant, &account));
        drop([&tenant, &account][full].try_acquire(100).expect("there is room"));
        let mut before = [100, 100];
        before[full] = 0;
        let mut call = Call::start(stack.acquire(50));
        assert_eq!((call.poll(), left([&tenant, &account])), (false, before));
        clock.advance(millis(499));
        assert!(!call.poll());
        clock.advance(millis(1));
        // It was admitted without being polled.
        assert_eq!(call.wakes(), 1);
        before[1 - full] = 50;
        assert_eq!(left([&tenant, &account]), before);
        let permit = call.admitted();
        assert_eq!(permit.waited(), millis(500));
        assert_eq!(permit.limiter(), "account");
        assert!(permit.waited_for().is_some());
    }
}

#[test]
fn a_call_that_departs_because_the_one_before_it_leaves_is_charged_as_of_that_moment() {
    let clock = ManualClock::new();
    let limiter =
        || plain(&clock).jitter(millis(50)).tokens(Rate::per_second(100)).build().expect("valid rates");
    let (tenant, account, twin) = (limiter(), limiter(), limiter());
    let stack = Stack::of((&tenant, &account));
    drop(tenant.try_acquire(90).expect("there is room"));
    let large = Call::start(stack.acquire(50));
    let small = Call::start(stack.acquire(5));
    clock.advance(millis(100));
    assert!(large.wakes() + small.wakes() == 0);
    drop(large);
    assert_eq!(small.admitted().waited(), millis(100));
    drop(twin.try_acquire(5).expect("there is room"));
    let full_in = |limiter: &RateLimiter| limiter.status().expect("it is built").limits[0].full_in;
    assert_eq!(full_in(&account), full_in(&twin));
}

#[test]
fn a_call_departs_at_the_last_of_the_moments_that_its_limiters_ask_for() {
    let clock = ManualClock::new();
    let limiters = [10, 20, 40, 80].map(|rate| tokens(&clock, "level", rate));
    let stack = Stack::of(limiters.iter().collect::<Vec<_>>());
    drop(stack.try_acquire(10).expect("there is room"));
    let call = Call::start(stack.acquire(10));
    clock.advance(millis(999));
    assert_eq!(call.wakes(), 0);
    clock.advance(millis(1));
    assert_eq!(call.admitted().waited(), secs(1));
}

#[test]
fn it_is_charged_as_of_that_moment_in_all_of_them() {
    let clock = ManualClock::new();
    // A call takes all that fits, and the jitter is long.
    let requests = plain(&clock).requests(Rate::per_second(10).burst(millis(200))).jitter(millis(100));
    let (inner, outer) = (requests.build().expect("valid rates"), pair(&clock).1);
    drop(outer.try_acquire(100).expect("there is room"));
    let stacked = Call::start(Stack::of((&inner, &outer)).acquire(50));
    let next = Call::start(inner.acquire(Cost::new()));
    clock.advance(secs(1));
    // It was its turn in the inner limiter all the time, but it did not depart late.
    assert_eq!(stacked.admitted().waited(), millis(500));
    assert_eq!(next.admitted().waited(), millis(600));
}

#[test]
fn calls_behind_the_head_of_an_inner_limiter_wait_for_it() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    drop(account.try_acquire(100).expect("there is room"));
    let stacked = Call::start(Stack::of((&tenant, &account)).acquire(50));
    // The tenant has room for it, but it came later.
    let mut alone = Call::start(tenant.acquire(10));
    assert!(tenant.try_acquire(1).is_err(), "nothing overtakes");
    clock.advance(millis(499));
    assert!(!alone.poll());
    clock.advance(millis(1));
    assert_eq!(alone.admitted().waited(), millis(500));
    assert_eq!(stacked.admitted().waited(), millis(500));
}

#[test]
fn tenants_take_turns_at_the_account() {
    let clock = ManualClock::new();
    let account = plain(&clock).requests(Rate::per_second(10)).build().expect("valid rates");
    while account.try_acquire(Cost::new()).is_ok() {}
    let (heavy, light) = (tokens(&clock, "heavy", 1_000), tokens(&clock, "light", 1_000));
    let call =
        |tenant: &RateLimiter| Call::start(Stack::of((tenant, &account)).acquire(Cost::new().tokens(1)));
    let heavy_calls: Vec<Call> = (0..50).map(|_| call(&heavy)).collect();
    let light_calls = [call(&light), call(&light)];
    clock.advance(secs(1));
    // The first of the heavy ones came first.
    let waited = light_calls.map(|call| call.admitted().waited());
    assert_eq!(waited, [millis(200), millis(400)]);
    let admitted = heavy_calls.into_iter().filter_map(|mut call| call.over()).count();
    assert_eq!(admitted, 8);
}

#[test]
fn stacks_of_opposite_orders_do_not_deadlock() {
    let clock = ManualClock::new();
    let limiters = [tokens(&clock, "a", 10), tokens(&clock, "b", 10), tokens(&clock, "c", 10)];
    let [a, b, c] = &limiters;
    for limiter in &limiters {
        drop(limiter.try_acquire(10).expect("there is room"));
    }
    let orders = [[a, b, c], [c, b, a], [b, a, c], [b, c, a], [c, a, b], [a, c, b]];
    let calls: Vec<Call> = orders.iter().map(|order| Call::start(Stack::of(*order).acquire(10))).collect();
    clock.advance(secs(6));
    let waited: Vec<_> = calls.into_iter().map(|call| call.admitted().waited()).collect();
    assert_eq!(waited, [1, 2, 3, 4, 5, 6].map(secs));
}

#[test]
fn a_dropped_call_costs_nothing_wherever_it_was() {
    for advance in [0, 250, 500, 1_000] {
        let clock = ManualClock::new();
        let (tenant, account) = pair(&clock);
        drop(account.try_acquire(100).expect("there is room"));
        drop(tenant.try_acquire(75).expect("there is room"));
        let call = Call::start(Stack::of((&tenant, &account)).acquire(50));
        let mut next = Call::start(account.acquire(1));
        clock.advance(millis(advance));
        drop(call);
        assert_eq!(tenant.status().expect("built").waiting, 0);
        clock.advance(millis(10));
        assert!(next.poll());
        clock.advance(secs(2));
        assert_eq!(left([&tenant, &account]), [100, 100]);
    }
}

#[test]
fn a_refusal_by_one_limiter_ends_the_wait_in_all() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    drop(account.try_acquire(100).expect("there is room"));
    let stack = Stack::of((&tenant, &account));
    let too_large = Call::start(stack.acquire(101)).refused();
    assert!(matches!(too_large, AcquireError::TooLarge { .. }), "{too_large}");
    // It is known at once, although it would queue at the tenant first.
    let late = Call::start(stack.acquire(50).timeout(millis(499))).refused();
    assert!(matches!(&late, AcquireError::Timeout { wait, .. } if *wait == millis(500)), "{late}");
    assert_eq!(late.limiter(), "account");
    // A debt makes it too late.
    let call = Call::start(stack.acquire(50).timeout(millis(600)));
    account.try_acquire(1).unwrap_err();
    account.hold(secs(5), "test").expect("built");
    let held = call.refused();
    assert!(matches!(held, AcquireError::Held { .. }), "{held}");
    assert_eq!(tenant.status().expect("built").waiting, 0);
    assert_eq!(left([&tenant]), [100]);
}

#[test]
fn the_end_of_a_call_makes_room_outside_before_the_next_one_comes_there() {
    let clock = ManualClock::new();
    let limiter = |most| plain(&clock).concurrency(1).max_waiting(most).build().expect("valid options");
    let (tenant, account) = (limiter(9), limiter(0));
    let stack = Stack::of((&tenant, &account));
    for end in [drop, Permit::cancel] {
        let first = stack.try_acquire(Cost::new()).expect("there is room");
        let calls = [(); 3].map(|()| Call::start(stack.acquire(Cost::new())));
        end(first);
        for call in calls {
            end(call.admitted());
        }
    }
}

#[test]
fn a_timeout_is_that_of_the_whole_wait() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    drop(tenant.try_acquire(100).expect("there is room"));
    let call = Call::start(Stack::of((&tenant, &account)).acquire(50).timeout(millis(700)));
    clock.advance(millis(400));
    drop(account.try_acquire(100).expect("there is room"));
    clock.advance(millis(100));
    // At the account it would have to wait for another 0.4 s.
    let refusal = call.refused();
    let AcquireError::Timeout { timeout, waited, wait, .. } = &refusal else { panic!("{refusal}") };
    assert_eq!((*timeout, *waited, *wait), (millis(700), millis(500), millis(900)));
    let zero = Stack::of((&tenant, &account)).acquire(50).timeout(secs(0)).blocking().unwrap_err();
    assert_eq!(zero.limiter(), "account");
    clock.advance(secs(1));
    drop(Stack::of((&tenant, &account)).acquire(50).timeout(secs(0)).blocking().expect("there is room"));
}

#[test]
fn calls_that_give_up_in_their_turn_have_overtaken_the_low_calls_that_they_held_up() {
    let clock = ManualClock::new();
    let tenant = tokens(&clock, "tenant", 100);
    let account = plain(&clock).concurrency(1).build().expect("valid options");
    let _in_flight = account.try_acquire(Cost::new()).expect("there is room");
    let stack = Stack::of((&tenant, &account));
    let high = || Call::start(stack.acquire(1).priority(High).timeout(millis(100)));
    let mut calls = vec![high()];
    let low = Call::start(tenant.acquire(1).priority(Low));
    // At any time one of them has its turn at the tenant, and waits for the account.
    for _ in 0..20 {
        clock.advance(millis(50));
        calls.push(high());
    }
    // Nine that came after it have left.
    assert_eq!(low.admitted().waited(), millis(550));
}

#[test]
fn a_timeout_behind_a_call_that_waits_elsewhere_names_no_endless_wait() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    drop(account.try_acquire(100).expect("there is room"));
    let _first = Call::start(Stack::of((&tenant, &account)).acquire(50));
    let second = Call::start(tenant.acquire(10).timeout(millis(100)));
    clock.advance(millis(100));
    let refusal = second.refused();
    assert!(matches!(refusal, AcquireError::Timeout { wait, .. } if wait == millis(100)), "{refusal}");
    assert_eq!(refusal.retry_after(), Some(millis(0)));
}

#[test]
fn a_priority_counts_in_each_queue_but_not_before_a_call_whose_turn_it_is() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    let stack = Stack::of((&tenant, &account));
    drop(account.try_acquire(100).expect("there is room"));
    let calls = [Low, Low, High].map(|priority| Call::start(stack.acquire(10).priority(priority)));
    clock.advance(secs(1));
    assert_eq!(calls.map(|call| call.admitted().waited()), [100, 300, 200].map(millis));
}

#[test]
fn a_call_whose_inner_limiter_closes_again_lets_others_go_first() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    drop(account.try_acquire(100).expect("there is room"));
    let first = Call::start(Stack::of((&tenant, &account)).acquire(10));
    let other = Call::start(account.acquire(10));
    tenant.hold(secs(60), "test").expect("built");
    clock.advance(millis(200));
    assert_eq!(other.admitted().waited(), millis(100));
    clock.advance(secs(60));
    assert_eq!(first.admitted().waited(), secs(60));
}

#[test]
fn a_call_keeps_its_turn_outside_while_it_pays_a_small_debt_inside() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    let running = tenant.try_acquire(50).expect("there is room");
    drop(account.try_acquire(100).expect("there is room"));
    let first = Call::start(Stack::of((&tenant, &account)).acquire(50));
    let other = Call::start(account.acquire(10));
    clock.advance(millis(490));
    running.settle(105);
    clock.advance(millis(110));
    let waited = first.admitted().waited();
    assert!(waited > millis(500) && waited <= millis(600), "{waited:?}");
    assert_eq!(other.admitted().waited(), millis(600));
}

#[test]
fn a_limiter_that_is_named_twice_counts_once() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock, "one", 100);
    let stack = Stack::of((&limiter, limiter.clone(), &limiter));
    drop(stack.try_acquire(60).expect("there is room"));
    assert_eq!(left([&limiter]), [40]);
    let call = Call::start(stack.acquire(60));
    clock.advance(millis(200));
    drop(call.admitted());
}

#[test]
fn a_stack_of_nothing_is_refused() {
    let refusal = Stack::of(Vec::<RateLimiter>::new()).try_acquire(1).unwrap_err();
    assert!(matches!(refusal, AcquireError::Build(_)), "{refusal}");
}

#[test]
fn a_long_queue_that_is_due_at_once_departs_at_once() {
    let clock = ManualClock::new();
    let (tenant, account) = (tokens(&clock, "tenant", 100_000), tokens(&clock, "account", 100_000));
    drop(account.try_acquire(100_000).expect("there is room"));
    let stack = Stack::of((&tenant, &account));
    let calls: Vec<Call> = (0..20_000).map(|_| Call::start(stack.acquire(1))).collect();
    clock.advance(secs(1));
    assert!(calls.iter().all(|call| call.wakes() == 1));
}

#[test]
fn a_full_queue_says_how_long_the_call_would_wait_for_all_limiters() {
    let clock = ManualClock::new();
    let inner = plain(&clock).name("inner").tokens(Rate::per_second(100)).max_waiting(0).build();
    let (inner, outer) = (inner.expect("valid rates"), tokens(&clock, "outer", 100));
    drop(outer.try_acquire(100).expect("it is new"));
    let refusal = Call::start(Stack::of((&inner, &outer)).acquire(20)).refused();
    assert!(matches!(&refusal, AcquireError::QueueFull { .. }), "{refusal}");
    assert_eq!((&**refusal.limiter(), refusal.retry_after()), ("inner", Some(millis(200))));
}

#[test]
fn a_call_that_need_not_wait_takes_no_place_in_a_full_queue() {
    for overflow in [Overflow::RejectNew, Overflow::DropOldest, Overflow::DropLowest] {
        let clock = ManualClock::new();
        let tenant = tokens(&clock, "tenant", 100);
        let account = plain(&clock).tokens(Rate::per_second(100)).max_waiting(1).overflow(overflow).build();
        let account = account.expect("valid rates");
        let stack = Stack::of((&tenant, &account));
        drop(account.try_acquire(50).expect("it is new"));
        let large = Call::start(account.acquire(80));
        // It goes before the large one, and there is room for it.
        drop(Call::start(stack.acquire(10).priority(High)).admitted());
        // So it does after it has waited for the tenant.
        drop(tenant.try_acquire(90).expect("there is room"));
        let small = Call::start(stack.acquire(10).priority(High));
        clock.advance(millis(100));
        drop(small.admitted());
        assert_eq!(account.status().expect("it is built").waiting, 1, "{overflow:?}");
        clock.advance(secs(2));
        drop(large.admitted());
    }
}

#[test]
fn a_call_that_waits_for_an_outer_limiter_takes_a_place_in_the_inner_one() {
    let clock = ManualClock::new();
    let tenant = plain(&clock).name("tenant").tokens(Rate::per_second(100)).max_waiting(1).build();
    let (tenant, account) = (tenant.expect("valid rates"), tokens(&clock, "account", 100));
    let stack = Stack::of((&tenant, &account));
    drop(account.try_acquire(100).expect("it is new"));
    let first = Call::start(stack.acquire(10));
    let refusal = Call::start(stack.acquire(10)).refused();
    assert!(matches!(&refusal, AcquireError::QueueFull { waiting: 1, .. }), "{refusal}");
    tenant.update(|limits| limits.overflow(Overflow::DropOldest)).expect("it is valid");
    let second = Call::start(stack.acquire(10));
    assert!(matches!(first.refused(), AcquireError::QueueFull { .. }));
    clock.advance(millis(100));
    drop(second.admitted());
}

#[test]
fn a_call_is_refused_if_a_limit_that_it_has_not_come_to_was_lowered_below_it() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    let stack = Stack::of((&tenant, &account));
    drop(tenant.try_acquire(100).expect("it is new"));
    let call = Call::start(stack.acquire(80));
    account.update(|limits| limits.tokens(Rate::per_second(50))).expect("it is valid");
    clock.advance(secs(3));
    let refusal = call.refused();
    assert!(matches!(&refusal, AcquireError::TooLarge { most: 50, .. }), "{refusal}");
    assert_eq!(left([&tenant, &account]), [100, 50]);
}

#[test]
fn a_limiter_without_limits_refuses_calls_behind_one_that_waits_for_another_limiter() {
    let clock = ManualClock::new();
    let flights = plain(&clock).name("flights").concurrency(2).build().expect("it is valid");
    let account = plain(&clock).name("account").tokens(Rate::per_day(100)).build().expect("it is valid");
    drop(account.try_acquire(100).expect("it is full"));
    let stacked = Call::start(Stack::of((&flights, &account)).acquire(100));
    let error = flights.try_acquire(Cost::new()).expect_err("the stacked call goes first");
    assert_eq!(
        error.to_string(),
        "limiter `flights` cannot admit the call: it has 0 in flight and a concurrency of 2, and a call that waits \
         for another limiter goes first; try again when it has departed, or allow more time"
    );
    let at_once = Call::start(flights.acquire(Cost::new()).timeout(Duration::ZERO)).refused();
    assert!(matches!(at_once, AcquireError::TooManyInFlight { calls: 0, most: 2, .. }), "{at_once}");
    let late = Call::start(flights.acquire(Cost::new()).timeout(secs(5)));
    let held = Call::start(flights.acquire(Cost::new()).timeout(secs(6)));
    clock.advance(secs(5));
    let error = late.refused();
    assert!(matches!(error, AcquireError::TooManyInFlight { waited, .. } if waited == secs(5)), "{error}");
    flights.hold(secs(2), "429").expect("it is built");
    assert!(matches!(held.refused(), AcquireError::Held { .. }));
    drop(stacked);
    clock.advance(secs(2));
    drop(flights.try_acquire(Cost::new()).expect("nobody waits"));
}

#[test]
fn a_hold_of_an_inner_limiter_does_not_stop_the_outer_one_however_long_the_call_has_waited() {
    let clock = ManualClock::new();
    let (tenant, account) = pair(&clock);
    tenant.try_acquire(100).expect("there is room").settle(4_000);
    let first = Call::start(Stack::of((&tenant, &account)).acquire(10));
    clock.advance(secs(39));
    account.try_acquire(100).expect("there is room").settle(210);
    clock.advance(millis(105));
    // It has its turn in the tenant, and waits for the account for a second more.
    assert_eq!(first.wakes(), 0);
    let other = Call::start(account.acquire(10));
    tenant.hold(secs(9), "429").expect("built");
    clock.advance(secs(2));
    assert_eq!((first.wakes(), other.wakes()), (0, 1));
}
