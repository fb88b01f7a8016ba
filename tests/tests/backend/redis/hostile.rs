//! A server that is not Redis, or not a friend. Nothing that it replies with takes memory without
//! end, stops calls for longer than the limits could, or reaches a terminal unescaped.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{self, Write as _};
use std::iter;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, StoreError, StoreProblem};
use openlimit_tests::redis::hostile::{accept, decided};
use openlimit_tests::redis::{Hostile, RedisServer};
use openlimit_tests::secs;

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
            return accept(name, stream);
        }
        stream.write_all(start)?;
        loop {
            stream.write_all(&piece)?;
            counter.fetch_add(piece.len(), Ordering::SeqCst);
        }
    });
    let error = refused(&server);
    assert!(!error.is_transient());
    let problem = "its reply is longer than 64 KiB, expected at most 4 KiB";
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

/// Has the server grant the call `wait` nanoseconds from now, with this level after it.
fn grants(wait: f64, level: f64) -> Hostile {
    Hostile::to_scripts(move |stream| stream.write_all(&granted(wait, level)))
}

/// The reply for that.
fn granted(wait: f64, level: f64) -> Vec<u8> {
    let head = [1e15, 1e15, 1e14, 1e14 + 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    let bucket = [level, 0.0, 0.0, 0.0, 0.0, 0.0];
    let mut fields = [0.0; 16];
    fields[..10].copy_from_slice(&head);
    fields[10..].copy_from_slice(&bucket);
    decided(fields, &[(wait, 1)])
}

#[test]
fn a_connection_that_is_closed_in_the_middle_of_a_reply_is_an_outage() {
    let reply = granted(0.0, 0.0);
    for cut in [1, 4, reply.len() / 2, reply.len() - 1] {
        let (reply, begun) = (reply.clone(), AtomicUsize::new(0));
        let server = Hostile::to_scripts(move |stream| {
            if begun.fetch_add(1, Ordering::SeqCst) > 0 {
                return stream.write_all(&reply);
            }
            stream.write_all(&reply[..cut])?;
            Err(io::ErrorKind::ConnectionAborted.into())
        });
        // The batch is sent again. A call that waits does not fail.
        drop(call(&server.url()).unwrap());
    }
}

#[test]
fn so_is_one_that_is_closed_after_the_reply_to_another_limiter() {
    let begun = AtomicUsize::new(0);
    let server = Hostile::to_all(move |command, stream| {
        let reply = granted(0.0, 0.0);
        match command {
            // Without RESP3 there is no other command between the two.
            "HELLO" => return stream.write_all(b"-ERR unknown command\r\n"),
            "EVALSHA" => {}
            _ => return accept(command, stream),
        }
        match begun.fetch_add(1, Ordering::SeqCst) {
            // Both are in flight before the first reply.
            0 => Ok(()),
            1 => {
                stream.write_all(&[&reply, &reply[..4]].concat())?;
                // Long enough for the first limiter to have its reply.
                thread::sleep(Duration::from_millis(200));
                Err(io::ErrorKind::ConnectionAborted.into())
            }
            _ => stream.write_all(&reply),
        }
    });
    thread::scope(|scope| {
        let calls = [(), ()].map(|()| scope.spawn(|| call(&server.url())));
        for call in calls {
            drop(call.join().unwrap().unwrap());
        }
    });
}

/// Nanoseconds in a day.
const DAY: f64 = 86_400e9;

#[test]
fn a_wait_that_the_limits_can_ask_for_is_believed() {
    drop(call(&grants(0.0, 0.0).url()).unwrap());
    // Only a call without a timeout is granted such a wait by a real server.
    let server = grants(52.0 * DAY, 52.0 * DAY);
    let limiter = limiter(server.url());
    let refusal = limiter.acquire(Cost::new()).timeout(secs(1)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
}

#[test]
fn a_wait_or_a_level_beyond_what_the_limits_can_ask_for_is_an_error() {
    for (wait, level) in [(53.0, 0.0), (104.0, 0.0), (0.0, 53.0), (0.0, 104.0), (104.0, 104.0)] {
        let server = grants(wait * DAY, level * DAY);
        let error = refused(&server);
        assert!(!error.is_transient());
        let (what, days) = if wait > 0.0 { ("wait", wait) } else { ("level", level) };
        let problem = format!("it replied with a {what} of {days}d, expected at most 52d 4h");
        assert_eq!(error.to_string(), cannot_decide(&server, &problem));
    }
}

#[test]
fn a_debt_of_fifty_days_is_no_error() {
    let server = RedisServer::start();
    let builder = RateLimiter::builder().name("chat").tokens(Rate::per_second(1));
    let limiter = builder.redis(server.url()).build().unwrap();
    limiter.acquire(1).blocking().unwrap().settle(u64::MAX);
    limiter.flush(NEVER).blocking().unwrap();
    let refusal = limiter.acquire(1).timeout(secs(1)).blocking().unwrap_err();
    let AcquireError::Timeout { wait, .. } = refusal else { panic!("{refusal}") };
    assert!(wait > secs(52 * 86_400), "{wait:?}");
}

#[test]
fn what_a_terminal_would_act_on_is_escaped() {
    let hidden = "\u{202a}\u{202e}\u{2066}\u{2069}\u{200b}\u{200f}\u{feff}\u{1b}[2J\u{9b}\0";
    let server = Hostile::to_scripts(move |stream| write!(stream, "-EVIL it can't \"say\" {hidden}gnp\r\n"));
    let error = refused(&server);
    let said = "EVIL it can't \"say\" \\u{202a}\\u{202e}\\u{2066}\\u{2069}\\u{200b}\\u{200f}\\u{feff}\\u{1b}[2J\\u{9b}\\0gnp";
    assert_eq!(error.to_string(), cannot_decide(&server, said));
    assert!(matches!(error.problem(), StoreProblem::Unsuited(text) if text == said));
    let debug = format!("{error:?}");
    assert!(debug.chars().all(|char| char.is_ascii_graphic() || char == ' '), "{debug}");
}

#[test]
fn a_proxy_that_swallows_what_it_does_not_know_is_enough() {
    let server = Hostile::to_all(|command, stream| match command {
        "HELLO" => Ok(()),
        "EVALSHA" => stream.write_all(&granted(0.0, 0.0)),
        _ => accept(command, stream),
    });
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(10));
    let limiter = limiter.redis(Redis::new(server.url())).build().unwrap();
    drop(limiter.acquire(Cost::new()).timeout(NEVER).blocking().unwrap());
}
