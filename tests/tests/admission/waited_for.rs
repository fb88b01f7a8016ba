//! The limit that a permit names as the one that its call waited for last.

use openlimit::testing::ManualClock;
use openlimit::{Acquire, Cost, Dimension, Limit, Permit, Rate, RateLimiter, Stack, Usage};
use openlimit_tests::{Call, plain, secs};

/// Returns a limiter of a hundred of each dimension in 100 s, at once.
fn limited(clock: &ManualClock, dimensions: [Dimension; 2]) -> RateLimiter {
    let rate = Rate::new(100, secs(100)).burst(secs(100));
    let limits = dimensions.map(|dimension| Limit::new(dimension, rate));
    limits.into_iter().fold(plain(clock), |builder, limit| builder.limit(limit)).build().expect("valid rates")
}

fn cost(input: u64, output: u64) -> Cost {
    Cost::new().input_tokens(input).output_tokens(output)
}

/// Returns the dimension of the limit that the call of a permit waited for.
fn waited_for(permit: &Permit) -> Option<Dimension> {
    permit.waited_for().map(|limit| limit.dimension().clone())
}

/// Runs a check with the limits in both orders, of calls of one limiter and of a stack of it.
fn in_each_way(check: impl Fn(&ManualClock, &RateLimiter, &dyn Fn(Cost) -> Acquire)) {
    let (input, output) = (Dimension::InputTokens, Dimension::OutputTokens);
    for dimensions in [[input.clone(), output.clone()], [output, input]] {
        let clock = ManualClock::new();
        let limiter = limited(&clock, dimensions.clone());
        check(&clock, &limiter, &|cost| limiter.acquire(cost));
        let limiter = limited(&clock, dimensions);
        check(&clock, &limiter, &|cost| Stack::of([&limiter]).acquire(cost));
    }
}

#[test]
fn it_is_the_one_that_a_refund_made_room_in_also_if_another_one_is_charged_at_the_same_moment() {
    in_each_way(|clock, limiter, acquire| {
        let first = limiter.try_acquire(cost(100, 10)).expect("there is room");
        let call = Call::start(acquire(cost(50, 10)));
        clock.advance(secs(1));
        first.settle(Usage::new(10, 20));
        assert_eq!(waited_for(&call.admitted()), Some(Dimension::InputTokens));
    });
}

#[test]
fn a_call_that_goes_with_the_one_before_it_waited_for_the_same_limit() {
    in_each_way(|clock, limiter, acquire| {
        drop(limiter.try_acquire(cost(100, 10)).expect("there is room"));
        let calls = [cost(50, 10), cost(0, 10), cost(0, 10)].map(|cost| Call::start(acquire(cost)));
        clock.advance(secs(50));
        for call in calls {
            assert_eq!(waited_for(&call.admitted()), Some(Dimension::InputTokens));
        }
    });
}

#[test]
fn a_call_whose_own_limit_has_room_later_than_the_one_before_it_goes_waited_for_that() {
    in_each_way(|clock, limiter, acquire| {
        drop(limiter.try_acquire(cost(100, 90)).expect("there is room"));
        let calls = [cost(50, 10), cost(0, 70)].map(|cost| Call::start(acquire(cost)));
        clock.advance(secs(70));
        let [first, second] = calls.map(|call| waited_for(&call.admitted()));
        assert_eq!((first, second), (Some(Dimension::InputTokens), Some(Dimension::OutputTokens)));
    });
}

#[test]
fn calls_that_depart_together_a_little_late_waited_for_what_the_one_before_them_did() {
    let rate = Rate::new(100, secs(100)).burst(secs(100));
    let clock = ManualClock::new();
    let builder = plain(&clock).jitter(secs(10)).input_tokens(rate).output_tokens(rate);
    let limiter = builder.build().expect("valid rates");
    drop(limiter.try_acquire(cost(90, 80)).expect("there is room"));
    // Alone, they would be due after 50 s, 70 s and 60 s.
    let calls = [cost(50, 10), cost(0, 70), cost(10, 0)].map(|cost| Call::start(limiter.acquire(cost)));
    clock.jump(secs(71));
    let [first, second, third] = calls.map(|call| waited_for(&call.admitted()));
    let output = Some(Dimension::OutputTokens);
    assert_eq!((first, second, third), (Some(Dimension::InputTokens), output.clone(), output));
}

#[test]
fn it_is_none_for_calls_that_waited_for_the_end_of_a_hold() {
    in_each_way(|clock, limiter, acquire| {
        limiter.hold(secs(10), "a test").expect("it is built");
        let calls = [cost(10, 10), cost(10, 10)].map(|cost| Call::start(acquire(cost)));
        clock.advance(secs(5));
        limiter.release().expect("it is built");
        assert_eq!(calls.map(|call| waited_for(&call.admitted())), [None, None]);
    });
}
