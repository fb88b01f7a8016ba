//! Stacks of limiters that keep a part of their rates for a priority.

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Percent, Priority, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::{Call, millis, nanos, plain, secs};

use super::{left, tokens};

use Priority::{High, Low};

/// Returns a limiter of 100 tokens a second, of which a fifth is for high calls.
fn reserving(clock: &ManualClock) -> RateLimiter {
    let builder = plain(clock).name("reserving").tokens(Rate::per_second(100));
    builder.reserve((High, Percent(20))).build().expect("a valid reserve")
}

fn call(stack: [&RateLimiter; 2], tokens: u64, priority: Priority) -> Call {
    Call::start(Stack::of(stack).acquire(tokens).priority(priority))
}

#[test]
fn stacked_calls_below_the_priority_take_their_share_and_others_take_all() {
    let clock = ManualClock::new();
    let [tenant, account] = [tokens(&clock, "tenant", 1_000), reserving(&clock)];
    let stack = [&tenant, &account];
    // `try_acquire` is a normal call.
    drop(Stack::of(stack).try_acquire(80).expect("its share has room"));
    let AcquireError::WouldWait { wait, .. } = Stack::of(stack).try_acquire(8).expect_err("no room") else {
        panic!("another error")
    };
    assert_eq!((wait, left(stack)), (millis(100), [920, 20]));
    assert_eq!(call(stack, 20, High).admitted().waited(), secs(0));
    assert_eq!(left(stack), [900, 0]);
}

#[test]
fn in_whichever_limiter_the_part_is_kept_low_calls_wait_for_their_share() {
    for inner in [true, false] {
        let clock = ManualClock::new();
        let [other, kept] = [tokens(&clock, "other", 1_000), reserving(&clock)];
        let stack = if inner { [&kept, &other] } else { [&other, &kept] };
        let mut flood: Vec<_> = (0..400).map(|_| call(stack, 1, Low)).collect();
        let mut admitted = Vec::new();
        for _ in 0..31 {
            admitted.push(flood.iter_mut().filter_map(|call| call.poll().then_some(())).count());
            clock.advance(millis(100));
        }
        assert_eq!(admitted, (0..31).map(|tenths| 80 + 8 * tenths).collect::<Vec<_>>());
    }
}

#[test]
fn a_stacked_high_call_passes_a_stacked_low_one_that_waits_for_its_share() {
    let clock = ManualClock::new();
    let [inner, outer] = [reserving(&clock), tokens(&clock, "outer", 1_000)];
    let stack = [&inner, &outer];
    drop(call(stack, 80, Low).admitted());
    let low = call(stack, 40, Low);
    for _ in 0..20 {
        assert_eq!(call(stack, 1, High).admitted().waited(), secs(0));
    }
    clock.advance(millis(500));
    assert_eq!(low.admitted().waited(), millis(500));
}

#[test]
fn a_call_that_is_owed_its_turn_goes_as_soon_as_a_stacked_call_has_passed() {
    let clock = ManualClock::new();
    let [outer, kept] = [tokens(&clock, "outer", 1_000), reserving(&clock)];
    let alone = |tokens: u64, priority| Call::start(kept.acquire(tokens).priority(priority));
    drop(alone(80, Low).admitted());
    let (small, large) = (alone(5, Low), alone(60, Priority::Normal));
    // The small one has room in its share now, but the large one is next.
    clock.advance(millis(100));
    for _ in 0..9 {
        assert_eq!(kept.status().expect("valid").waiting, 2);
        assert_eq!(call([&kept, &outer], 1, High).admitted().waited(), secs(0));
    }
    assert_eq!(small.admitted().waited(), millis(100));
    drop(large);
}

#[test]
fn with_a_normal_floor_try_acquire_passes_stacked_low_calls_that_wait_for_their_share() {
    let clock = ManualClock::new();
    let builder = plain(&clock).tokens(Rate::per_second(100)).reserve((Priority::Normal, Percent(50)));
    let [inner, outer] = [builder.build().expect("a valid reserve"), tokens(&clock, "outer", 70)];
    let stack = [&inner, &outer];
    let low: Vec<_> = (0..3).map(|_| call(stack, 50, Low)).collect();
    // The outer limiter has no room, so the inner one is not charged.
    assert!(Stack::of(stack).try_acquire(21).is_err());
    assert_eq!(left(stack), [50, 20]);
    // It passes as many calls as go before one that is owed its turn, and more.
    (0..20).for_each(|_| drop(Stack::of(stack).try_acquire(1).expect("both have room")));
    assert!(Stack::of(stack).try_acquire(1).is_err());
    drop(low);
}

#[test]
fn what_stacked_calls_did_not_use_is_given_back_to_their_share() {
    let clock = ManualClock::new();
    let [inner, outer] = [reserving(&clock), tokens(&clock, "outer", 1_000)];
    let stack = [&inner, &outer];
    call(stack, 80, Low).admitted().settle(Usage::from(30));
    call(stack, 50, Low).admitted().cancel();
    drop(call(stack, 50, Low).admitted());
    let mut more = call(stack, 1, Low);
    assert!(!more.poll(), "the share is full");
    // What others use beyond their reservation is no debt of the share.
    call(stack, 10, High).admitted().settle(Usage::from(20));
    clock.advance(millis(13));
    assert_eq!(more.admitted().waited(), nanos(12_500_000));
}

/// Each of two calls has its turn in one limiter, and would wait for that of the other.
#[test]
fn a_call_that_passed_another_keeps_its_turn_until_it_departs() {
    let clock = ManualClock::new();
    let [inner, outer] = [reserving(&clock), tokens(&clock, "outer", 1_000)];
    let stack = [&inner, &outer];
    drop(call(stack, 80, Low).admitted());
    drop(Call::start(outer.acquire(920)).admitted());
    // Overtaken by nine calls, it is owed its turn.
    let low = call(stack, 8, Low);
    (0..9).for_each(|_| drop(Call::start(inner.acquire(0).priority(High)).admitted()));
    // It waits for its share for 0.1 s, so it is passed. The other one waits for the outer limiter.
    let mut ahead = Call::start(outer.acquire(300).priority(High));
    let high = call(stack, 10, High);
    clock.advance(millis(100));
    assert!(!ahead.poll());
    clock.advance(secs(1));
    assert_eq!(ahead.admitted().waited(), millis(300));
    assert_eq!(high.admitted().waited(), millis(310));
    assert_eq!(low.admitted().waited(), millis(318));
}
