//! Money follows the tokens that are learned: by the price of the prompt, and that of the output.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use openlimit::testing::ManualClock;
use openlimit::{
    Builder, ChatRateLimiter, Dimension, Dollars, Input, Output, Percent, Permit, Unit, Usage, kind,
};
use openlimit_tests::{Call, millis, question, secs};

/// In millionths: 2 a token of input, and 10 a token of output.
fn price(model: &str, usage: &Usage) -> Dollars {
    let micros = 2 * usage.uncached_input() + 10 * usage.output();
    Dollars::from_micros(match model {
        "m-2" => 100 * micros,
        "free" => 0,
        _ => micros,
    })
}

/// A limiter of a dollar a second.
fn builder(clock: &ManualClock) -> Builder<kind::Chat> {
    let builder = ChatRateLimiter::builder().clock(clock).jitter(secs(0)).headroom(Percent(0));
    builder.spend(Dollars(1) / Unit::second)
}

fn spend(permit: &Permit) -> u64 {
    permit.cost().amount(&Dimension::Spend)
}

/// Returns what a call reserves, in millionths of a dollar.
fn reserved(limiter: &ChatRateLimiter, model: &str, output: u64) -> u64 {
    let permit = limiter.try_acquire(&question(model, output)).expect("there is room");
    let reserved = spend(&permit);
    permit.cancel();
    reserved
}

/// Teaches the limiter what calls use.
fn teach(limiter: &ChatRateLimiter, input: u64, output: u64) {
    for _ in 0..20 {
        let permit = limiter.try_acquire(&question("m-1", 300)).expect("there is room");
        permit.settle(Usage::new(input, output));
    }
}

#[test]
fn a_call_reserves_the_price_of_the_output_that_was_learned() {
    let clock = ManualClock::new();
    let limiter = builder(&clock).price(price).output(Output::Learned).build().expect("valid options");
    assert_eq!(reserved(&limiter, "m-1", 300), 13 * 2 + 300 * 10);
    teach(&limiter, 13, 30);
    assert_eq!(reserved(&limiter, "m-1", 300), 13 * 2 + 30 * 10);
    assert_eq!(reserved(&limiter, "m-2", 300), 100 * (13 * 2 + 30 * 10), "by its own price");
    assert_eq!(reserved(&limiter, "m-1", 7), 13 * 2 + 7 * 10, "no more than it names");
    assert_eq!(reserved(&limiter, "free", 300), 0);
    clock.advance(secs(1));
    // It is settled by the real price all the same.
    let permit = limiter.try_acquire(&question("m-1", 300)).expect("there is room");
    permit.settle(Usage::new(20, 500));
    let left = limiter.status().expect("it is built").limits[0].available;
    assert_eq!(left, 1_000_000 - (20 * 2 + 500 * 10));
}

#[test]
fn the_named_output_is_reserved_by_default_and_the_price_is_asked_for_once() {
    let clock = ManualClock::new();
    let asked = Arc::new(AtomicU64::new(0));
    let times = Arc::clone(&asked);
    let limiter = builder(&clock).price(move |model: &str, usage: &Usage| {
        times.fetch_add(1, Ordering::Relaxed);
        price(model, usage)
    });
    let limiter = limiter.build().expect("valid options");
    teach(&limiter, 13, 30);
    asked.store(0, Ordering::Relaxed);
    assert_eq!(reserved(&limiter, "m-1", 300), 13 * 2 + 300 * 10);
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn a_call_reserves_the_price_of_the_prompt_that_was_learned() {
    let clock = ManualClock::new();
    let limiter = builder(&clock).price(price).input(Input::Learned).build().expect("valid options");
    teach(&limiter, 26, 30);
    assert_eq!(reserved(&limiter, "m-1", 300), 26 * 2 + 300 * 10);
}

#[test]
fn calls_that_wait_follow_what_is_learned_meanwhile() {
    let clock = ManualClock::new();
    let limiter = builder(&clock).price(price).output(Output::Learned).build().expect("valid options");
    let mut calls: Vec<_> = (0..60).map(|_| Call::start(limiter.acquire(&question("m-2", 300)))).collect();
    let mut reserved = Vec::new();
    // By the named maximum, three calls leave in a second.
    for _ in 0..100 {
        clock.advance(millis(100));
        calls.retain_mut(|call| match call.over() {
            Some(permit) => {
                let permit = permit.expect("it may wait for as long as it has to");
                reserved.push(spend(&permit));
                permit.settle(Usage::new(13, 30));
                false
            }
            None => true,
        });
    }
    assert!(calls.is_empty(), "{} wait", calls.len());
    assert_eq!(reserved.first(), Some(&(100 * (13 * 2 + 300 * 10))));
    assert_eq!(reserved.last(), Some(&(100 * (13 * 2 + 30 * 10))));
}

#[test]
fn a_price_that_fails_for_the_prompt_alone_leaves_the_named_output() {
    let clock = ManualClock::new();
    let limiter = builder(&clock).output(Output::Learned).price(|model: &str, usage: &Usage| {
        assert!(usage.output() > 0, "divided by zero");
        price(model, usage)
    });
    let limiter = limiter.build().expect("valid options");
    teach(&limiter, 13, 30);
    assert_eq!(reserved(&limiter, "m-1", 300), 13 * 2 + 300 * 10);
}

#[test]
fn an_output_that_is_learned_needs_prices() {
    let clock = ManualClock::new();
    assert!(builder(&clock).output(Output::Learned).build().is_err());
}

#[test]
fn largest_numbers_do_not_overflow() {
    let clock = ManualClock::new();
    let dear = |_: &str, usage: &Usage| match usage.output() {
        0 => Dollars::from_micros(u64::MAX / 2),
        _ => Dollars::from_micros(u64::MAX),
    };
    let limiter = builder(&clock).price(dear).output(Output::Learned).input(Input::Learned);
    let limiter = limiter.build().expect("valid options");
    for _ in 0..30 {
        let permit = limiter.charge(&question("m-1", u64::MAX)).expect("it may exceed the limit");
        permit.settle(Usage::new(u64::MAX, u64::MAX));
    }
    assert!(limiter.try_acquire(&question("m-1", u64::MAX)).is_err());
}
