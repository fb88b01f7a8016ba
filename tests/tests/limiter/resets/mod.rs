//! Limits that reset by the calendar: at most the amount between two resets, and all of it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod bad_input;
mod clocks;
mod model;
mod options;
mod provider;
mod responses;
mod windows;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openlimit::testing::ManualClock;
use openlimit::{Rate, RateLimiter};
use openlimit_tests::plain;

/// The date at which a manual clock begins: 2026-01-01 00:00 UTC.
const NEW_YEAR: u64 = 1_767_225_600;

const HOUR: Duration = Duration::from_secs(3_600);

/// Returns a date, given in seconds since 1970.
fn date(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// A hundred tokens a day, which reset at midnight in UTC.
fn daily() -> Rate {
    Rate::per_day(100).resets_at("00:00", "UTC")
}

/// Builds a limiter of tokens, without jitter.
fn limiter(clock: &ManualClock, rate: Rate) -> RateLimiter {
    plain(clock).name("daily").tokens(rate).build().unwrap()
}

/// Returns how many tokens one call could take now.
fn left(limiter: &RateLimiter) -> u64 {
    limiter.status().unwrap().limits[0].available
}
