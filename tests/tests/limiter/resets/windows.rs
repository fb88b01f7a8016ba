//! What a window admits, and what it owes to the next one.

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Dollars, Rate, RateLimiter, Unit, limiter};
use openlimit_tests::{Call, millis, nanos, plain, secs};

use super::{HOUR, NEW_YEAR, daily, date, left, limiter};

#[test]
fn the_whole_amount_may_leave_at_once_and_is_back_at_the_reset() {
    let clock = ManualClock::new();
    clock.set_date(date(NEW_YEAR + 21 * 3_600));
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(60).unwrap());
    drop(limiter.try_acquire(40).unwrap());
    let error = limiter.try_acquire(1).unwrap_err();
    assert_eq!(error.retry_after(), Some(3 * HOUR));
    let mut call = Call::start(limiter.acquire(100));
    clock.advance(3 * HOUR - nanos(1));
    assert!(!call.poll());
    clock.advance(nanos(1));
    assert_eq!(call.admitted().waited(), 3 * HOUR);
    assert_eq!(left(&limiter), 0);
}

#[test]
fn nothing_flows_back_before_the_reset_and_nothing_is_saved_for_later() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(70).unwrap());
    clock.advance(23 * HOUR);
    assert_eq!(left(&limiter), 30);
    clock.advance(50 * HOUR);
    drop(limiter.try_acquire(100).unwrap());
    assert_eq!(left(&limiter), 0);
}

#[test]
fn no_call_departs_in_the_last_jitter_before_a_reset() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).jitter(millis(50)).tokens(daily()).build().unwrap();
    clock.advance(24 * HOUR - millis(50) - nanos(1));
    drop(limiter.try_acquire(10).unwrap());
    clock.advance(nanos(1));
    assert_eq!(limiter.try_acquire(10).unwrap_err().retry_after(), Some(millis(50)));
    assert_eq!(left(&limiter), 0);
    let call = Call::start(limiter.acquire(10));
    clock.advance(millis(50));
    assert_eq!(call.admitted().waited(), millis(50));
    assert_eq!(left(&limiter), 90);
}

#[test]
fn a_call_that_becomes_due_in_the_last_jitter_waits_for_the_reset() {
    let clock = ManualClock::new();
    let builder = plain(&clock).jitter(millis(50)).requests(Rate::per_second(1)).tokens(daily());
    let limiter = builder.build().unwrap();
    clock.advance(24 * HOUR - millis(1_090));
    drop(limiter.try_acquire(1).unwrap());
    // The limit on requests would let it go after 1 050 ms.
    let call = Call::start(limiter.acquire(1));
    clock.advance(secs(2));
    assert_eq!(call.admitted().waited(), millis(1_090));
}

#[test]
fn a_late_timer_lets_no_call_out_in_the_last_jitter() {
    let clock = ManualClock::new();
    let builder = plain(&clock).jitter(millis(50)).requests(Rate::per_second(1)).tokens(daily());
    let limiter = builder.build().unwrap();
    clock.advance(24 * HOUR - millis(1_130));
    drop(limiter.try_acquire(1).unwrap());
    let mut call = Call::start(limiter.acquire(1));
    // It is due 30 ms before the last jitter, and the timer is 50 ms late.
    clock.jump(millis(1_100));
    assert!(!call.poll());
    clock.advance(millis(30));
    assert_eq!(call.admitted().waited(), millis(1_130));
}

#[test]
fn hours_and_months_reset_in_utc() {
    let clock = ManualClock::new();
    let hourly = limiter(&clock, Rate::per_hour(100).resets_at("00:30", "UTC"));
    let monthly = limiter(&clock, Rate::per_month(100));
    for limiter in [&hourly, &monthly] {
        drop(limiter.try_acquire(100).unwrap());
    }
    assert_eq!(hourly.try_acquire(1).unwrap_err().retry_after(), Some(HOUR / 2));
    assert_eq!(monthly.try_acquire(1).unwrap_err().retry_after(), Some(31 * 24 * HOUR));
    clock.advance(31 * 24 * HOUR);
    drop(monthly.try_acquire(100).unwrap());
    // February has 28 days in 2026.
    assert_eq!(monthly.try_acquire(1).unwrap_err().retry_after(), Some(28 * 24 * HOUR));
}

#[test]
fn days_have_23_and_25_hours_where_the_clocks_change() {
    let rate = Rate::per_day(100).resets_at("00:00", "America/Los_Angeles");
    // 2026-03-08 and 2026-11-01, at midnight there.
    for (midnight, hours) in [(1_772_956_800, 23), (1_773_039_600, 24), (1_793_516_400, 25)] {
        let clock = ManualClock::new();
        clock.set_date(date(midnight - 1));
        let limiter = limiter(&clock, rate);
        drop(limiter.try_acquire(100).unwrap());
        clock.advance(secs(1));
        drop(limiter.try_acquire(100).unwrap());
        assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(hours * HOUR), "{midnight}");
    }
}

#[test]
fn calls_that_wait_are_told_how_many_windows_they_wait_for() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    let calls: Vec<_> = (0..6).map(|_| Call::start(limiter.acquire(60))).collect();
    // Six calls of 60 are more than three days. In truth, each takes a day.
    let error = Call::start(limiter.acquire(60).timeout(72 * HOUR)).refused();
    assert!(matches!(error, AcquireError::Timeout { wait, .. } if wait == 96 * HOUR), "{error}");
    clock.advance(5 * 24 * HOUR);
    let waited = calls.into_iter().map(|call| call.admitted().waited());
    assert!(waited.eq((0..6).map(|day| day * 24 * HOUR)));
}

#[test]
fn a_large_call_is_not_starved_by_small_ones() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(10).unwrap());
    let large = Call::start(limiter.acquire(100));
    let small = Call::start(limiter.acquire(1));
    clock.advance(48 * HOUR);
    assert_eq!((large.admitted().waited(), small.admitted().waited()), (24 * HOUR, 48 * HOUR));
}

#[test]
fn a_call_larger_than_the_amount_is_never_admitted() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    let error = limiter.try_acquire(101).unwrap_err();
    assert!(matches!(error, AcquireError::TooLarge { cost: 101, most: 100, .. }), "{error}");
}

#[test]
fn a_refund_counts_in_the_window_of_its_call_only() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    let (settled, cancelled) = (limiter.try_acquire(40).unwrap(), limiter.try_acquire(30).unwrap());
    let late = limiter.try_acquire(30).unwrap();
    settled.settle(10);
    assert_eq!(left(&limiter), 30);
    cancelled.cancel();
    assert_eq!(left(&limiter), 60);
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(50).unwrap());
    late.settle(0);
    assert_eq!(left(&limiter), 50);
}

#[test]
fn a_refund_makes_room_for_calls_that_wait() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    let permit = limiter.try_acquire(100).unwrap();
    let call = Call::start(limiter.acquire(80));
    clock.advance(HOUR);
    permit.settle(20);
    assert_eq!(call.admitted().waited(), HOUR);
}

#[test]
fn a_debt_is_taken_from_the_next_windows() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    limiter.try_acquire(100).unwrap().settle(330);
    assert_eq!(limiter.status().unwrap().limits[0].debt, 230);
    // 230 are owed after the first reset, 130 after the second, and 30 after the third.
    assert_eq!(limiter.try_acquire(70).unwrap_err().retry_after(), Some(72 * HOUR));
    assert_eq!(limiter.try_acquire(71).unwrap_err().retry_after(), Some(96 * HOUR));
    clock.advance(72 * HOUR);
    assert_eq!(left(&limiter), 70);
    // What is settled after the reset counts after it.
    let late = limiter.try_acquire(70).unwrap();
    clock.advance(24 * HOUR);
    late.settle(90);
    assert_eq!(left(&limiter), 80);
}

#[test]
fn money_may_be_limited_by_the_month() {
    limiter! {
        static BUDGET: RateLimiter = {
            spend: Dollars(100) / month,
            requests: 10_000 / month,
            requests: Rate::per_day(1_000).resets_at("00:00", "UTC"),
        };
    }
    let status = BUDGET.status().unwrap();
    let limits: Vec<_> = status.limits.iter().map(|limit| limit.limit.to_string()).collect();
    let expected = [
        "$100 / month (resets at 00:00 UTC)",
        "10000 requests / month (resets at 00:00 UTC)",
        "1000 requests / day (resets at 00:00 UTC)",
    ];
    assert_eq!(limits, expected);
    let clock = ManualClock::new();
    let budget = (Dollars(100) / Unit::month).resets_at("09:00", "UTC");
    let limiter = plain(&clock).spend(budget).build().unwrap();
    let cost = || openlimit::Cost::new().spend(Dollars(100));
    drop(limiter.try_acquire(cost()).unwrap());
    assert_eq!(limiter.try_acquire(cost()).unwrap_err().retry_after(), Some(9 * HOUR));
}

#[test]
fn a_call_that_a_refund_or_an_update_lets_go_is_not_dated_back() {
    // Another limit is charged beside the one that resets. Its burst has room for two calls but for
    // 100 ms, so the call after the next one is due 100 ms after that.
    let requests = Rate::per_second(1).burst(secs(2));
    for is_update in [false, true] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).jitter(millis(100)).requests(requests).tokens(daily()).build().unwrap();
        let early = limiter.try_acquire(60).unwrap();
        let call = Call::start(limiter.acquire(60));
        clock.advance(secs(10));
        if is_update {
            let rate = Rate::per_day(200).resets_at("00:00", "UTC");
            limiter.update(|update| update.tokens(rate)).unwrap();
        } else {
            early.settle(10_u64);
        }
        assert_eq!(call.admitted().waited(), secs(10));
        assert_eq!(limiter.wait_for(1).unwrap(), millis(100), "is_update: {is_update}");
    }
}
