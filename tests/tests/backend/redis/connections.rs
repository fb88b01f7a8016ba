//! All limiters of a process that name a server in the same way share one connection. It is opened
//! once and replaced once. Errors of one limiter do not affect the others. It is closed with the
//! last one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, StoreProblem, StoreStatus};
use openlimit_tests::redis::{Cluster, Proxy, RedisServer};
use openlimit_tests::{eventually, millis, secs};

/// Longer than any call waits, however busy the machine is.
const NEVER: Duration = Duration::from_secs(20);

fn limiter(name: &str, redis: Redis) -> RateLimiter {
    RateLimiter::builder().name(name).requests(Rate::per_second(1_000)).redis(redis).build().unwrap()
}

/// Builds limiters with the names `customer 0`, `customer 1` and so on.
fn customers(count: usize, redis: &Redis) -> Vec<RateLimiter> {
    (0..count).map(|customer| limiter(&format!("customer {customer}"), redis.clone())).collect()
}

fn take(limiter: &RateLimiter) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new()).timeout(NEVER).blocking()
}

/// Takes one of each limiter at the same time, each in its own thread.
fn take_of_each(limiters: &[RateLimiter]) {
    thread::scope(|scope| {
        let calls: Vec<_> = limiters.iter().map(|limiter| scope.spawn(|| take(limiter))).collect();
        for call in calls {
            drop(call.join().unwrap().unwrap());
        }
    });
}

fn store(limiter: &RateLimiter) -> StoreStatus {
    limiter.status().unwrap().store.unwrap()
}

#[test]
fn fifty_limiters_hold_one_connection() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let redis = Redis::new(server.url_at(proxy.address())).timeout(NEVER);
    let limiters = customers(50, &redis);
    take_of_each(&limiters);
    assert_eq!(server.client_ids().len(), 1);
    // A limiter's own settings do not open another one either.
    let mut others = customers(2, &redis.clone().prefix("other:").patience(secs(1)).look_ahead(millis(1)));
    others.push(limiter("leases", redis.lease(millis(100))));
    take_of_each(&others);
    assert_eq!(server.client_ids().len(), 1);
    // There was only one from the beginning.
    assert_eq!(proxy.accepted(), 1);
}

#[test]
fn the_time_to_connect_is_no_part_of_a_round_trip() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.freeze();
    let redis = Redis::new(server.url_at(proxy.address())).timeout(secs(60));
    let limiter = limiter("slow to connect", redis);
    thread::scope(|scope| {
        let call = scope.spawn(|| take(&limiter));
        thread::sleep(secs(3));
        proxy.resume();
        drop(call.join().unwrap().unwrap());
    });
    // Without leases it always fails. It says what a call would wait: a round trip.
    let AcquireError::WouldWait { wait, .. } = limiter.try_acquire(Cost::new()).unwrap_err() else {
        panic!("not refused for a wait")
    };
    assert!(wait < secs(2), "{wait:?}");
}

#[test]
fn whoever_reaches_a_server_in_another_way_has_a_connection_of_its_own() {
    let server = RedisServer::start();
    for password in ["one", "other"] {
        server.cli::<()>(&format!("ACL SETUSER ann on >{password} ~* &* +@all"));
        server.cli::<()>(&format!("ACL SETUSER bob on >{password} ~* &* +@all"));
    }
    let address = server.address();
    let redis =
        |login: &str, path: &str| Redis::new(format!("redis://{login}{address}{path}")).timeout(NEVER);
    let ways = [
        redis("", ""),
        redis("", "/1"),
        redis("", "/2"),
        redis("ann:one@", ""),
        redis("ann:other@", ""),
        redis("bob:one@", ""),
        redis("", "").timeout(NEVER * 2),
    ];
    let mut limiters = Vec::new();
    for (count, way) in (1..).zip(&ways) {
        limiters.extend(customers(3, way));
        take_of_each(&limiters);
        assert_eq!(server.client_ids().len(), count);
    }
}

#[test]
fn what_one_limiter_is_refused_is_nothing_to_the_others() {
    let server = RedisServer::builder().user("ann", "secret", "~openlimit:* &* +@all").start();
    let redis = Redis::new(server.url()).timeout(NEVER);
    let other = limiter("other", redis.clone());
    let ids = {
        drop(take(&other).unwrap());
        server.client_ids()
    };
    server.cli::<()>("LPUSH openlimit:{list} a");
    server.cli::<()>("SET openlimit:{text} a");
    // Texts that are not numbers.
    let state = [&b"openlimit 1\n1000 requests / second (burst 1s)\n"[..], &[0xff; 112]].concat();
    server.query::<()>(redis::cmd("SET").arg("openlimit:{numbers}").arg(state));
    let limits = RateLimiter::builder().name("other").requests(Rate::per_second(7)).redis(redis.clone());
    let refused = [
        limits.build().unwrap(),
        limiter("list", redis.clone()),
        limiter("text", redis.clone()),
        limiter("numbers", redis.clone()),
        limiter("not allowed", redis.prefix("secret:")),
    ];
    let stop = AtomicBool::new(false);
    // The last reason for a refusal: it tries at least twice, however late the first reply is.
    let fail = &|limiter: &RateLimiter| {
        (1_u32..).find_map(|times| match take(limiter) {
            Err(AcquireError::Store { error, .. }) if times > 1 && stop.load(Ordering::SeqCst) => {
                Some(error.problem().clone())
            }
            Err(AcquireError::Store { .. }) => None,
            other => panic!("{limiter:?} is not refused: {other:?}"),
        })
    };
    let refused: Vec<StoreProblem> = thread::scope(|scope| {
        let calls: Vec<_> = refused.iter().map(|limiter| scope.spawn(move || fail(limiter))).collect();
        let start = Instant::now();
        while start.elapsed() < millis(500) {
            drop(take(&other).unwrap());
        }
        stop.store(true, Ordering::SeqCst);
        calls.into_iter().map(|call| call.join().unwrap().unwrap()).collect()
    });
    use StoreProblem::{OtherLayout, OtherLimits, Refused};
    assert!(
        matches!(
            &refused[..],
            [OtherLimits { .. }, OtherLayout { .. }, OtherLayout { .. }, OtherLayout { .. }, Refused(_)]
        ),
        "{refused:?}"
    );
    assert_eq!((store(&other).outages, store(&other).error.is_none()), (0, true));
    assert_eq!(server.client_ids(), ids);
}

#[test]
fn a_server_that_is_out_of_memory_keeps_its_connection() {
    let server = RedisServer::start();
    let limiters = customers(2, &Redis::new(server.url()).timeout(NEVER));
    take_of_each(&limiters);
    let ids = server.client_ids();
    server.cli::<()>("CONFIG SET maxmemory 1");
    for limiter in &limiters {
        assert!(limiter.acquire(Cost::new()).timeout(millis(200)).blocking().is_err());
    }
    server.cli::<()>("CONFIG SET maxmemory 0");
    take_of_each(&limiters);
    assert_eq!(server.client_ids(), ids);
}

#[test]
fn after_a_cut_all_come_back_over_one_new_connection() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiters = customers(20, &Redis::new(server.url_at(proxy.address())).timeout(NEVER));
    take_of_each(&limiters);
    for cuts in 1..=3 {
        proxy.cut();
        take_of_each(&limiters);
        assert_eq!(proxy.accepted(), 1 + cuts);
        eventually("the end of the one before", || server.client_ids().len() == 1);
    }
}

#[test]
fn those_who_wait_at_a_cut_come_back_over_one_new_connection() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiters = customers(20, &Redis::new(server.url_at(proxy.address())).timeout(NEVER));
    take_of_each(&limiters);
    proxy.freeze_replies();
    thread::scope(|scope| {
        let calls: Vec<_> = limiters.iter().map(|limiter| scope.spawn(|| take(limiter))).collect();
        eventually("their batches", || server.calls("evalsha") >= 40);
        // Most batches are on the way. Some were decided, and no reply has arrived.
        proxy.cut();
        proxy.resume();
        for call in calls {
            drop(call.join().unwrap().unwrap());
        }
    });
    assert_eq!(proxy.accepted(), 2);
    assert_eq!(limiters.iter().map(|limiter| store(limiter).outages).max(), Some(1));
}

#[test]
fn one_that_answers_no_more_is_replaced_once_for_all_and_not_by_each_who_finds_out() {
    const TIMEOUT: Duration = Duration::from_millis(2_000);
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiters = customers(10, &Redis::new(server.url_at(proxy.address())).timeout(TIMEOUT));
    take_of_each(&limiters);
    proxy.strand();
    thread::scope(|scope| {
        // So the last limiter notices long after the first.
        for limiter in &limiters {
            scope.spawn(|| take(limiter).unwrap());
            thread::sleep(TIMEOUT / 15);
        }
    });
    // There are two, or a few more if the machine stands still for long.
    assert!(proxy.accepted() <= 4, "{} connections for 10 limiters", proxy.accepted());
    proxy.resume();
    eventually("the end of the one", || server.client_ids().len() == 1 && proxy.open() == 1);
}

#[test]
fn a_primary_that_is_none_any_more_is_left_for_the_one_that_is() {
    let (one, other) = (RedisServer::start(), RedisServer::start());
    let address = Proxy::to(one.address());
    let limiters = customers(5, &Redis::new(one.url_at(address.address())).timeout(NEVER));
    take_of_each(&limiters);
    // Connections to the first server stay open, as they often do behind an address that moves.
    address.redirect(other.address());
    one.make_read_only();
    take_of_each(&limiters);
    assert_eq!(other.client_ids().len(), 1);
    eventually("the end of the old connection", || one.client_ids().is_empty());
}

#[test]
fn a_connection_is_closed_with_the_last_limiter_and_opened_with_the_next() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).timeout(NEVER);
    let mut limiters = customers(3, &redis);
    take_of_each(&limiters);
    let ids = server.client_ids();
    limiters.truncate(1);
    // Long enough for the other limiters to close the connection, if they did.
    thread::sleep(millis(50));
    take_of_each(&limiters);
    assert_eq!(server.client_ids(), ids);
    limiters.clear();
    eventually("the end of the connection", || server.client_ids().is_empty());
    take_of_each(&customers(2, &redis));
    eventually("the end of the next", || server.client_ids().is_empty());
}

#[test]
fn a_node_of_a_cluster_that_answers_no_more_is_no_matter_to_limiters_of_another() {
    let cluster = Cluster::start();
    for node in cluster.nodes() {
        node.cli::<()>("CONFIG SET cluster-require-full-coverage no");
    }
    let owner = |name: &str| cluster.owner_of(cluster.slot_of(&format!("{{{name}}}")));
    let node = owner("one");
    let name = (0..).map(|number| format!("other {number}"));
    let name = name.into_iter().find(|name| owner(&name.replace(' ', "%20")) != node).unwrap();
    let redis = Redis::cluster(cluster.urls()).timeout(secs(3));
    let (one, other) = (limiter("one", redis.clone()), limiter(&name, redis));
    drop((take(&one).unwrap(), take(&other).unwrap()));
    cluster.nodes()[node].stop();
    thread::scope(|scope| {
        let call = scope.spawn(|| take(&one));
        // It notices, and fails to open another connection.
        let start = Instant::now();
        while start.elapsed() < secs(8) {
            drop(take(&other).unwrap());
            thread::sleep(millis(10));
        }
        assert!(store(&one).error.is_some());
        assert_eq!(store(&other).outages, 0);
        cluster.nodes()[node].cont();
        drop(call.join().unwrap().unwrap());
    });
}
