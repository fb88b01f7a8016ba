//! Sizes. The tests cover calls larger than the burst or the limit, limits from one a day to a
//! million millions a second, and numbers at the end of their range.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Dimension, Limit, Percent, Permit, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, at_once, millis, nanos, plain, requests_and_tokens, secs};

fn call(limiter: &RateLimiter, cost: Cost) -> Call {
    Call::start(limiter.acquire(cost))
}

fn tokens(limiter: &RateLimiter, tokens: u64) -> Call {
    Call::start(limiter.acquire(tokens))
}

#[test]
fn a_call_larger_than_the_burst_takes_a_debt_that_the_next_ones_wait_for() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(40_000)).build().expect("valid rates");
    drop(tokens(&limiter, 8_000).admitted());
    let next = tokens(&limiter, 1);
    clock.advance(secs(60));
    // The wait is for 8 000 + 1 - 666.6 tokens at 666.6 a second.
    assert_eq!(next.admitted().waited(), nanos(11_001_500_000));
}

#[test]
fn a_call_that_leaves_no_room_for_jitter_waits_until_the_bucket_was_empty_for_as_long() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).jitter(millis(50)).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(tokens(&limiter, 95).admitted());
    // The call is as large as the burst. The bucket is empty after 950 ms, and the jitter is 50 ms.
    let mut large = tokens(&limiter, 100);
    clock.advance(millis(999));
    assert!(!large.poll(), "the bucket was not empty for long enough");
    clock.advance(millis(1));
    assert_eq!(large.admitted().waited(), millis(1_000));
    // This call leaves room for 40 ms of the jitter, so it waits for the other 10 ms.
    clock.advance(millis(1_009));
    assert!(limiter.try_acquire(96_u64).is_err(), "the bucket was not empty for long enough");
    clock.advance(millis(1));
    assert!(limiter.try_acquire(96_u64).is_ok());
}

#[test]
fn calls_as_large_as_the_burst_are_spaced_by_the_jitter_more_than_the_rate_asks() {
    for (rate, spacing) in [(Rate::per_minute(60), millis(1_050)), (Rate::per_minute(3), millis(20_050))] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).jitter(millis(50)).requests(rate).build().expect("valid rates");
        let calls: Vec<Call> = (0..10).map(|_| call(&limiter, Cost::new())).collect();
        clock.advance(secs(300));
        for (place, call) in (0..).zip(calls) {
            assert_eq!(call.admitted().waited(), spacing * place, "{rate}");
        }
    }
}

#[test]
fn the_first_call_of_all_goes_at_once_whatever_the_jitter() {
    for jitter in [millis(50), secs(5), Duration::MAX] {
        let clock = ManualClock::new();
        let limiter =
            plain(&clock).jitter(jitter).tokens(Rate::per_second(100)).build().expect("valid rates");
        drop(tokens(&limiter, 100).admitted());
        assert!(limiter.try_acquire(1_u64).is_err());
    }
}

#[test]
fn a_refused_call_does_not_delay_a_large_one() {
    let clock = ManualClock::new();
    let (often, seldom) = (Rate::per_minute(60), Rate::per_day(2));
    let limiter = plain(&clock).jitter(millis(50)).requests(often).tokens(seldom).build();
    let limiter = limiter.expect("valid rates");
    drop(call(&limiter, Cost::new().tokens(1)).admitted());
    // The limit on requests has room for this call from 1.05 s on, and the one on tokens has none.
    for _ in 0..30 {
        clock.advance(millis(50));
        assert!(limiter.try_acquire(Cost::new().tokens(2)).is_err());
        assert_eq!(limiter.try_acquire(Cost::new()).is_ok(), clock.now() == millis(1_050));
    }
}

#[test]
fn a_refused_call_does_not_let_a_large_one_go_early() {
    let clock = ManualClock::new();
    let (tokens, requests) = (Rate::per_second(100), Rate::per_day(10));
    let limiter = plain(&clock).jitter(millis(50)).tokens(tokens).requests(requests).build();
    let limiter = limiter.expect("valid rates");
    clock.advance(secs(1));
    drop(call(&limiter, Cost::new().tokens(95)).admitted());
    // The bucket of tokens is empty after 950 ms. It has room for this call, the other has none.
    clock.advance(millis(960));
    assert!(limiter.try_acquire(Cost::new().tokens(1).requests(10)).is_err());
    let large = Cost::new().tokens(100);
    assert!(limiter.try_acquire(large.clone()).is_err(), "the bucket was not empty for long enough");
    clock.advance(millis(40));
    assert!(limiter.try_acquire(large).is_ok());
}

#[test]
fn a_refund_of_what_has_leaked_counts_before_a_large_call() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).jitter(millis(50)).tokens(Rate::per_second(100)).build().expect("valid rates");
    let permits = [50, 45].map(|amount| (amount, tokens(&limiter, amount).admitted()));
    clock.advance(millis(1_000 - 11));
    // What they took has leaked for 39 ms, and for 49 ms if one of them used a token less.
    for (amount, permit) in permits {
        assert!(limiter.try_acquire(100_u64).is_err(), "the bucket was not empty for long enough");
        permit.settle(amount - u64::from(amount == 50));
    }
    assert!(limiter.try_acquire(100_u64).is_err(), "the bucket was not empty for long enough");
    clock.advance(millis(1));
    assert!(limiter.try_acquire(100_u64).is_ok());
}

#[test]
fn a_call_larger_than_the_limit_is_refused_at_once() {
    let clock = ManualClock::new();
    let (tight, wide) = (Rate::per_minute(40_000), Rate::per_hour(1_000_000));
    let limiter = plain(&clock).headroom(Percent(50)).requests(wide).tokens(wide).tokens(tight);
    let limiter = limiter.tokens(Rate::per_day(1_000_000));
    let limiter = limiter.build().expect("valid rates");
    drop(tokens(&limiter, 40_000).admitted());
    let AcquireError::TooLarge { dimension, cost, most, limit, .. } = tokens(&limiter, 40_001).refused()
    else {
        panic!("wrong error")
    };
    assert_eq!((dimension, cost, most), (Dimension::Tokens, 40_001, 40_000));
    assert_eq!(limit, Limit::new("tokens", tight), "the limit was not the tightest one on tokens");
    assert!(matches!(limiter.try_acquire(u64::MAX), Err(AcquireError::TooLarge { .. })));
}

#[test]
fn a_burst_larger_than_the_limit_is_what_one_call_may_take() {
    let clock = ManualClock::new();
    let rate = Rate::per_minute(100).burst(secs(90));
    let limiter = plain(&clock).tokens(rate).build().expect("valid rates");
    assert!(matches!(tokens(&limiter, 151).refused(), AcquireError::TooLarge { most: 150, .. }));
    drop(tokens(&limiter, 150).admitted());
}

#[test]
fn of_two_limits_on_a_dimension_the_smaller_says_what_is_too_large() {
    let clock = ManualClock::new();
    let limiter = plain(&clock)
        .tokens(Rate::per_day(500))
        .tokens(Rate::per_minute(1_000))
        .build()
        .expect("valid rates");
    assert!(matches!(tokens(&limiter, 501).refused(), AcquireError::TooLarge { most: 500, .. }));
}

#[test]
fn three_a_minute_go_out_one_by_one_evenly() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(3)).build().expect("valid rates");
    let calls: Vec<Call> = (0..10).map(|_| call(&limiter, Cost::new())).collect();
    clock.advance(secs(180));
    for (place, call) in calls.into_iter().enumerate() {
        assert_eq!(call.admitted().waited(), secs(20 * place as u64));
    }
}

#[test]
fn a_limit_per_day_beside_one_per_minute_on_one_dimension() {
    let clock = ManualClock::new();
    let limiter = plain(&clock)
        .requests(Rate::per_minute(60))
        .requests(Rate::per_day(100))
        .build()
        .expect("valid rates");
    let calls: Vec<Call> = (0..102).map(|_| call(&limiter, Cost::new())).collect();
    clock.advance(secs(86_400));
    for (place, call) in calls.into_iter().enumerate() {
        let permit = call.admitted();
        // The first hundred go at one a second. The limit per day then gives one in 864 seconds.
        let (due, limit) = match place as u64 {
            0 => (0, None),
            place @ 1..100 => (place, Some("60 requests / minute")),
            place => (864 * (place - 99), Some("100 requests / day")),
        };
        assert_eq!(permit.waited(), secs(due));
        assert_eq!(permit.waited_for().map(|limit| limit.to_string()).as_deref(), limit);
    }
}

#[test]
fn one_a_day() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_day(1)).build().expect("valid rates");
    drop(call(&limiter, Cost::new()).admitted());
    let next = call(&limiter, Cost::new());
    clock.advance(secs(86_400));
    assert_eq!(next.admitted().waited(), secs(86_400));
}

#[test]
fn a_million_millions_a_second() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(1_000_000_000_000)).build().expect("valid rates");
    drop(tokens(&limiter, 1_000_000_000_000).admitted());
    let (first, second) = (tokens(&limiter, 1), tokens(&limiter, 1_000));
    clock.advance(nanos(1));
    drop(first.admitted());
    clock.advance(nanos(1));
    drop(second.admitted());
}

#[test]
fn the_largest_cost_of_the_largest_rate() {
    const MOST: u64 = i64::MAX as u64;
    for period in [nanos(1), secs(1), secs(31 * 86_400)] {
        for burst in [nanos(1), secs(31 * 86_400)] {
            let clock = ManualClock::new();
            let rate = Rate::new(MOST, period).burst(burst);
            let limiter = RateLimiter::builder().clock(&clock).tokens(rate).build().expect("valid rates");
            drop(tokens(&limiter, MOST).admitted());
            let calls = [MOST, 1, MOST].map(|cost| tokens(&limiter, cost));
            clock.advance(secs(32 * 86_400) * 4);
            drop(calls.map(Call::admitted));
        }
    }
}

#[test]
fn a_settlement_of_any_size_neither_overflows_nor_panics() {
    for rate in [Rate::per_day(1), Rate::per_second(1), Rate::new(i64::MAX as u64, nanos(1))] {
        let clock = ManualClock::new();
        let limiter = RateLimiter::builder().clock(&clock).tokens(rate).build().expect("valid rates");
        let permits: Vec<Permit> = (0..3).map(|_| tokens(&limiter, 0).admitted()).collect();
        let waits = call(&limiter, Cost::new().tokens(1));
        for permit in permits {
            permit.settle(u64::MAX);
            clock.advance(secs(1));
        }
        let _ = limiter.try_acquire(1_u64);
        let timed = Call::start(limiter.acquire(1).timeout(secs(10)));
        clock.jump(Duration::MAX);
        drop((waits, timed));
        let _ = limiter.try_acquire(1_u64);
    }
}

#[test]
fn many_waiters_of_the_largest_cost_do_not_overflow_their_sum() {
    const MOST: u64 = i64::MAX as u64;
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(MOST)).build().expect("valid rates");
    let calls: Vec<Call> = (0..1_000).map(|_| tokens(&limiter, MOST)).collect();
    let AcquireError::Timeout { wait, .. } = Call::start(limiter.acquire(MOST).timeout(secs(1))).refused()
    else {
        panic!("wrong error")
    };
    assert_eq!(wait, secs(1_000));
    clock.advance(secs(999));
    drop(calls.into_iter().map(Call::admitted).collect::<Vec<_>>());
}

#[test]
fn a_call_that_takes_nothing_of_a_limit_in_debt_does_not_wait_for_it() {
    let clock = ManualClock::new();
    let limiter = requests_and_tokens(&clock, Rate::per_second(10), Rate::per_minute(40_000));
    drop(tokens(&limiter, 8_000).admitted());
    assert!(limiter.try_acquire(Cost::new()).is_ok());
    drop(Call::start(limiter.acquire(Cost::new()).timeout(Duration::ZERO)).admitted());
}

#[test]
fn sixty_four_limits_hold_together() {
    let clock = ManualClock::new();
    let name = |index: u64| format!("dimension_{index}");
    let builder = (1..=64).fold(plain(&clock), |builder, index| {
        builder.limit(Limit::new(name(index), Rate::per_second(index)))
    });
    let limiter = builder.build().expect("valid rates");
    let all = || (1..=64).fold(Cost::new(), |cost, index| cost.with(name(index), 1));
    drop(limiter.acquire(all()).blocking().expect("there is room"));
    let next = call(&limiter, all());
    let tail = call(&limiter, Cost::new().with(name(64), 64));
    clock.advance(secs(10));
    let permit = next.admitted();
    assert_eq!(
        (permit.waited(), permit.waited_for().map(|limit| limit.to_string())),
        (secs(1), Some("1 dimension_1 / second".into()))
    );
    permit.cancel();
    drop(tail.admitted());
}

#[test]
fn a_burst_shorter_than_the_jitter_is_kept_back_altogether_and_admits_one_by_one() {
    let clock = ManualClock::new();
    let limiter = plain(&clock)
        .requests(Rate::per_second(100).burst(millis(20)))
        .jitter(millis(50))
        .build()
        .expect("valid rates");
    assert_eq!(at_once(&limiter), 1);
    // One call is 10 ms of the rate. That leaves room for 10 ms of the jitter.
    clock.advance(millis(49));
    assert_eq!(at_once(&limiter), 0);
    clock.advance(millis(1));
    assert_eq!(at_once(&limiter), 1);
}

#[test]
fn bursts_default_to_a_second_up_to_a_minute_and_to_the_whole_above() {
    for (rate, expected) in [
        (Rate::per_second(50), 50),
        (Rate::per_minute(600), 10),
        (Rate::new(100, secs(10)), 10),
        (Rate::per_hour(50), 50),
        (Rate::per_day(50), 50),
        (Rate::new(50, secs(61)), 50),
    ] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).requests(rate).build().expect("valid rates");
        assert_eq!(at_once(&limiter), expected, "{rate}");
    }
    let clock = ManualClock::new();
    let limiter = plain(&clock).burst(secs(5)).requests(Rate::per_minute(600)).build().expect("valid rates");
    assert_eq!(at_once(&limiter), 50);
}

#[test]
fn a_usage_of_what_is_not_metered_changes_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(2)).build().expect("valid rates");
    call(&limiter, Cost::new()).admitted().settle(Usage::new(u64::MAX, u64::MAX).with("images", 7));
    assert_eq!(at_once(&limiter), 1);
}

/// The amount of a period weighs 10^19 here. This is less than 2^64, but twice as much is more.
#[test]
fn a_debt_of_several_periods_is_exact_where_one_barely_fits_into_64_bits() {
    let clock = ManualClock::new();
    let rate = Rate::new(1_000_000_007, secs(10)).burst(secs(10));
    let limiter = plain(&clock).tokens(rate).build().expect("valid rates");
    tokens(&limiter, 1_000_000_007).admitted().settle(4 * 1_000_000_007_u64);
    let next = tokens(&limiter, 1_000_000_007);
    clock.advance(secs(60));
    assert_eq!(next.admitted().waited(), secs(40));
}
