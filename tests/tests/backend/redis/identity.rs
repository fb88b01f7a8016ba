//! Identity: limiters with one name and the same limits share them. Other limits under the name, or
//! another layout, are an error, and are not mixed. No name reaches another's key.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::{
    AcquireError, Builder, Cost, Counting, Limit, Percent, Permit, Rate, RateLimiter, Redis, StoreError,
    StoreProblem, Usage, kind,
};
use openlimit_tests::redis::{Cluster, RedisServer};
use openlimit_tests::{millis, secs};

const SECOND: i64 = 1_000_000;

fn builder(server: &RedisServer) -> Builder<kind::Explicit> {
    RateLimiter::builder().name("chat").redis(server.url())
}

fn acquire(builder: Builder<kind::Explicit>) -> Result<Permit, AcquireError> {
    builder.build().unwrap().acquire(Cost::new()).timeout(secs(20)).blocking()
}

#[track_caller]
fn store(refusal: AcquireError) -> StoreError {
    match refusal {
        AcquireError::Store { error, .. } => error,
        error => panic!("{error}"),
    }
}

#[test]
fn other_limits_under_the_same_name_are_told_and_both_are_named() {
    let server = RedisServer::start();
    let ours = || builder(&server).requests(Rate::per_minute(100)).tokens(Rate::per_minute(40_000));
    drop(acquire(ours()).unwrap());
    let theirs = "100 requests / minute (burst 1s); 40000 tokens / minute (burst 1s)";
    for (other, limits) in [
        (builder(&server).requests(Rate::per_minute(100)), "100 requests / minute (burst 1s)"),
        (
            ours().burst(millis(500)),
            "100 requests / minute (burst 500ms); 40000 tokens / minute (burst 500ms)",
        ),
        (
            ours().requests(Rate::per_day(10_000)),
            "100 requests / minute (burst 1s); 10000 requests / day (burst 86400s); 40000 tokens / minute (burst 1s)",
        ),
    ] {
        let error = store(acquire(other).unwrap_err());
        assert!(!error.is_transient());
        let StoreProblem::OtherLimits { theirs: told, ours, free_in, key } = error.problem() else {
            panic!("{error}");
        };
        assert_eq!([told, ours, key], [theirs, limits, "openlimit:{chat}"]);
        // The bucket drains in less than ten seconds.
        assert!(!free_in.is_zero() && *free_in <= secs(10), "{free_in:?}");
        assert_eq!(
            error.to_string(),
            format!(
                "redis at {} has other limits under this name: {theirs}; this limiter has {limits}; give one of them \
                 another name, delete the key `openlimit:{{chat}}`, or wait: the name is free in {}s if it is not used \
                 until then",
                server.address(),
                free_in.as_millis().div_ceil(1_000)
            )
        );
    }
    // The first limiter goes on.
    drop(acquire(ours()).unwrap());
}

#[test]
fn jitter_headroom_and_how_the_server_is_used_are_no_difference() {
    let server = RedisServer::start();
    // Two an hour in all.
    let same = || builder(&server).requests(Rate::per_hour(2));
    drop(acquire(same().jitter(secs(0)).headroom(Percent(0))).unwrap());
    drop(acquire(same().jitter(secs(1)).headroom(Percent(20))).unwrap());
    let redis =
        Redis::new(server.url()).look_ahead(secs(5)).lease(millis(100)).timeout(secs(9)).patience(secs(1));
    let refusal = acquire(same().redis(redis)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    let refusal = acquire(same().refunds(false)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
}

#[test]
fn the_order_of_the_limits_is_no_difference_and_each_keeps_its_own() {
    let server = RedisServer::start();
    // Sorted as text, they are in neither order: 1000, 20, 300.
    let limits = [
        Limit::new("requests", Rate::per_day(20)),
        Limit::new("tokens", Rate::per_day(300)),
        Limit::new("images", Rate::per_day(1_000)),
    ];
    let backward: Vec<Limit> = limits.iter().rev().cloned().collect();
    let limiter = |limits: &[Limit]| {
        let builder = builder(&server).jitter(secs(60));
        limits.iter().cloned().fold(builder, Builder::limit).build().unwrap()
    };
    let (one, other) = (limiter(&limits), limiter(&backward));
    let take = |limiter: &RateLimiter, cost: Cost| limiter.acquire(cost).timeout(secs(20)).blocking();
    // Rounded down, since a minute is kept back for jitter. That much may leak meanwhile.
    let assert_left = |limiter: &RateLimiter, limits: &[Limit], left: [u64; 3]| {
        let status = limiter.status().unwrap().limits;
        assert!(status.iter().map(|status| &status.limit).eq(limits));
        assert_eq!(status.iter().map(|status| status.available + 1).collect::<Vec<_>>(), left);
    };
    drop(take(&one, Cost::new().requests(3).tokens(50).images(700)).unwrap());
    assert_left(&one, &limits, [17, 250, 300]);
    // The other one learns of it, and adds its own.
    let permit = take(&other, Cost::new().requests(4).tokens(100).images(20)).unwrap();
    assert_left(&other, &backward, [280, 150, 13]);
    permit.settle(Usage::new(10, 5));
    drop(take(&other, Cost::new()).unwrap());
    assert_left(&other, &backward, [280, 235, 12]);
    drop(take(&one, Cost::new()).unwrap());
    assert_left(&one, &limits, [11, 235, 280]);
    for limiter in [&one, &other] {
        for (cost, refuses) in [
            (Cost::new().requests(15), &limits[0]),
            (Cost::new().tokens(250), &limits[1]),
            (Cost::new().images(900), &limits[2]),
        ] {
            match take(limiter, cost).unwrap_err() {
                AcquireError::Timeout { limit, .. } => assert_eq!(limit, *refuses),
                error => panic!("{error}"),
            }
        }
    }
}

#[test]
fn the_same_rate_in_another_unit_is_another_limit() {
    let server = RedisServer::start();
    drop(acquire(builder(&server).requests(Rate::per_minute(60))).unwrap());
    let error = store(acquire(builder(&server).requests(Rate::per_second(1))).unwrap_err());
    assert!(matches!(error.problem(), StoreProblem::OtherLimits { .. }), "{error}");
}

#[test]
fn processes_that_count_in_other_ways_are_told() {
    let server = RedisServer::start();
    let ours = || builder(&server).requests(Rate::per_minute(60).burst(secs(1)));
    drop(acquire(ours()).unwrap());
    let error = store(acquire(ours().counting(Counting::InWindows)).unwrap_err());
    let StoreProblem::OtherLimits { theirs, ours, .. } = error.problem() else { panic!("{error}") };
    assert_eq!(&**theirs, "60 requests / minute (burst 1s)");
    assert_eq!(&**ours, "60 requests / minute (burst 1s, counted in windows)");
}

#[test]
fn a_name_is_free_when_the_other_has_drained_and_nobody_came_for_ten_seconds() {
    let server = RedisServer::builder().clock().start();
    // Drained in a second, and quiet.
    let quick = || builder(&server).requests(Rate::per_second(2));
    let slow = || builder(&server).requests(Rate::per_minute(1));
    drop(acquire(quick()).unwrap());
    server.shift_clock(5 * SECOND);
    assert!(matches!(store(acquire(slow()).unwrap_err()).problem(), StoreProblem::OtherLimits { .. }));
    // A refused call does not count as use.
    server.shift_clock(16 * SECOND);
    drop(acquire(slow()).unwrap());
    // Now the name has the other's limits. It is quiet for long enough, but takes a minute to
    // drain.
    server.shift_clock(46 * SECOND);
    assert!(matches!(store(acquire(quick()).unwrap_err()).problem(), StoreProblem::OtherLimits { .. }));
    server.shift_clock(90 * SECOND);
    drop(acquire(quick()).unwrap());
    assert!(matches!(store(acquire(slow()).unwrap_err()).problem(), StoreProblem::OtherLimits { .. }));
}

#[test]
fn the_error_tells_when_the_name_is_free() {
    let server = RedisServer::builder().clock().start();
    let daily = builder(&server).requests(Rate::per_day(10)).headroom(Percent(0)).build().unwrap();
    drop(daily.acquire(Cost::new().requests(5)).timeout(secs(20)).blocking().unwrap());
    let refused = || {
        let error = store(acquire(builder(&server).requests(Rate::per_day(20))).unwrap_err());
        match error.problem() {
            StoreProblem::OtherLimits { free_in, .. } => (*free_in, error.to_string()),
            _ => panic!("{error}"),
        }
    };
    // Half of it leaks in half a day. The test is over in a minute.
    let is_nearly =
        |time: Duration, hours: u64| time <= secs(hours * 3_600) && time > secs(hours * 3_600 - 60);
    let (free_in, said) = refused();
    assert!(is_nearly(free_in, 12), "{free_in:?}");
    assert!(said.ends_with("the name is free in 12h if it is not used until then"), "{said}");
    server.shift_clock(8 * 3_600 * SECOND);
    let (free_in, said) = refused();
    assert!(is_nearly(free_in, 4), "{free_in:?}");
    assert!(said.ends_with("the name is free in 4h if it is not used until then"), "{said}");
    // Another limiter gets the name after this time, and not much earlier.
    let free_at = 8 * 3_600 * SECOND + i64::try_from(free_in.as_micros()).unwrap();
    server.shift_clock(free_at - 60 * SECOND);
    assert!(refused().0 <= secs(60));
    server.shift_clock(free_at);
    drop(acquire(builder(&server).requests(Rate::per_day(20))).unwrap());
}

#[test]
fn whoever_was_refused_is_admitted_once_the_name_is_free() {
    let server = RedisServer::builder().clock().start();
    drop(acquire(builder(&server).requests(Rate::per_second(2))).unwrap());
    let limiter = builder(&server).requests(Rate::per_second(3)).build().unwrap();
    let acquire = || limiter.acquire(Cost::new()).timeout(secs(20)).blocking();
    assert!(matches!(store(acquire().unwrap_err()).problem(), StoreProblem::OtherLimits { .. }));
    server.shift_clock(20 * SECOND);
    drop(acquire().unwrap());
    drop(acquire().unwrap());
}

#[test]
fn a_limiter_whose_name_was_taken_over_is_told() {
    let server = RedisServer::builder().clock().start();
    let limiter = builder(&server).requests(Rate::per_second(2)).build().unwrap();
    drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    server.shift_clock(20 * SECOND);
    drop(acquire(builder(&server).requests(Rate::per_second(3))).unwrap());
    let error = store(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap_err());
    assert!(matches!(error.problem(), StoreProblem::OtherLimits { .. }), "{error}");
}

#[test]
fn two_versions_of_the_layout_refuse_each_other() {
    let server = RedisServer::start();
    let ours = || builder(&server).requests(Rate::per_second(10));
    drop(acquire(ours()).unwrap());
    let written: Vec<u8> = server.cli("GET openlimit:{chat}");
    assert!(written.starts_with(b"openlimit 1\n10 requests / second (burst 1s)\n"));
    // A state that a later or an earlier version may write: only its first line is known.
    for version in ["openlimit 2", "openlimit 0", "openlimit 10"] {
        for rest in [&written[12..], b"", b"anything\nelse", b"\0"] {
            let value = [version.as_bytes(), b"\n", rest].concat();
            server.query::<()>(redis::cmd("SET").arg("openlimit:{chat}").arg(&value));
            let error = store(acquire(ours()).unwrap_err());
            assert_eq!(
                error.to_string(),
                format!(
                    "redis at {} holds a value of another version of openlimit (`{version}`) under the key \
                     `openlimit:{{chat}}`; give the limiter another name or prefix, or delete the key",
                    server.address()
                )
            );
            assert_eq!(server.cli::<Vec<u8>>("GET openlimit:{chat}"), value);
        }
    }
    // The other way round: our state begins with a line that the other versions recognise.
    server.flush_all();
    drop(acquire(ours()).unwrap());
    assert!(server.cli::<Vec<u8>>("GET openlimit:{chat}").starts_with(b"openlimit 1\n"));
}

/// Names that may go wrong, none of them equal.
fn names() -> Vec<String> {
    let mut names: Vec<String> = [
        "chat",
        "{chat}",
        "}chat{",
        "{}",
        "{",
        "}",
        "a b",
        " ",
        "\n",
        "\r\n",
        "a\0b",
        "\0",
        "é",
        "🦀",
        "%7b",
        "~",
        "chat:c:0",
        "chat}:c:0",
        "*",
        "[a-z]",
        "\\",
        "\"",
        "'",
        "../..",
        "${PATH}",
        "--*",
        "$",
        "{{",
        "\u{202e}",
    ]
    .map(str::to_owned)
    .into();
    names.extend(["x".repeat(1 << 20), "x".repeat((1 << 20) + 1), "{".repeat(1 << 20), "🦀".repeat(100)]);
    names
}

#[test]
fn every_name_is_a_limiter_of_its_own_and_touches_no_other_key() {
    let server = RedisServer::start();
    server.cli::<()>("SET chat untouched");
    server.cli::<()>("SET {chat} untouched");
    let full = |name: &str| {
        let limiter =
            RateLimiter::builder().name(name).requests(Rate::per_hour(1)).redis(server.url()).build();
        match limiter.unwrap().acquire(Cost::new()).timeout(secs(20)).blocking() {
            Ok(_) => false,
            Err(AcquireError::Timeout { limiter, .. }) => {
                assert_eq!(&*limiter, name);
                true
            }
            Err(error) => panic!("{}", error.to_string().chars().take(300).collect::<String>()),
        }
    };
    for name in names() {
        assert!(!full(&name), "{name:.40} was taken");
        assert!(full(&name), "{name:.40} is not shared");
    }
    let keys: Vec<String> = server.keys();
    let (own, other): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.starts_with("openlimit:{"));
    assert_eq!(other, ["chat", "{chat}"]);
    // One key for the buckets of each, and two for the clients.
    assert_eq!(own.len(), 3 * names().len());
    for key in own {
        assert!(key.len() < 250 && key.chars().all(|char| char.is_ascii_graphic()), "{key}");
        assert_eq!((key.matches('{').count(), key.matches('}').count()), (1, 1), "{key}");
    }
    assert_eq!(server.cli::<String>("GET chat"), "untouched");
}

#[test]
fn every_name_is_in_one_slot_of_a_cluster() {
    let cluster = Cluster::start();
    for name in names() {
        let limiter = RateLimiter::builder()
            .name(name)
            .requests(Rate::per_hour(1))
            .redis(Redis::cluster(cluster.urls()).prefix("a{b}c:"));
        let limiter = limiter.build().unwrap();
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
        let refusal = limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap_err();
        assert!(matches!(refusal, AcquireError::Timeout { .. }));
    }
}
