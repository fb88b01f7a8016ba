//! A server that is not Redis, or not a friend. Nothing that it replies with takes memory without
//! end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::Write as _;
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, StoreError};
use openlimit_tests::redis::Hostile;

/// Longer than any reply of a test takes, so that no test passes because the server timed out.
const NEVER: Duration = Duration::from_secs(60);

fn limiter(redis: impl Into<Redis>) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10));
    builder.redis(redis.into().timeout(NEVER)).build().unwrap()
}

fn call(url: &str) -> Result<Permit, AcquireError> {
    limiter(url).acquire(Cost::new()).timeout(NEVER).blocking()
}

#[track_caller]
fn refused(server: &Hostile) -> StoreError {
    match call(&server.url()) {
        Err(AcquireError::Store { error, .. }) => error,
        other => panic!("{other:?}"),
    }
}

/// The text of an error about a reply.
fn cannot_decide(server: &Hostile, problem: &str) -> String {
    let address = server.address();
    format!(
        "redis at {address} cannot decide: {problem}; check the URL, and that it is a Redis of version 6 or later"
    )
}

/// Asserts that a reply that begins like this and then repeats `rest` for ever ends in an error.
/// The server sends it as its reply to `command`.
#[track_caller]
fn is_cut_off(command: &'static str, start: &'static [u8], rest: &[u8]) {
    let sent = Arc::new(AtomicUsize::new(0));
    let piece: Vec<u8> = iter::repeat_n(rest, 65_536 / rest.len()).flatten().copied().collect();
    let counter = Arc::clone(&sent);
    let server = Hostile::to_all(move |name, stream| {
        if name != command {
            return stream.write_all(b"+OK\r\n");
        }
        stream.write_all(start)?;
        loop {
            stream.write_all(&piece)?;
            counter.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let error = refused(&server);
    assert!(!error.is_transient());
    let problem = "its reply is longer than 64 KiB, expected at most 3 KiB";
    assert_eq!(error.to_string(), cannot_decide(&server, problem));
    // The buffers of the system take a few megabytes that nobody reads.
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent < 64 << 20, "{sent} bytes were taken");
}

#[test]
fn a_reply_without_end_is_cut_off() {
    is_cut_off("EVALSHA", b"$500000000\r\n", b"x");
    is_cut_off("EVALSHA", b"+", b"x");
    is_cut_off("EVALSHA", b"-ERR ", b"x");
    is_cut_off("EVALSHA", b"*2147483647\r\n", b":1\r\n");
    is_cut_off("EVALSHA", b"", b">2\r\n+message\r\n+x\r\n");
}

#[test]
fn a_reply_without_end_to_the_setup_of_a_connection_is_cut_off() {
    is_cut_off("CLIENT", b"$500000000\r\n", b"x");
}
