//! Calls that are settled in parts: each part reaches the other limiters.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;

use openlimit::{Cost, Dimension, Rate, RateLimiter, Usage};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, millis, secs};

const MOST: u64 = 10_000;

/// Two limiters that share a day's limits, of which hardly anything leaks during a test.
fn pair(refunds: bool) -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let limiter = || {
        let day = Rate::per_day(MOST);
        let builder = RateLimiter::builder().name("chat").input_tokens(day).output_tokens(day);
        builder.refunds(refunds).redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    (server, one, other)
}

/// Waits until the other limiter sees this as taken.
#[track_caller]
fn sees(other: &RateLimiter, input: u64, output: u64) {
    let taken = |place: usize| {
        // A call brings the levels.
        drop(
            other.acquire(Cost::new().input_tokens(0).output_tokens(0)).timeout(secs(5)).blocking().unwrap(),
        );
        MOST - other.status().unwrap().limits[place].available
    };
    // What is kept back for jitter and headroom is not available.
    let is_near = |taken: u64, expected: u64| (expected..expected + 20).contains(&taken);
    eventually("the parts", || {
        thread::sleep(millis(5));
        is_near(taken(0), input) && is_near(taken(1), output)
    });
}

#[test]
fn the_last_value_of_each_dimension_counts() {
    let (_server, one, other) = pair(true);
    let cost = Cost::new().input_tokens(4_000).output_tokens(6_000);
    let mut permit = one.acquire(cost).timeout(secs(5)).blocking().unwrap();
    sees(&other, 4_000, 6_000);
    permit.settle_so_far(Usage::default().with(Dimension::InputTokens, 1_200));
    sees(&other, 1_200, 6_000);
    permit.settle_so_far(Usage::new(1_200, 2_000));
    sees(&other, 1_200, 2_000);
    permit.settle_so_far(Usage::new(1_200, 5_000));
    sees(&other, 1_200, 5_000);
    permit.settle_so_far(Usage::new(1_200, 7_000));
    sees(&other, 1_200, 7_000);
    drop(permit);
    sees(&other, 1_200, 7_000);
}

#[test]
fn a_call_that_is_cancelled_gives_back_what_was_settled_so_far() {
    let (_server, one, other) = pair(true);
    let cost = Cost::new().input_tokens(4_000).output_tokens(6_000);
    let mut permit = one.acquire(cost).timeout(secs(5)).blocking().unwrap();
    permit.settle_so_far(Usage::new(1_200, 900));
    sees(&other, 1_200, 900);
    permit.cancel();
    sees(&other, 0, 0);
}

#[test]
fn without_refunds_parts_only_add() {
    let (_server, one, other) = pair(false);
    let cost = Cost::new().input_tokens(4_000).output_tokens(600);
    let mut permit = one.acquire(cost).timeout(secs(5)).blocking().unwrap();
    permit.settle_so_far(Usage::new(1_200, 900));
    sees(&other, 4_000, 900);
    permit.settle_so_far(Usage::new(1_200, 700));
    permit.settle(Usage::new(1_200, 1_000));
    sees(&other, 4_000, 1_000);
}

#[test]
fn usage_that_rises_above_the_reservation_and_falls_gives_back_at_most_the_difference() {
    let (_server, one, other) = pair(true);
    // There is other traffic, so the bucket is not empty.
    drop(other.acquire(Cost::new().output_tokens(2_000)).timeout(secs(5)).blocking().unwrap());
    let mut permit = one.acquire(Cost::new().output_tokens(600)).timeout(secs(5)).blocking().unwrap();
    permit.settle_so_far(Usage::new(0, 3_000));
    sees(&other, 0, 5_000);
    permit.settle_so_far(Usage::new(0, 1_000));
    sees(&other, 0, 3_000);
}
