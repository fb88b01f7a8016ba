//! The wall clock is set, or the machine sleeps.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Rate, RateLimiter, Stack};
use openlimit_tests::{Call, Outcome, millis, nanos, secs};
use proptest::collection::vec;
use proptest::prelude::*;

use super::{HOUR, NEW_YEAR, daily, date, left, limiter};

const DAY: u64 = 86_400;

#[test]
fn a_machine_that_was_suspended_over_a_reset_begins_a_window_at_once() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    // The monotonic clock stood still.
    clock.set_date(date(NEW_YEAR + DAY + 1));
    drop(limiter.try_acquire(100).unwrap());
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(24 * HOUR - secs(1)));
}

#[test]
fn calls_that_wait_notice_within_a_minute_that_the_clock_was_set_forward() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    let call = Call::start(limiter.acquire(1));
    clock.advance(HOUR);
    clock.set_date(date(NEW_YEAR + DAY));
    clock.advance(secs(60));
    let waited = call.admitted().waited();
    assert!((HOUR..=HOUR + secs(60)).contains(&waited), "{waited:?}");
}

#[test]
fn a_clock_that_is_set_back_prolongs_the_window() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    let mut call = Call::start(limiter.acquire(1));
    clock.advance(23 * HOUR);
    clock.set_date(date(NEW_YEAR + 20 * 3_600));
    clock.advance(4 * HOUR - nanos(1));
    assert!(!call.poll());
    clock.advance(nanos(1));
    assert_eq!(call.admitted().waited(), 27 * HOUR);
}

#[test]
fn a_clock_that_is_set_back_beyond_a_reset_lets_nothing_out_a_second_time() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(30).unwrap());
    clock.set_date(date(NEW_YEAR + DAY - 1));
    // All 130 count before the reset, which comes again.
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(secs(1)));
    clock.advance(secs(1));
    assert_eq!(left(&limiter), 70);
}

#[test]
fn what_was_taken_twice_in_a_window_is_owed_however_often_the_clock_is_set() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(100).unwrap());
    // Both count in the first day, which the second one then pays for.
    clock.set_date(date(NEW_YEAR + DAY - 1));
    drop(limiter.charge(1).unwrap());
    for _ in 0..3 {
        assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(24 * HOUR + secs(1)));
        clock.set_date(date(NEW_YEAR + 4 * DAY));
        limiter.try_acquire(100).unwrap().cancel();
        clock.set_date(date(NEW_YEAR + DAY - 1));
    }
}

#[test]
fn an_amount_that_was_lowered_leaves_no_debt_if_the_clock_is_set_back_beyond_the_reset() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, Rate::per_day(1_000).resets_at("00:00", "UTC"));
    drop(limiter.try_acquire(900).unwrap());
    limiter.update(|limits| limits.tokens(daily())).unwrap();
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(60).unwrap());
    clock.set_date(date(NEW_YEAR + 86_399));
    // These may have been taken after the reset, and those of before are no debt.
    assert_eq!((left(&limiter), limiter.status().unwrap().limits[0].debt), (0, 60));
    clock.advance(secs(1));
    assert_eq!(left(&limiter), 40);
}

#[test]
fn what_was_taken_before_a_reset_of_the_limiter_is_forgotten_whatever_the_clock_says() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(30).unwrap());
    limiter.reset().unwrap();
    clock.set_date(date(NEW_YEAR + DAY - 1));
    assert_eq!(left(&limiter), 100);
}

#[test]
fn a_clock_that_was_far_ahead_for_a_moment_takes_nothing_from_later_windows() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(20).unwrap());
    clock.set_date(date(NEW_YEAR + 400 * DAY));
    drop(limiter.try_acquire(30).unwrap());
    clock.set_date(date(NEW_YEAR + 3_600));
    drop(limiter.try_acquire(50).unwrap());
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(23 * HOUR));
    clock.advance(23 * HOUR);
    assert_eq!(left(&limiter), 100);
}

#[test]
fn a_limit_that_was_used_up_by_a_clock_far_ahead_is_back_at_the_next_reset() {
    let refused: [fn(&RateLimiter) -> Outcome; 4] = [
        |limiter| limiter.try_acquire(1),
        |limiter| limiter.acquire(1).timeout(secs(1)).blocking(),
        |limiter| limiter.acquire(1).timeout(Duration::ZERO).blocking(),
        |limiter| Stack::of([limiter]).try_acquire(1),
    ];
    for (how, call) in refused.into_iter().enumerate() {
        let clock = ManualClock::new();
        let limiter = limiter(&clock, daily());
        clock.set_date(date(NEW_YEAR + 400 * DAY));
        drop(limiter.try_acquire(100).unwrap());
        clock.set_date(date(NEW_YEAR + 3_600));
        assert_eq!(call(&limiter).unwrap_err().retry_after(), Some(23 * HOUR));
        clock.advance(23 * HOUR);
        assert_eq!(left(&limiter), 100, "{how}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whenever_a_clock_that_was_ahead_is_right_again_all_that_was_taken_counts(
        days in vec((vec((1..7_u64, 1..25_u64), 0..4), 1..25_u64), 1..6),
    ) {
        let clock = ManualClock::new();
        let limiter = limiter(&clock, daily());
        let take = |amount| limiter.try_acquire(amount).map_or(0, |permit| { drop(permit); amount });
        for (day, (errors, amount)) in days.into_iter().enumerate() {
            let truth = NEW_YEAR + day as u64 * DAY;
            clock.set_date(date(truth));
            let mut taken = take(amount);
            for (ahead, amount) in errors {
                clock.set_date(date(truth + ahead * DAY));
                taken += take(amount);
            }
            clock.set_date(date(truth + 3_600));
            taken += take(1);
            prop_assert_eq!(left(&limiter), 100 - taken);
        }
    }
}

#[test]
fn dates_at_the_ends_of_time_do_not_panic() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    for seconds in [0, 4_102_444_800, 9_000_000_000, u64::MAX / 4_000_000_000] {
        clock.set_date(date(seconds));
        let _ = limiter.try_acquire(1);
        let _ = limiter.status().unwrap().to_string();
        clock.advance(millis(1));
    }
    clock.set_date(std::time::UNIX_EPOCH - secs(1 << 40));
    let _ = limiter.try_acquire(1);
    clock.jump(secs(u64::MAX / 2_000_000_000));
    let _ = limiter.try_acquire(1);
    assert!(limiter.status().is_ok());
}
