//! Tests of the harness on which the Redis tests depend.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use openlimit_tests::redis::{Cluster, Proxy, RedisServer, Replica, Worker, worker};
use redis::{Client, Connection, RedisResult, TlsCertificates};

/// Connects without a short read timeout.
fn client(url: &str) -> RedisResult<Connection> {
    Client::open(url)?.get_connection_with_timeout(Duration::from_secs(10))
}

/// Connects with a short read timeout.
fn hasty(url: &str) -> Connection {
    let connection = client(url).expect("the server is there");
    connection.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out can be set");
    connection
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
    let mut connection = hasty(&server.url());
    server.stop();
    assert!(redis::cmd("INCR").arg("a").exec(&mut connection).unwrap_err().is_timeout());
    server.cont();
    // The server executed the command that had timed out.
    assert_eq!(server.cli::<u64>("INCR a"), 2);

    let start = Instant::now();
    server.client_pause(300);
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
fn a_server_may_speak_tls_only() {
    let server = match RedisServer::builder().tls().password("secret").try_start() {
        Ok(server) => server,
        Err(log) if log.contains("Failed finding TLS support") => return eprintln!("skipped:\n{log}"),
        Err(log) => panic!("{log}"),
    };
    let certificates = TlsCertificates { client_tls: None, root_cert: Some(server.authority()) };
    for url in [server.url(), server.url().replace("127.0.0.1", "localhost")] {
        let client = Client::build_with_tls(url, certificates.clone()).unwrap();
        assert_eq!(
            redis::cmd("PING").query::<String>(&mut client.get_connection().unwrap()).unwrap(),
            "PONG"
        );
    }
    assert!(ping(&server.url()).is_err(), "a client without the root certificate connected");
    assert!(ping(&server.url().replace("rediss", "redis")).is_err());
}

#[test]
fn a_server_s_clock_can_be_stepped() {
    const HOUR: u64 = 3_600_000_000;
    let server = RedisServer::builder().clock().start();
    let in_script = || -> u64 {
        let script = "return redis.call('TIME')[1]";
        let seconds: String = server.query(redis::cmd("EVAL").arg(script).arg(0));
        seconds.parse().unwrap()
    };
    let right = server.time_us();
    server.shift_clock(3_600_000_000);
    assert!((right + HOUR..right + HOUR * 2).contains(&server.time_us()));
    assert!(in_script() >= (right + HOUR) / 1_000_000);
    server.shift_clock(-3_600_000_000);
    assert!((right - HOUR..right).contains(&server.time_us()));
    assert!(in_script() <= right / 1_000_000);
    server.shift_clock(0);
    assert!((right..right + HOUR).contains(&server.time_us()));
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

#[test]
fn a_proxy_delays_each_way() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    assert_eq!(ping(&server.url_at(proxy.address())).unwrap(), "PONG");
    proxy.delay(Duration::from_millis(20));
    let mut connection = client(&server.url_at(proxy.address())).unwrap();
    let start = Instant::now();
    assert_eq!(redis::cmd("PING").query::<String>(&mut connection).unwrap(), "PONG");
    assert!(start.elapsed() >= Duration::from_millis(40));
    assert_eq!(proxy.accepted(), 2);
    assert!(proxy.bytes().iter().all(|bytes| *bytes > 0));
}

#[test]
fn a_proxy_freezes_cuts_and_refuses() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let url = server.url_at(proxy.address());
    let incr = redis::cmd("INCR").arg("a").to_owned();

    let mut connection = hasty(&url);
    proxy.freeze();
    assert!(incr.exec(&mut connection).unwrap_err().is_timeout());
    proxy.cut();
    proxy.resume();
    // The bytes that were held when the connection was cut never arrived.
    assert!(server.keys().is_empty());

    let mut connection = hasty(&url);
    proxy.freeze_replies();
    assert!(incr.exec(&mut connection).unwrap_err().is_timeout());
    assert_eq!(server.cli::<u64>("INCR a"), 2);
    proxy.resume();

    let mut connection = client(&url).unwrap();
    incr.exec(&mut connection).unwrap();
    proxy.cut();
    assert_eq!(proxy.open(), 0);
    assert!(incr.exec(&mut connection).unwrap_err().is_connection_dropped());

    let mut connection = client(&url).unwrap();
    proxy.refuse();
    assert!(ping(&url).unwrap_err().is_connection_refusal());
    incr.exec(&mut connection).unwrap();
    proxy.resume();
    assert_eq!(ping(&url).unwrap(), "PONG");
}

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    let Some(job) = worker::job() else { return };
    match job.arg(0) {
        "count" => worker::say(job.parse::<u64>(1) + 1),
        "serve" => {
            let server = RedisServer::start();
            worker::say(server.address());
            worker::say(server.directory().display());
            thread::sleep(Duration::from_secs(60));
        }
        other => panic!("no such job: {other}"),
    }
}

#[test]
fn a_worker_is_another_process() {
    let worker = Worker::start("redis::harness::worker", &["count", "2"]);
    assert_ne!(worker.process_id(), std::process::id());
    assert_eq!(worker.finish(), ["3"]);
}

#[test]
fn nothing_is_left_of_a_test_that_was_killed() {
    let mut worker = Worker::start("redis::harness::worker", &["serve"]);
    let (url, directory) = (format!("redis://{}", worker.line()), worker.line());
    assert_eq!(ping(&url).unwrap(), "PONG");
    worker.kill_9();
    assert!(worker.lines().is_empty());
    let deadline = Instant::now() + Duration::from_secs(20);
    while ping(&url).is_ok() || Path::new(&directory).exists() {
        assert!(Instant::now() < deadline, "the server outlives the test");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_replica_lags_and_is_promoted() {
    let primary = RedisServer::start();
    primary.cli::<()>("SET a 1");
    let replica = Replica::of(&primary);
    let copy = replica.server();
    assert_eq!(copy.cli::<u64>("GET a"), 1);
    assert!(redis::cmd("INCR").arg("a").exec(&mut client(&copy.url()).unwrap()).is_err());
    primary.cli::<()>("SET a 2");
    replica.wait_until_in_sync(&primary);
    assert_eq!(copy.cli::<u64>("GET a"), 2);
    replica.lag();
    primary.cli::<()>("SET a 3");
    replica.promote();
    assert_eq!(copy.cli::<u64>("INCR a"), 3);
    copy.make_read_only();
    assert!(redis::cmd("INCR").arg("a").exec(&mut client(&copy.url()).unwrap()).is_err());
    copy.promote();
    assert_eq!(copy.cli::<u64>("INCR a"), 4);
}

#[test]
fn a_slot_moves_through_a_cluster() {
    let cluster = Cluster::start();
    let slot = cluster.slot_of("{chat}:c:1");
    assert_eq!(slot, cluster.slot_of("chat"));
    cluster.cli::<()>("chat", "SET chat 1");
    let before = cluster.owner_of(slot);
    let after = cluster.migrate_slot(slot, || {
        // The existing key has not moved, and new keys of the slot go to the other node.
        assert_eq!(cluster.nodes()[before].cli::<u64>("GET chat"), 1);
        let mut connection = client(&cluster.nodes()[before].url()).unwrap();
        let error = redis::cmd("GET").arg("{chat}:c:1").exec(&mut connection).unwrap_err();
        assert!(error.to_string().contains("Ask"), "{error}");
    });
    assert_ne!(before, after);
    assert_eq!(cluster.owner_of(slot), after);
    assert_eq!(cluster.nodes()[after].cli::<u64>("GET chat"), 1);
}
