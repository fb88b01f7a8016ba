//! URLs of a server: TCP, TLS or a unix socket, with user, password, database and prefix. Texts
//! that are not a URL are rejected.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::{AcquireError, BuildProblem, Cost, Permit, Rate, RateLimiter, Redis, StoreProblem};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::secs;

const PASSWORD: &str = "hunter2";

fn limiter(redis: impl Into<Redis>) -> RateLimiter {
    RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(redis).build().unwrap()
}

fn acquire(redis: impl Into<Redis>) -> Result<Permit, AcquireError> {
    limiter(redis).acquire(Cost::new()).timeout(secs(20)).blocking()
}

/// Asserts that a limiter reaches this server, and no other.
#[track_caller]
fn reaches(redis: impl Into<Redis>, server: &RedisServer) {
    server.flush_all();
    drop(acquire(redis).unwrap());
    assert_eq!(server.cli::<String>("TYPE openlimit:{chat}"), "string");
}

/// Returns a server that speaks TLS, or `None` if the program was built without it.
fn tls() -> Option<RedisServer> {
    match RedisServer::builder().tls().user("ann", PASSWORD, "~* &* +@all").try_start() {
        Ok(server) => Some(server),
        Err(log) if log.contains("Failed finding TLS support") => {
            eprintln!("skipped:\n{log}");
            None
        }
        Err(log) => panic!("{log}"),
    }
}

#[test]
fn over_tls_by_an_authority_of_one_s_own() {
    let Some(server) = tls() else { return };
    let authority = server.authority();
    for url in [server.url(), server.url().replace("127.0.0.1", "localhost")] {
        reaches(Redis::new(url).root_certificates(authority.clone()), &server);
    }
    // Among others.
    let Some(other) = tls() else { return };
    let both = [other.authority(), authority].concat();
    reaches(Redis::new(server.url()).root_certificates(both), &server);
}

#[test]
fn a_certificate_that_is_not_trusted_fails_at_once() {
    let Some(server) = tls() else { return };
    let Some(other) = tls() else { return };
    for redis in [Redis::new(server.url()), Redis::new(server.url()).root_certificates(other.authority())] {
        let refusal = limiter(redis).acquire(Cost::new()).blocking().unwrap_err();
        let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
        assert!(!error.is_transient());
        assert!(matches!(error.problem(), StoreProblem::Certificate(_)), "{refusal:?}");
        let text = format!("redis at {} is not trusted: invalid peer certificate: ", server.address());
        assert!(error.to_string().starts_with(&text), "{error}");
        let advice = "; check that its certificate is for this host, and signed by an authority of the system or \
                      of `Redis::root_certificates`";
        assert!(error.to_string().ends_with(advice), "{error}");
        assert!(!format!("{refusal} {refusal:?}").contains(PASSWORD));
    }
    let cluster = Redis::cluster([server.url()]).root_certificates(other.authority());
    let refusal = limiter(cluster).acquire(Cost::new()).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
    assert!(matches!(error.problem(), StoreProblem::Certificate(_)), "{refusal:?}");
}

#[test]
fn without_tls_to_a_tls_port() {
    let Some(server) = tls() else { return };
    let redis = Redis::new(server.url().replace("rediss", "redis")).timeout(secs(60));
    // Fails with the first attempt, however long that takes.
    let refusal = limiter(redis.patience(Duration::ZERO)).acquire(Cost::new()).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
    assert!(error.is_transient());
    let text = error.to_string();
    assert!(text.starts_with(&format!("redis at {} cannot be reached: ", server.address())), "{text}");
    assert!(text.ends_with("the URL: `rediss://` if it speaks TLS, else `redis://`"), "{text}");
    assert!(!format!("{refusal} {refusal:?}").contains(PASSWORD));
}

#[test]
fn over_a_unix_socket() {
    let server = RedisServer::builder().unix_only().start();
    reaches(server.url(), &server);
    reaches(format!("{}?db=0", server.url()), &server);
    let server = RedisServer::builder().unix_only().user("ann", PASSWORD, "~* &* +@all").start();
    reaches(server.url(), &server);
    let wrong = server.url().replace(PASSWORD, "wrong");
    let refusal = limiter(wrong).acquire(Cost::new()).blocking().unwrap_err();
    let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
    assert!(error.server().ends_with("/redis.sock"), "{error}");
    assert!(!refusal.to_string().contains("wrong"), "{refusal}");
}

#[test]
fn as_a_user_with_a_password() {
    let server = RedisServer::builder().password(PASSWORD).start();
    reaches(server.url(), &server);
    reaches(format!("redis://default:{PASSWORD}@{}", server.address()), &server);
    let server = RedisServer::builder().user("ann", PASSWORD, "~openlimit:* +@all").start();
    reaches(server.url(), &server);
    // The user may run only the commands that a limiter needs.
    let rules = "~openlimit:* -@all +evalsha +eval +get +set +time";
    let server = RedisServer::builder().user("ann", PASSWORD, rules).start();
    reaches(server.url(), &server);
}

#[test]
fn with_a_password_that_is_percent_encoded() {
    let server = RedisServer::builder().user("ann", "p@ss/w?rd#1%", "~* &* +@all").start();
    reaches(format!("redis://ann:p%40ss%2Fw%3Frd%231%25@{}", server.address()), &server);
    let refusal = acquire(format!("redis://ann:p%40ss%2Fw%3Frd%232%25@{}", server.address())).unwrap_err();
    let said = format!("{refusal} {refusal:?}");
    assert!(!said.contains("p@ss") && !said.contains("p%40ss"), "{said}");
}

#[test]
fn in_a_database_and_under_a_prefix() {
    let server = RedisServer::start();
    drop(acquire(Redis::new(format!("{}/3", server.url())).prefix("team/a:")).unwrap());
    assert!(server.keys().is_empty());
    let mut connection = server.connect().unwrap();
    redis::cmd("SELECT").arg(3).exec(&mut connection).unwrap();
    let mut keys: Vec<String> = redis::cmd("KEYS").arg("*").query(&mut connection).unwrap();
    keys.sort();
    assert_eq!(keys[0], "team/a:{chat}");
    assert!(keys[1].starts_with("team/a:{chat}:c:"));
    assert_eq!(keys.len(), 2);
}

#[test]
fn the_same_name_in_another_database_or_under_another_prefix_is_another_limiter() {
    let server = RedisServer::start();
    let full = |redis: Redis| {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_hour(1)).redis(redis).build();
        let acquire = limiter.unwrap().acquire(Cost::new()).timeout(secs(20)).blocking();
        matches!(acquire, Err(AcquireError::Timeout { .. }))
    };
    assert!(!full(Redis::new(server.url())));
    assert!(!full(Redis::new(format!("{}/1", server.url()))));
    assert!(!full(Redis::new(server.url()).prefix("other:")));
    assert!(!full(Redis::new(server.url()).prefix("")));
    assert!(full(Redis::new(server.url())));
    assert!(full(Redis::new(server.url()).prefix("other:")));
}

#[track_caller]
fn refused(redis: impl Into<Redis>, text: &str) {
    let redis = redis.into();
    let shown = format!("{redis:?}");
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10)).redis(redis);
    let error = builder.build().err().unwrap_or_else(|| panic!("it was built, instead of {text}"));
    assert!(matches!(error.problem(), BuildProblem::Redis(_)));
    assert_eq!(
        error.to_string(),
        format!("limiter `chat` cannot be built: its redis cannot be used: {text}")
    );
    assert!(!format!("{shown} {error:?}").contains(PASSWORD));
}

#[test]
fn what_is_no_url_is_not_shown_and_not_built() {
    let text = "its URL cannot be read; expected `redis://[user:password@]host[:port][/database]`, `rediss://..` or \
                `unix:///path`, with special characters of the password percent-encoded";
    for url in [
        "",
        " ",
        "localhost",
        "redis://",
        "http://:hunter2@localhost",
        "redis://:hun/hunter2@localhost",
        "redis://:hunter2@localhost:99999",
        "redis://:hunter2@localhost:port",
        "redis://:hunter2@localhost/database",
        "redis://ann:2#hunter2@localhost",
        "redis://ann:2?hunter2@localhost",
        "redis://localhost#insecure",
        "unix:///a#b",
        "hunter2",
        "\0",
    ] {
        refused(url, text);
        refused(Redis::cluster(["redis://localhost", url]), text);
    }
}

#[test]
fn what_cannot_be_done_is_not_built() {
    refused(Redis::cluster(Vec::<String>::new()), "it has no nodes; give the URL of at least one");
    refused(
        Redis::cluster(["redis://a", "redis://:hunter2@b/2"]),
        "its URL names database 2, and a cluster has only database 0; leave it out",
    );
    refused(
        Redis::cluster(["unix:///a?pass=hunter2"]),
        "a cluster cannot be reached through a unix socket; give the hosts and ports of its nodes",
    );
    refused(
        Redis::new("redis://a").timeout(Duration::ZERO),
        "its timeout is 0 s, in which no server can reply; give it more time",
    );
    for url in ["redis://:hunter2@a/-1", "rediss://:hunter2@a/-2", "unix:///a?db=-1&pass=hunter2"] {
        refused(url, "its URL names a database below 0, which no server has; give one from 0 on");
    }
    for url in ["rediss://:hunter2@a/#insecure", "rediss://:hunter2@a:1/0#insecure"] {
        let text = "its URL ends in `#insecure`, and a server's certificate is always verified; leave that out, and \
                    give the authority of the certificate to `Redis::root_certificates`";
        refused(url, text);
        refused(Redis::cluster(["rediss://a", url]), text);
    }
    for pem in ["", "hunter2", "-----BEGIN CERTIFICATE-----\nhunter2=\n-----END CERTIFICATE-----\n"] {
        refused(
            Redis::new("rediss://a").root_certificates(pem),
            "its root certificates cannot be read; expected one or more certificates in PEM",
        );
    }
}

#[test]
fn extreme_times_are_taken_as_they_are() {
    let server = RedisServer::start();
    let extreme = |time: Duration| Redis::new(server.url()).patience(time).look_ahead(time);
    for time in [Duration::ZERO, Duration::from_nanos(1), Duration::MAX] {
        reaches(extreme(time), &server);
        reaches(extreme(time).lease(time), &server);
    }
    reaches(Redis::new(server.url()).timeout(Duration::MAX), &server);
}

#[test]
fn debug_shows_everything_but_the_urls() {
    let redis = Redis::new(format!("redis://ann:{PASSWORD}@localhost/2")).root_certificates("hunter2");
    assert_eq!(
        format!("{redis:?}"),
        "Redis { nodes: 1, cluster: false, prefix: \"openlimit:\", timeout: 1s, patience: 60s, on_outage: Wait, look_ahead: \
         100ms, lease: None, .. }"
    );
}
