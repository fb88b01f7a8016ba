//! Errors of Redis that do not pass by themselves. Each call fails at once. Its error names the
//! limiter, the server and the remedy, and contains no password.
//!
//! The tests spell the texts out as a user reads them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, StoreProblem};
use openlimit_tests::redis::{Cluster, RedisServer};
use openlimit_tests::secs;

const PASSWORD: &str = "hunter2";

/// Asserts that a call without a timeout fails with this error, and soon after it another one.
#[track_caller]
fn refused(redis: impl Into<Redis>, server: &RedisServer, text: &str) {
    // A lasting error ends the patience at once.
    let redis = redis.into().patience(secs(20));
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(redis);
    assert!(!format!("{builder:?}").contains(PASSWORD));
    let limiter = builder.build().unwrap();
    for _ in 0..2 {
        let refusal = limiter.acquire(Cost::new()).blocking().unwrap_err();
        let (said, debug) = (refusal.to_string(), format!("{refusal:?} {limiter:?}"));
        assert!(!said.contains(PASSWORD) && !debug.contains(PASSWORD), "{said} {debug}");
        let AcquireError::Store { limiter, error, .. } = refusal else { panic!("{said}") };
        assert_eq!(&*limiter, "chat");
        assert!(said.starts_with("limiter `chat` got no decision within "), "{said}");
        assert_eq!(error.server(), server.address().to_string());
        assert_eq!(error.to_string(), format!("redis at {} {text}", server.address()));
        assert!(said.ends_with(&error.to_string()));
        assert!(!error.is_transient());
    }
    // It was never away.
    assert_eq!(limiter.status().unwrap().store.unwrap().outages, 0);
}

#[test]
fn a_wrong_password_or_none() {
    let server = RedisServer::builder().password("secret").start();
    let wrong = "rejects the client: it did not accept the user and password; check the user, the password and the \
                 permissions";
    let address = server.address();
    refused(format!("redis://:{PASSWORD}@{address}"), &server, wrong);
    refused(format!("redis://ann:{PASSWORD}@{address}"), &server, wrong);
    let none = "rejects the client: NOAUTH Authentication required; check the user, the password and the permissions";
    refused(format!("redis://{address}"), &server, none);
}

#[test]
fn a_user_who_may_not_run_scripts_or_touch_the_key() {
    for rules in ["~* &* +@all -evalsha", "~* &* +@all -eval", "~other:* &* +@all"] {
        let server = RedisServer::builder().user("ann", PASSWORD, rules).start();
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(server.url());
        let refusal = limiter.build().unwrap().acquire(Cost::new()).blocking().unwrap_err().to_string();
        // The rest of the sentence is the server's and differs between versions.
        assert!(refusal.contains(" rejects the client: NOPERM "), "{refusal}");
        assert!(refusal.ends_with("; check the user, the password and the permissions"), "{refusal}");
        assert!(!refusal.contains(PASSWORD), "{refusal}");
    }
}

#[test]
fn a_user_whose_scripts_may_not_write() {
    let server = RedisServer::builder().user("ann", PASSWORD, "~* &* +@all -set").start();
    let limiter =
        RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(server.url()).build();
    let refusal = limiter.unwrap().acquire(Cost::new()).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = refusal else { panic!("{refusal}") };
    assert!(matches!(error.problem(), StoreProblem::Refused(said) if !said.contains("script:")), "{error}");
}

#[test]
fn a_value_of_another_type_or_of_somebody_else_under_the_key() {
    let server = RedisServer::start();
    let text = |found: &str| {
        format!(
            "holds {found} under the key `openlimit:{{chat}}`; give the limiter another name or prefix, or delete the key"
        )
    };
    server.cli::<()>("LPUSH openlimit:{chat} a");
    refused(server.url(), &server, &text("a value of another type"));
    let identity = b"openlimit 1\n10 requests / second (burst 1s)\n";
    for value in [
        b"garbage".to_vec(),
        Vec::new(),
        b"\0\xff\n\n".to_vec(),
        b"openlimit \n".to_vec(),
        b"openlimit 1".to_vec(),
        b"openlimit 1\n".to_vec(),
        identity.to_vec(),
        [&identity[..], &[0; 119]].concat(),
        [&identity[..], &[0; 121]].concat(),
        [&identity[..], &[0xff; 1_001]].concat(),
    ] {
        server.query::<()>(redis::cmd("SET").arg("openlimit:{chat}").arg(&value));
        refused(server.url(), &server, &text("a value that openlimit did not write"));
        // The value is unchanged.
        assert_eq!(server.cli::<Vec<u8>>("GET openlimit:{chat}"), value);
    }
    server.flush_all();
    let limiter =
        RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(server.url()).build();
    drop(limiter.unwrap().acquire(Cost::new()).blocking().unwrap());
}

fn call(limiter: &RateLimiter) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new()).timeout(secs(20)).blocking()
}

/// Returns a limiter that has a state and a reply on the server.
fn used(server: &RedisServer) -> RateLimiter {
    let limiter =
        RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(server.url()).build();
    let limiter = limiter.unwrap();
    drop(call(&limiter).unwrap());
    limiter
}

/// Asserts that a call fails because of the value under a key.
#[track_caller]
fn finds_a_value(limiter: &RateLimiter, server: &RedisServer, found: &str, key: &str) {
    let refusal = call(limiter).unwrap_err();
    let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
    let text = format!(
        "redis at {} holds a value {found} under the key `{key}`; give the limiter another name or prefix, or delete \
         the key",
        server.address()
    );
    assert_eq!(error.to_string(), text);
}

#[test]
fn a_value_of_another_type_or_of_somebody_else_under_the_key_of_a_client_s_replies() {
    let server = RedisServer::start();
    let limiter = used(&server);
    let key = server.keys().into_iter().find(|key| key.contains(":c:")).unwrap();
    let list = "return redis.call('DEL', KEYS[1]) + redis.call('RPUSH', KEYS[1], 'a')";
    let values =
        [None, Some(b"".to_vec()), Some(b"garbage".to_vec()), Some(vec![b'x'; 200]), Some(vec![0xff; 200])];
    for value in values {
        match &value {
            Some(value) => server.query::<()>(redis::cmd("SET").arg(&key).arg(value)),
            None => server.query::<()>(redis::cmd("EVAL").arg(list).arg(1).arg(&key)),
        }
        let found = if value.is_some() { "that openlimit did not write" } else { "of another type" };
        finds_a_value(&limiter, &server, found, &key);
        if let Some(value) = value {
            assert_eq!(server.query::<Vec<u8>>(redis::cmd("GET").arg(&key)), value);
        }
        server.query::<()>(redis::cmd("DEL").arg(&key));
        drop(call(&limiter).unwrap());
    }
}

#[test]
fn a_number_that_is_none_in_the_state_is_an_error_until_the_key_is_deleted() {
    const KEY: &str = "openlimit:{chat}";
    let server = RedisServer::start();
    let limiter = used(&server);
    let state: Vec<u8> = server.query(redis::cmd("GET").arg(KEY));
    for number in [f64::NAN, f64::INFINITY] {
        let mut state = state.clone();
        let at = state.len() - 8 * 14;
        state[at..at + 8].copy_from_slice(&number.to_le_bytes());
        server.query::<()>(redis::cmd("SET").arg(KEY).arg(&state));
        finds_a_value(&limiter, &server, "that openlimit did not write", KEY);
        assert_eq!(server.query::<Vec<u8>>(redis::cmd("GET").arg(KEY)), state);
        server.query::<()>(redis::cmd("DEL").arg(KEY));
        drop(call(&limiter).unwrap());
    }
}

#[test]
fn numbers_that_are_none_under_the_key_are_an_error_and_not_a_hang() {
    let server = RedisServer::start();
    let identity = b"openlimit 1\n10 requests / second (burst 1s)\n";
    let numbers = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, f64::MAX];
    for (number, count) in
        numbers.into_iter().flat_map(|number| [12, 22, 23, 24].map(|count| (number, count)))
    {
        let numbers = number.to_le_bytes().repeat(count);
        let value = [&identity[..], &numbers].concat();
        server.query::<()>(redis::cmd("SET").arg("openlimit:{chat}").arg(&value));
        let limiter =
            RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(server.url()).build();
        match limiter.unwrap().acquire(Cost::new()).timeout(secs(2)).blocking() {
            Ok(_) | Err(AcquireError::Store { .. } | AcquireError::Timeout { .. }) => {}
            Err(error) => panic!("{number}: {error}"),
        }
    }
}

#[test]
fn a_database_that_there_is_not() {
    let server = RedisServer::start();
    let text = "cannot decide: ERR DB index is out of range; check the URL, and that it is a Redis of version 6 or later";
    refused(format!("{}/99", server.url()), &server, text);
}

#[test]
fn a_server_that_is_no_cluster() {
    let server = RedisServer::start();
    let text = "cannot decide: ERR This instance has cluster support disabled; check the URL, and that it is a Redis \
                of version 6 or later";
    refused(Redis::cluster([server.url()]), &server, text);
}

#[test]
fn a_cluster_s_wrong_password() {
    let server = RedisServer::builder().cluster().password("secret").start();
    let redis = Redis::cluster([format!("redis://:{PASSWORD}@{}", server.address())]).patience(secs(20));
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(redis).build();
    let refusal = limiter.unwrap().acquire(Cost::new()).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
    assert!(matches!(error.problem(), StoreProblem::Refused(_)), "{refusal}");
    assert!(!format!("{refusal} {refusal:?}").contains(PASSWORD));
}

#[test]
fn one_node_of_a_cluster_taken_for_all_of_it() {
    let cluster = Cluster::start();
    let node = &cluster.nodes()[(cluster.owner_of(cluster.slot_of("chat")) + 1) % 3];
    let text = "cannot decide: it is a node of a cluster, and another node has the key; use `Redis::cluster`; check \
                the URL, and that it is a Redis of version 6 or later";
    refused(node.url(), node, text);
}
