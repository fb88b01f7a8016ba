//! The harness of the Redis tests does what it says: otherwise they would prove nothing.

use std::time::{Duration, Instant};

use openlimit_tests::redis::RedisServer;
use redis::{Client, Connection, RedisResult};

/// As a client would connect.
fn client(url: &str) -> RedisResult<Connection> {
    let connection = Client::open(url)?.get_connection_with_timeout(Duration::from_secs(2))?;
    connection.set_read_timeout(Some(Duration::from_millis(200)))?;
    Ok(connection)
}

fn ping(url: &str) -> RedisResult<String> {
    redis::cmd("PING").query(&mut client(url)?)
}

#[test]
fn servers_start_side_by_side_and_end_with_their_owner() {
    let (one, two) = (RedisServer::start(), RedisServer::start());
    assert_ne!(one.port(), two.port());
    assert_eq!(ping(&one.url()).unwrap(), "PONG");
    one.cli::<()>("SET a 1");
    assert_eq!((one.keys(), two.keys()), (vec!["a".to_owned()], vec![]));
    let (url, directory) = (one.url(), one.directory().to_owned());
    drop(one);
    assert!(ping(&url).is_err());
    assert!(!directory.exists());
}

#[test]
fn a_killed_server_comes_back_empty_on_its_port() {
    let server = RedisServer::start();
    server.cli::<()>("SET a 1");
    server.kill_9();
    assert!(ping(&server.url()).is_err());
    server.restart();
    assert_eq!(ping(&server.url()).unwrap(), "PONG");
    assert!(server.keys().is_empty());

    let server = RedisServer::builder().append_only().start();
    server.cli::<()>("SET a 1");
    server.restart();
    assert_eq!(server.keys(), ["a"]);
}

#[test]
fn a_stopped_or_paused_server_answers_late() {
    let server = RedisServer::start();
    let mut connection = client(&server.url()).unwrap();
    server.stop();
    assert!(redis::cmd("INCR").arg("a").exec(&mut connection).unwrap_err().is_timeout());
    server.cont();
    // What had timed out was executed all the same.
    assert_eq!(server.cli::<u64>("INCR a"), 2);

    let start = Instant::now();
    server.client_pause(300);
    assert!(ping(&server.url()).is_err());
    assert_eq!(server.cli::<u64>("INCR a"), 3);
    assert!(start.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_server_checks_who_asks() {
    let server = RedisServer::builder().password("open sesame".replace(' ', "-").as_str()).start();
    assert_eq!(ping(&server.url()).unwrap(), "PONG");
    assert!(ping(&format!("redis://{}", server.address())).is_err());

    let server = RedisServer::builder().user("ann", "secret", "~* &* +@all -flushall").start();
    assert_eq!(ping(&server.url()).unwrap(), "PONG");
    assert!(ping(&format!("redis://ann:wrong@{}", server.address())).is_err());
    let mut connection = client(&server.url()).unwrap();
    assert!(redis::cmd("FLUSHALL").exec(&mut connection).is_err());
    server.flush_all();
}

#[test]
fn a_server_may_have_a_unix_socket_only() {
    let server = RedisServer::builder().unix_only().password("secret").start();
    assert_eq!(ping(&server.url()).unwrap(), "PONG");
    assert!(ping(&format!("redis://{}", server.address())).is_err());
}

#[test]
fn a_full_server_refuses_writes() {
    let server = RedisServer::builder().max_memory(1).start();
    let mut connection = client(&server.url()).unwrap();
    let error = redis::cmd("SET").arg("a").arg(1).exec(&mut connection).unwrap_err();
    assert!(error.to_string().contains("OOM"), "{error}");
    server.cli::<()>("CONFIG SET maxmemory 0");
    redis::cmd("SET").arg("a").arg(1).exec(&mut connection).unwrap();
}

#[test]
fn a_server_tells_what_it_did() {
    let server = RedisServer::start();
    server.reset_stats();
    for _ in 0..3 {
        server.cli::<()>("SET a 1");
    }
    assert_eq!((server.calls("set"), server.calls("evalsha")), (3, 0));
    assert!(server.time_us() > 1_700_000_000_000_000);
    assert_eq!(server.info("replication")["role"], "master");
    server.flush_all();
    server.script_flush();
    server.client_kill();
    assert!(server.keys().is_empty());
}

#[test]
#[should_panic(expected = "nonsense")]
fn a_server_that_does_not_start_says_why() {
    let _ = RedisServer::builder().config("nonsense 1").start();
}
