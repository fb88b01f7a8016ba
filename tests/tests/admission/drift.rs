//! Drift. After a simulated year, the number of admitted calls equals the result of a formula.
//!
//! Under constant demand, calls that fit into the burst never leave the bucket empty. So the
//! limiter admits exactly `(fit + pace * t) / weight` calls until `t`. `fit` is the amount
//! available at once, and `pace * t` is the amount that the rate gives until `t`.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Builder, Cost, Percent, Rate, RateLimiter, kind};
use openlimit_tests::{nanos_of, secs};

const YEAR: u64 = 365 * 86_400;

/// The default headroom as a fraction.
const DEFAULT: (u128, u128) = (1, 5_000);
const NONE: (u128, u128) = (0, 100);

#[test]
fn three_a_minute() {
    // Each call takes ten requests.
    exact(Rate::per_minute(3).burst(secs(3_600)), secs(3_600), 10, YEAR);
}

#[test]
fn seven_a_second() {
    exact(Rate::per_second(7).burst(secs(3_600)), secs(3_600), 997, YEAR);
}

#[test]
fn seven_a_second_one_by_one() {
    exact(Rate::per_second(7), secs(1), 1, 5_000);
}

#[test]
fn a_million_millions_a_second() {
    exact(Rate::per_second(1_000_000_000_000).burst(secs(3_600)), secs(3_600), 3_000_000_000_000_007, YEAR);
}

#[test]
fn two_a_day() {
    exact(Rate::per_day(2), secs(86_400), 1, YEAR);
}

#[test]
fn a_rate_that_divides_nothing() {
    let period = Duration::from_nanos(86_399_999_999_987);
    exact(Rate::new(9_973, period), period, 7, YEAR);
}

#[test]
fn calls_larger_than_the_burst_lose_less_than_a_nanosecond_each() {
    // Each call waits until the bucket was empty for the jitter of 50 ms, rounded up to whole
    // nanoseconds.
    let rate = Rate::per_minute(3);
    for (builder, (kept, of)) in both(rate) {
        let each = ((60_000_000_000 + 3 * 50_000_000) * of).div_ceil(3 * (of - kept));
        let until = YEAR / 10;
        assert_eq!(admitted(builder, 1, until), u128::from(until) * 1_000_000_000 / each + 1);
    }
}

#[test]
fn one_a_day_is_one_a_day() {
    // The default jitter would add 50 ms a day.
    let limiter = RateLimiter::builder().requests(Rate::per_day(1)).jitter(Duration::ZERO);
    let limiter = |clock: &ManualClock| limiter.clone().clock(clock);
    let clock = ManualClock::new();
    assert_eq!(admitted_on(&clock, limiter(&clock).headroom(Percent(0)), 1, YEAR), 366);
    let clock = ManualClock::new();
    // The default headroom keeps back 1 / 5 000 of the rate, which costs one call a year.
    assert_eq!(admitted_on(&clock, limiter(&clock), 1, YEAR), 365);
}

/// Asserts the exact number of admitted calls. `burst` must be the burst of the rate, or the
/// default for its period.
fn exact(rate: Rate, burst: Duration, cost: u64, until: u64) {
    for (builder, (kept, of)) in both(rate) {
        let pace = u128::from(rate.amount()) * (of - kept);
        let fit = (burst - Duration::from_millis(50)).as_nanos() * u128::from(rate.amount()) * of;
        let weight = u128::from(cost) * rate.period().as_nanos() * of;
        assert!(weight <= fit, "a cost of {cost} does not fit into the burst");
        let expected = (fit + pace * u128::from(until) * 1_000_000_000) / weight;
        assert_eq!(admitted(builder, cost, until), expected, "{rate:?}, headroom {kept} / {of}");
    }
}

/// Returns one builder with the default headroom and one without headroom.
fn both(rate: Rate) -> [(Builder<kind::Explicit>, (u128, u128)); 2] {
    let builder = RateLimiter::builder().requests(rate);
    [(builder.clone(), DEFAULT), (builder.headroom(Percent(0)), NONE)]
}

fn admitted(builder: Builder<kind::Explicit>, cost: u64, until: u64) -> u128 {
    let clock = ManualClock::new();
    admitted_on(&clock, builder.clock(&clock), cost, until)
}

/// Returns the number of calls admitted until `until`, in seconds. After each refusal, the caller
/// waits for the time in the error and tries again.
fn admitted_on(clock: &ManualClock, builder: Builder<kind::Explicit>, cost: u64, until: u64) -> u128 {
    let limiter = builder.build().expect("valid rates");
    let mut count = 0;
    loop {
        match limiter.try_acquire(Cost::new().requests(cost)) {
            Ok(permit) => {
                drop(permit);
                count += 1;
            }
            Err(AcquireError::WouldWait { wait, .. }) => clock.advance(wait),
            Err(error) => panic!("{error}"),
        }
        if nanos_of(clock) > until * 1_000_000_000 {
            return count;
        }
    }
}
