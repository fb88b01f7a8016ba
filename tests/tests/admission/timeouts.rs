//! Timeouts. A call whose wait is known to exceed its timeout fails at once. Other calls fail at
//! their deadline. Neither costs any of the limit.

use std::time::{Duration, Instant};

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Percent, Priority, Rate, RateLimiter, Usage};
use openlimit_tests::model::Limit;
use openlimit_tests::random::{admissible, builder, cost, limits};
use openlimit_tests::{Call, at_once, millis, nanos, plain, requests_and_tokens, secs};
use proptest::collection::vec;
use proptest::prelude::*;

/// Returns a limiter of one request a second.
fn slow(clock: &ManualClock) -> RateLimiter {
    plain(clock).name("slow").requests(Rate::per_second(1)).build().expect("valid rates")
}

fn within(limiter: &RateLimiter, timeout: Duration) -> Call {
    Call::start(limiter.acquire(Cost::new()).timeout(timeout))
}

fn call(limiter: &RateLimiter) -> Call {
    Call::start(limiter.acquire(Cost::new()))
}

#[test]
fn a_wait_known_to_be_too_long_fails_at_once_and_says_which_limit_and_how_long() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(call(&limiter).admitted());
    let ahead = [call(&limiter), call(&limiter)];
    let error = within(&limiter, millis(2_999)).refused();
    let AcquireError::Timeout { timeout, wait, limit, .. } = &error else { panic!("{error}") };
    assert_eq!((*timeout, *wait), (millis(2_999), secs(3)));
    assert_eq!(limit.to_string(), "1 requests / second");
    assert_eq!(error.retry_after(), Some(secs(3)));
    // The refused call did not join the queue, so the next call takes its place.
    let next = within(&limiter, secs(3));
    clock.advance(secs(3));
    drop(ahead);
    assert_eq!(next.admitted().waited(), secs(3));
}

#[test]
fn the_wait_behind_calls_that_take_nothing_yet_begins_now_and_not_when_a_limit_was_used_last() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).concurrency(1).build().expect("valid rates");
    let permit = call(&limiter).admitted();
    clock.advance(secs(3_600));
    // They wait for the end of the call in flight, whenever that is, and then for the limit.
    let ahead = [call(&limiter), call(&limiter), call(&limiter)];
    assert_eq!(limiter.wait_for(Cost::new()).expect("it can be made"), secs(3));
    let error = within(&limiter, millis(2_999)).refused();
    assert_eq!(error.retry_after(), Some(secs(3)));
    drop((permit, ahead));
}

#[test]
fn a_wait_of_exactly_the_timeout_is_admitted() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(call(&limiter).admitted());
    let call = within(&limiter, secs(1));
    clock.advance(secs(1));
    assert_eq!(call.admitted().waited(), secs(1));
}

#[test]
fn so_it_is_by_a_process_that_looks_late() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(call(&limiter).admitted());
    let call = within(&limiter, secs(1));
    clock.jump(secs(5));
    drop(call.admitted());
}

#[test]
fn a_wait_that_becomes_too_long_fails_when_that_is_known() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    let first = call(&limiter).admitted();
    let call = within(&limiter, millis(1_500));
    clock.advance(millis(500));
    first.settle(Usage::from(0).with("requests", 3));
    assert_eq!(call.wakes(), 1);
    let error = call.refused();
    let AcquireError::Timeout { timeout, waited, wait, limiter, .. } = &error else { panic!("{error}") };
    assert_eq!((*timeout, *waited, *wait, &**limiter), (millis(1_500), millis(500), secs(3), "slow"));
    assert_eq!(error.retry_after(), Some(millis(2_500)), "from now");
}

#[test]
fn a_deadline_is_the_time_that_is_left_until_then() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    let start = Instant::now();
    let by = |deadline| Call::start(limiter.acquire(Cost::new()).deadline(deadline));
    drop(by(start).admitted());
    let AcquireError::Timeout { timeout, .. } = by(start + millis(900)).refused() else {
        panic!("no timeout")
    };
    assert!(timeout <= millis(900));
    let mut call = by(start + secs(3_600));
    // It passes on the limiter's clock, also before the call is polled for the first time.
    let late = limiter.acquire(Cost::new()).deadline(start + millis(1_900));
    let never = by(start + secs(1 << 40));
    clock.advance(secs(1));
    assert!(call.over().is_some());
    let AcquireError::Timeout { timeout, .. } = Call::start(late).refused() else { panic!("no timeout") };
    assert!(timeout <= millis(900));
    assert!(by(start).over().is_some_and(|outcome| outcome.is_err()), "it has passed");
    clock.advance(secs(1));
    assert_eq!(never.admitted().waited(), secs(2));
}

#[test]
fn the_last_of_timeout_and_deadline_counts() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(call(&limiter).admitted());
    let now = Instant::now();
    assert!(Call::start(limiter.acquire(Cost::new()).deadline(now + secs(3_600)).timeout(millis(9))).poll());
    assert!(!Call::start(limiter.acquire(Cost::new()).timeout(millis(9)).deadline(now + secs(3_600))).poll());
}

#[test]
fn a_timeout_of_zero_admits_at_once_or_not_at_all() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(within(&limiter, Duration::ZERO).admitted());
    let error = within(&limiter, Duration::ZERO).refused();
    assert_eq!(error.retry_after(), Some(secs(1)));
}

#[test]
fn a_timeout_of_zero_behind_others_fails_at_once_even_where_its_own_limits_have_room() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(1));
    drop(Call::start(limiter.acquire(1)).admitted());
    let head = Call::start(limiter.acquire(1));
    let error = within(&limiter, Duration::ZERO).refused();
    assert_eq!(error.retry_after(), Some(secs(1)), "{error}");
    clock.advance(secs(1));
    drop(head.admitted());
}

#[test]
fn nobody_waits_for_a_head_that_is_known_to_take_longer_than_the_timeout() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(1));
    drop(Call::start(limiter.acquire(1)).admitted());
    let head = Call::start(limiter.acquire(1));
    let AcquireError::Timeout { wait, .. } = within(&limiter, millis(999)).refused() else {
        panic!("no error")
    };
    assert_eq!(wait, secs(1));
    let exact = within(&limiter, secs(1));
    clock.advance(secs(1));
    assert_eq!(head.admitted().waited(), exact.admitted().waited());
}

#[test]
fn nobody_waits_for_calls_that_go_after_a_lower_one_that_is_owed_its_turn() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_minute(600));
    drop(limiter.charge(Cost::new().requests(0).tokens(10)).expect("nothing is refused"));
    let start = |tokens, priority| {
        Call::start(limiter.acquire(Cost::new().requests(0).tokens(tokens)).priority(priority))
    };
    let low = start(1, Priority::Low);
    let high: Vec<Call> = (0..9).map(|_| start(1, Priority::High)).collect();
    // It goes after the low call, into debt, and delays only those that take tokens.
    let large = start(50, Priority::High);
    let mut last = Call::start(limiter.acquire(Cost::new()).priority(Priority::Low).timeout(secs(2)));
    assert!(!last.poll());
    clock.advance(secs(2));
    assert_eq!(low.admitted().waited(), secs(1));
    assert_eq!(large.admitted().waited(), secs(2));
    assert_eq!(last.admitted().waited(), secs(2));
    drop(high);
}

#[test]
fn the_pauses_between_calls_as_large_as_the_burst_count_as_known() {
    for (amount, is_used) in [(60, false), (60, true), (30, true), (61, true), (90, true)] {
        let clock = ManualClock::new();
        let builder = plain(&clock).jitter(millis(50));
        let limiter = builder.requests(Rate::per_minute(amount)).build().expect("a valid rate");
        if is_used {
            drop(limiter.try_acquire(Cost::new()).expect("there is room"));
            clock.advance(millis(10));
        }
        let ahead: Vec<Call> = (0..20).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
        let AcquireError::Timeout { wait, .. } =
            Call::start(limiter.acquire(Cost::new()).timeout(secs(1))).refused()
        else {
            panic!("{amount}: no timeout");
        };
        // Each call departs at a whole nanosecond.
        let exact = Call::start(limiter.acquire(Cost::new()).timeout(wait + nanos(20)));
        clock.advance(secs(60));
        let waited = exact.admitted().waited();
        assert!(wait <= waited && waited <= wait + nanos(20), "{amount}: {wait:?}, and {waited:?}");
        drop(ahead);
    }
}

#[test]
fn the_deadline_of_one_leaves_the_others_as_they_were() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    let first = call(&limiter).admitted();
    let (head, timed, tail) = (call(&limiter), within(&limiter, millis(2_500)), call(&limiter));
    first.settle(Usage::from(0).with("requests", 2));
    clock.advance(secs(10));
    assert_eq!(head.admitted().waited(), secs(2));
    assert!(matches!(timed.refused(), AcquireError::Timeout { .. }));
    assert_eq!(tail.admitted().waited(), secs(3), "the call must take the place of the timed-out one");
}

#[test]
fn a_head_without_time_makes_way_at_once() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    let first = Call::start(limiter.acquire(50)).admitted();
    let large = Call::start(limiter.acquire(100).timeout(millis(600)));
    let small = Call::start(limiter.acquire(20));
    first.settle(80);
    assert!(matches!(large.refused(), AcquireError::Timeout { .. }));
    assert_eq!(small.admitted().waited(), secs(0));
}

#[test]
fn a_refusal_costs_nothing() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_second(10));
    drop(Call::start(limiter.acquire(10)).admitted());
    for _ in 0..1_000 {
        assert!(limiter.try_acquire(1).is_err());
        drop(Call::start(limiter.acquire(1).timeout(Duration::ZERO)).refused());
        drop(Call::start(limiter.acquire(1).timeout(millis(99))).refused());
        drop(Call::start(limiter.acquire(11)).refused());
        drop(Call::start(limiter.acquire(Cost::new().images(1))).refused());
    }
    clock.advance(millis(100));
    assert!(limiter.try_acquire(1).is_ok());
    assert!(limiter.try_acquire(1).is_err());
    assert_eq!(at_once(&limiter), 9);
}

#[test]
fn many_deadlines_pass_in_any_order() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100_000)).build().expect("valid rates");
    let first = limiter.try_acquire(Cost::new().requests(100_000)).expect("nothing is taken");
    // So many that nobody looks at the calls behind them.
    let ahead: Vec<Call> = (0..5_000).map(|_| call(&limiter)).collect();
    let mut calls: Vec<(u64, Call)> = (0..100)
        .map(|index| {
            let timeout = 1_000 * (index + 1) + index * 37 % 100;
            (timeout, within(&limiter, millis(timeout)))
        })
        .collect();
    first.settle(Usage::from(0).with("requests", 1_000_000_000));
    for _ in 0..110 {
        clock.advance(secs(1));
        let now = clock.now();
        for (timeout, call) in &mut calls {
            assert_eq!(call.poll(), millis(*timeout) <= now);
        }
    }
    drop(ahead);
}

#[test]
fn the_longest_timeout_is_none() {
    let clock = ManualClock::new();
    let limiter = slow(&clock);
    drop(call(&limiter).admitted());
    let (never, ages) = (within(&limiter, Duration::MAX), within(&limiter, secs(u64::MAX / 1_000_000_000)));
    clock.advance(secs(2));
    assert_eq!((never.admitted().waited(), ages.admitted().waited()), (secs(1), secs(2)));
}

/// A call: its priority, its amounts, and the time that passes before it.
type Arrival = (Priority, Vec<u64>, u64);

fn arrival() -> impl Strategy<Value = Arrival> {
    let priority = prop_oneof![Just(Priority::Low), Just(Priority::Normal), Just(Priority::High)];
    let amount = prop_oneof![0..3_u64, 0..50_u64, 0..3_000_u64];
    let time = prop_oneof![4 => Just(0), 2 => 0..1_000_000_000_u64, 1 => 0..100_000_000_000_u64];
    (priority, vec(amount, 3), time)
}

/// Starts one call after the other, and returns the last one, which alone has a timeout.
fn last_of(
    limits: &[Limit],
    reserve: Option<(Priority, u8)>,
    arrivals: &[Arrival],
    timeout: Option<Duration>,
) -> (ManualClock, Vec<Call>) {
    let clock = ManualClock::new();
    let builder = builder(limits, &clock);
    let builder = match reserve {
        Some((priority, percent)) => builder.reserve((priority, Percent(percent))),
        None => builder,
    };
    let limiter = builder.build().expect("the limits are valid");
    let start = |(place, (priority, amounts, time)): (usize, &Arrival)| {
        clock.advance(nanos(*time));
        let call = limiter.acquire(cost(limits, &admissible(limits, amounts))).priority(*priority);
        let timeout = timeout.filter(|_| place + 1 == arrivals.len());
        Call::start(if let Some(timeout) = timeout { call.timeout(timeout) } else { call })
    };
    let calls = arrivals.iter().enumerate().map(start).collect();
    (clock, calls)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_call_goes_before_the_wait_that_was_known_when_it_arrived(
        limits in limits(prop_oneof![0..200_000_000_u64, 0..5_000_000_000_u64]),
        reserve in prop_oneof![
            Just(None),
            (prop_oneof![Just(Priority::Normal), Just(Priority::High)], 1..100_u8).prop_map(Some),
        ],
        arrivals in vec(arrival(), 1..30),
    ) {
        let (_, mut calls) = last_of(&limits, reserve, &arrivals, Some(nanos(1)));
        let Some(Err(AcquireError::Timeout { wait, .. })) = calls.pop().and_then(|mut call| call.over()) else {
            return Ok(());
        };
        let (clock, mut calls) = last_of(&limits, reserve, &arrivals, None);
        clock.advance(nanos(1 << 57));
        let waited = calls.pop().map(|call| call.admitted().waited());
        prop_assert!(Some(wait) <= waited, "{:?} was known, and it waited {:?}", wait, waited);
    }
}
