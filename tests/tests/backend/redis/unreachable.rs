//! A Redis that cannot be reached, or cannot serve. A call waits for an error that may pass, until
//! its timeout. It then fails with the last error. No call hangs, and none waits once Redis is
//! back.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Rate, RateLimiter, Redis, StoreError, StoreProblem};
use openlimit_tests::redis::{Proxy, RedisServer, port};
use openlimit_tests::{eventually, millis, secs};

const PASSWORD: &str = "hunter2";

const TIMEOUT: Duration = Duration::from_millis(150);

fn limiter(redis: impl Into<Redis>) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10));
    builder.redis(redis.into().timeout(TIMEOUT)).build().unwrap()
}

#[track_caller]
fn store(refusal: AcquireError) -> (Duration, StoreError) {
    let said = format!("{refusal} {refusal:?}");
    assert!(!said.contains(PASSWORD), "{said}");
    match refusal {
        AcquireError::Store { limiter, waited, error } => {
            assert_eq!(&*limiter, "chat");
            (waited, error)
        }
        error => panic!("{error}"),
    }
}

/// Asserts that a call without a timeout waits for the patience, that another one waits for its
/// timeout, and that both fail with this error.
#[track_caller]
fn waited_for(redis: impl Into<Redis>, server: &str, text: &str) {
    let limiter = limiter(redis.into().patience(millis(300)));
    let (waited, error) = store(limiter.acquire(Cost::new()).blocking().unwrap_err());
    assert!(waited >= millis(300));
    assert_eq!(error.to_string(), format!("redis at {server} {text}"));
    assert_eq!(error.server(), server);
    assert!(error.is_transient());
    // It has been heard of by now.
    let (waited, error) = store(limiter.acquire(Cost::new()).timeout(millis(400)).blocking().unwrap_err());
    assert!(waited >= millis(400));
    assert_eq!(error.to_string(), format!("redis at {server} {text}"));
    let status = limiter.status().unwrap();
    assert!(status.to_string().contains(&format!("; {error}; ")), "{status}");
    let store = status.store.unwrap();
    assert_eq!((store.outages, store.error.unwrap().to_string()), (1, error.to_string()));
}

const CHECK: &str = "check that it runs there, and the URL: `rediss://` if it speaks TLS, else `redis://`";

#[test]
fn nobody_listens() {
    let address = format!("127.0.0.1:{}", port::free());
    let text = format!("cannot be reached: Connection refused (os error 111); {CHECK}");
    waited_for(format!("redis://ann:{PASSWORD}@{address}"), &address, &text);
}

#[test]
fn no_node_of_a_cluster_listens() {
    let address = format!("127.0.0.1:{}", port::free());
    let redis = Redis::cluster([format!("redis://ann:{PASSWORD}@{address}")]);
    let limiter = limiter(redis.patience(Duration::ZERO));
    let (_, error) = store(limiter.acquire(Cost::new()).blocking().unwrap_err());
    assert_eq!(error.server(), address);
    assert!(error.to_string().contains("Connection refused"), "{error}");
}

#[test]
fn there_is_no_such_host() {
    let limiter = limiter(format!("redis://ann:{PASSWORD}@no-such-host.invalid"));
    // The system decides how long the lookup of the host takes.
    let (_, error) = store(limiter.acquire(Cost::new()).timeout(millis(300)).blocking().unwrap_err());
    assert_eq!(error.server(), "no-such-host.invalid:6379");
    assert!(error.is_transient());
}

#[test]
fn there_is_no_such_socket() {
    let text = format!("cannot be reached: No such file or directory (os error 2); {CHECK}");
    waited_for(format!("unix:///no/such/socket?pass={PASSWORD}"), "/no/such/socket", &text);
}

#[test]
fn tls_to_a_plain_port() {
    let server = RedisServer::start();
    let address = server.address().to_string();
    let text = format!("cannot be reached: no TLS connection within 150ms; {CHECK}");
    waited_for(format!("rediss://:{PASSWORD}@{address}"), &address, &text);
}

#[test]
fn a_server_that_does_not_answer() {
    let server = RedisServer::builder().password(PASSWORD).start();
    let proxy = Proxy::to(server.address());
    proxy.freeze();
    let text = "did not reply within 150ms; check that it runs and is not overloaded, or allow more time";
    waited_for(server.url_at(proxy.address()), &proxy.address().to_string(), text);
}

#[test]
fn a_server_out_of_memory() {
    let server = RedisServer::builder().max_memory(1).start();
    let text =
        "cannot serve now: OOM command not allowed when used memory > 'maxmemory'; raise its `maxmemory`";
    waited_for(server.url(), &server.address().to_string(), text);
}

#[test]
fn a_replica() {
    let server = RedisServer::start();
    server.make_read_only();
    let text = "cannot serve now: READONLY You can't write against a read only replica; unless it fails over, give \
                the URL of the primary";
    waited_for(server.url(), &server.address().to_string(), text);
}

#[test]
fn a_server_with_too_many_clients() {
    let server = RedisServer::start();
    let mut first = server.connect().unwrap();
    redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(1).exec(&mut first).unwrap();
    let limiter = limiter(server.url());
    thread::scope(|scope| {
        let call = scope.spawn(|| limiter.acquire(Cost::new()).timeout(secs(60)).blocking());
        while limiter.status().unwrap().store.unwrap().outages == 0 {
            thread::sleep(millis(5));
        }
        // It is chance which is seen first: the server's reply or the closed connection. Neither
        // lasts.
        assert!(!call.is_finished());
        redis::cmd("CONFIG").arg("SET").arg("maxclients").arg(100).exec(&mut first).unwrap();
        drop(call.join().unwrap().unwrap());
    });
}

#[test]
fn a_time_out_that_is_over_before_anything_was_heard_is_the_server_s() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.freeze();
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10));
    let limiter =
        builder.redis(Redis::new(server.url_at(proxy.address())).timeout(secs(60))).build().unwrap();
    let (waited, error) = store(limiter.acquire(Cost::new()).timeout(millis(100)).blocking().unwrap_err());
    assert!(waited >= millis(100));
    assert!(matches!(error.problem(), StoreProblem::TimedOut(silence) if *silence == waited), "{error}");
    // The server was slower than the call's timeout, but reachable.
    assert_eq!(limiter.status().unwrap().store.unwrap().outages, 0);
}

#[test]
fn whoever_comes_when_it_is_back_does_not_wait_for_the_next_attempt() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.refuse();
    let limiter = limiter(server.url_at(proxy.address()));
    eventually("the server cannot be reached", || {
        _ = store(limiter.acquire(Cost::new()).timeout(millis(100)).blocking().unwrap_err());
        limiter.status().unwrap().store.unwrap().outages > 0
    });
    // No call waits, so attempts are rare by now: the last was after 5 s, the next is after 10 s.
    thread::sleep(secs(6));
    proxy.resume();
    let start = Instant::now();
    drop(limiter.acquire(Cost::new()).timeout(secs(60)).blocking().unwrap());
    assert!(start.elapsed() < secs(3), "{:?}", start.elapsed());
}

#[test]
fn those_who_wait_are_admitted_when_it_is_back() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.refuse();
    let limiter = limiter(server.url_at(proxy.address()));
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| limiter.acquire(Cost::new()).timeout(secs(60)).blocking()))
            .collect();
        while limiter.status().unwrap().store.unwrap().outages == 0 || limiter.status().unwrap().waiting < 3 {
            thread::sleep(millis(5));
        }
        proxy.resume();
        for call in calls {
            let permit = call.join().unwrap().unwrap();
            assert!(permit.waited() < secs(30));
        }
    });
    let store = limiter.status().unwrap().store.unwrap();
    assert_eq!((store.outages, store.error.is_none()), (1, true));
}

#[test]
fn what_was_wrong_last_is_said() {
    // At first no server listens, and then one that does not reply.
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.refuse();
    let limiter = limiter(server.url_at(proxy.address()));
    let refusal = thread::scope(|scope| {
        let call = scope.spawn(|| limiter.acquire(Cost::new()).timeout(secs(2)).blocking());
        while limiter.status().unwrap().store.unwrap().outages == 0 {
            thread::sleep(millis(5));
        }
        proxy.freeze();
        server.stop();
        proxy.resume();
        call.join().unwrap().unwrap_err()
    });
    server.cont();
    let (_, error) = store(refusal);
    assert!(matches!(error.problem(), StoreProblem::TimedOut(TIMEOUT)), "{error}");
    assert_eq!(error.server(), format!("{}:{}", Ipv4Addr::LOCALHOST, proxy.address().port()));
}
