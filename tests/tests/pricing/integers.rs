//! Tests that an integer of any type is the price of one request with that many tokens.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use openlimit::{
    AcquireError, ChatRateLimiter, Cost, Dimension, Limiter, RateLimiter, kind, limiter, rate_limited,
};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

limiter! {
    static PLAIN: RateLimiter = { tokens: 1_000_000 / minute };
    static CHAT: ChatRateLimiter = { tokens: 1_000_000 / minute };
}

/// Returns the cost of a price, after checking that every limiter agrees.
fn cost<P>(price: P) -> Cost
where
    P: kind::Price<kind::Explicit> + kind::Price<kind::Chat> + Copy,
{
    let cost = PLAIN.cost(price).unwrap();
    assert_eq!(CHAT.cost(price).unwrap(), cost);
    assert!(PLAIN.acquire(price).blocking().is_ok());
    cost
}

#[test]
fn every_integer_type_is_one_request_with_that_many_tokens() {
    let expected = Cost::new().tokens(20);
    let text = "Why is the sky blue?";
    assert_eq!(cost(text.len()), expected);
    assert_eq!(cost(20), expected);
    assert_eq!(cost(20_i32), expected);
    assert_eq!(cost(20_i64), expected);
    assert_eq!(cost(20_u32), expected);
    assert_eq!(cost(20_u64), expected);
    assert_eq!(cost(0), Cost::new().tokens(0));
    assert_eq!(PLAIN.cost(u64::MAX).unwrap().amount(&Dimension::Tokens), u64::MAX);
    assert_eq!(PLAIN.cost(i64::MAX).unwrap().amount(&Dimension::Tokens), i64::MAX as u64);
    assert_eq!(PLAIN.cost(usize::MAX).unwrap().amount(&Dimension::Tokens), usize::MAX as u64);
}

/// Returns the error of a negative price, after checking that every method agrees.
fn refused<K, P: kind::Price<K> + Copy>(limiter: &Limiter<K>, price: P) -> String {
    let error = limiter.acquire(price).blocking().unwrap_err();
    assert!(matches!(error, AcquireError::Params { .. }), "{error:?}");
    assert_eq!(limiter.try_acquire(price).unwrap_err().to_string(), error.to_string());
    assert_eq!(limiter.cost(price).unwrap_err().to_string(), error.to_string());
    error.to_string()
}

#[test]
fn a_negative_integer_is_an_error_that_names_it() {
    let error = refused(&PLAIN, -1);
    assert!(error.ends_with("expected a non-negative integer, found -1"), "{error}");
    assert!(error.contains("pricing::integers::PLAIN"), "{error}");
    let error = refused(&CHAT, i64::MIN);
    assert!(error.ends_with("expected a non-negative integer, found -9223372036854775808"), "{error}");
}

metered! {
    static LENGTHS: RateLimiter;
    static COUNTS: ChatRateLimiter;
}

#[rate_limited(limiter = LENGTHS, cost = text.len())]
fn by_length(text: &str) -> Result<usize, AcquireError> {
    Ok(text.len())
}

#[rate_limited(limiter = COUNTS, cost = count)]
fn by_count(count: i64) -> Result<(), AcquireError> {
    Ok(())
}

#[rate_limited(limiter = COUNTS, cost = 30)]
fn by_literal() -> Result<(), AcquireError> {
    Ok(())
}

#[test]
fn the_option_cost_takes_the_same_integers() {
    assert_eq!(by_length("seventeen letters").unwrap(), 17);
    assert_eq!(taken(&LENGTHS), (1, 17));
    by_count(12).unwrap();
    by_literal().unwrap();
    assert_eq!(taken(&COUNTS), (2, 42));
    let error = by_count(-12).unwrap_err().to_string();
    assert!(error.ends_with("expected a non-negative integer, found -12"), "{error}");
    assert_eq!(taken(&COUNTS), (2, 42));
}
