//! No drift: after a simulated year, the number of calls admitted is what one formula says.
//!
//! With demand at all times, calls that fit leave the bucket never empty. So until `t` the limiter admits as many
//! as fit into what may be taken at once and what `t` gives, and not one less: `(fit + pace * t) / weight`.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Builder, Cost, Percent, Rate, RateLimiter, kind};
use openlimit_tests::{nanos_of, secs};

const YEAR: u64 = 365 * 86_400;

/// The headroom as a fraction.
const DEFAULT: (u128, u128) = (1, 5_000);
const NONE: (u128, u128) = (0, 100);

#[test]
fn three_a_minute() {
    // Until a year is over, by tens.
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
    // Each waits until the bucket is empty, in whole nanoseconds.
    let rate = Rate::per_minute(3);
    for (builder, (kept, of)) in both(rate) {
        let each = (60_000_000_000 * of).div_ceil(3 * (of - kept));
        let until = YEAR / 10;
        assert_eq!(admitted(builder, 1, until), u128::from(until) * 1_000_000_000 / each + 1);
    }
}

#[test]
fn one_a_day_is_one_a_day() {
    let limiter = |clock: &ManualClock| RateLimiter::builder().requests(Rate::per_day(1)).clock(clock);
    let clock = ManualClock::new();
    assert_eq!(admitted_on(&clock, limiter(&clock).headroom(Percent(0)), 1, YEAR), 366);
    let clock = ManualClock::new();
    // One day in 5 000 is left to others.
    assert_eq!(admitted_on(&clock, limiter(&clock), 1, YEAR), 365);
}

/// `burst` is what the rate says, or the default for its period.
fn exact(rate: Rate, burst: Duration, cost: u64, until: u64) {
    for (builder, (kept, of)) in both(rate) {
        let pace = u128::from(rate.amount()) * (of - kept);
        let fit = (burst - Duration::from_millis(50)).as_nanos() * u128::from(rate.amount()) * of;
        let weight = u128::from(cost) * rate.period().as_nanos() * of;
        assert!(weight <= fit, "the formula is for calls that fit");
        let expected = (fit + pace * u128::from(until) * 1_000_000_000) / weight;
        assert_eq!(admitted(builder, cost, until), expected, "{rate:?}, {kept} / {of}");
    }
}

/// With the default headroom, and with none.
fn both(rate: Rate) -> [(Builder<kind::Explicit>, (u128, u128)); 2] {
    let builder = RateLimiter::builder().requests(rate);
    [(builder.clone(), DEFAULT), (builder.headroom(Percent(0)), NONE)]
}

fn admitted(builder: Builder<kind::Explicit>, cost: u64, until: u64) -> u128 {
    let clock = ManualClock::new();
    admitted_on(&clock, builder.clock(&clock), cost, until)
}

/// How many calls are admitted until then, if somebody tries again whenever a refusal said.
fn admitted_on(clock: &ManualClock, builder: Builder<kind::Explicit>, cost: u64, until: u64) -> u128 {
    let limiter = builder.build().expect("it is sound");
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
