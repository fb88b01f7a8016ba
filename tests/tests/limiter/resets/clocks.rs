//! The wall clock is set, or the machine sleeps.

use openlimit::testing::ManualClock;
use openlimit_tests::{Call, millis, nanos, secs};

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
fn a_clock_that_was_wrong_for_a_moment_takes_nothing_from_later_windows() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(20).unwrap());
    clock.set_date(date(NEW_YEAR + 400 * DAY));
    drop(limiter.try_acquire(30).unwrap());
    clock.set_date(date(NEW_YEAR + 3_600));
    assert!((50..=70).contains(&left(&limiter)), "{}", left(&limiter));
    drop(limiter.try_acquire(10).unwrap());
    clock.advance(23 * HOUR);
    assert_eq!(left(&limiter), 100);
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
