//! Holds that the server announces: they stop a process that has asked nothing since.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::{AcquireError, Cost, Rate, RateLimiter, Redis, Stack};
use openlimit_tests::redis::{Cluster, Proxy, RedisServer};
use openlimit_tests::{Call, eventually, secs};

/// Requests and tokens of which much may depart at once.
fn limiter(redis: Redis) -> RateLimiter {
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000).burst(secs(100)));
    let limiter = limiter.tokens(Rate::per_second(1_000).burst(secs(100)));
    limiter.redis(redis.timeout(secs(60)).lease(secs(40))).build().unwrap()
}

/// A limiter with a lease, whose requests reach the server no more.
fn cut_off(server: &RedisServer, redis: impl FnOnce(String) -> Redis) -> (Proxy, RateLimiter) {
    let proxy = Proxy::to(server.address());
    let limiter = limiter(redis(server.url_at(proxy.address())));
    drop(limiter.acquire(Cost::new().tokens(1)).blocking().unwrap());
    eventually("a lease is granted", || limiter.try_acquire(Cost::new().tokens(1)).is_ok());
    // The batch in flight, if there is one, asked before the hold.
    limiter.flush(secs(20)).blocking().unwrap();
    eventually("a lease is granted", || limiter.try_acquire(Cost::new().tokens(1)).is_ok());
    (proxy, limiter)
}

fn is_held<T>(result: Result<T, AcquireError>) -> bool {
    matches!(result, Err(AcquireError::Held { .. }))
}

#[test]
fn a_hold_stops_a_process_whose_batches_do_not_reach_the_server() {
    let server = RedisServer::start();
    let one = limiter(Redis::new(server.url()));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    let (proxy, other) = cut_off(&server, Redis::new);
    proxy.freeze_requests();
    one.hold(secs(300), "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("a call is stopped", || is_held(other.try_acquire(Cost::new())));
    let own = RateLimiter::builder().requests(Rate::per_second(1_000_000)).build().unwrap();
    assert!(is_held(Stack::of((&own, &other)).try_acquire(Cost::new())));
    assert!(is_held(other.acquire(Cost::new()).timeout(secs(1)).blocking()));
    let hold = other.status().unwrap().hold.unwrap();
    assert!(hold.ends_in > secs(250) && !hold.is_exhausted, "{hold:?}");
    assert_eq!(&*hold.reason, "another process that shares the limits holds its calls");
    // Its replies say the same, and when it ends.
    proxy.resume();
    other.flush(secs(20)).blocking().unwrap();
    assert!(other.status().unwrap().hold.is_some());
    one.release().unwrap();
    one.flush(secs(20)).blocking().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    drop(other.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
}

#[test]
fn a_hold_of_one_limit_stops_the_calls_of_such_a_process_that_take_from_it() {
    let server = RedisServer::start();
    let one = limiter(Redis::new(server.url()));
    let permit = one.acquire(Cost::new().tokens(1)).blocking().unwrap();
    let (proxy, other) = cut_off(&server, Redis::new);
    proxy.freeze_requests();
    let body = br#"{"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 6000000, Used 6000000, Requested 60. Please try again in 300s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    permit.refused(Observation::new(429).body(body));
    one.flush(secs(20)).blocking().unwrap();
    eventually("it is announced", || other.status().unwrap().limits[1].hold.is_some());
    assert!(other.try_acquire(Cost::new().tokens(1)).is_err());
    let status = other.status().unwrap();
    assert!(status.hold.is_none() && status.limits[0].hold.is_none(), "{status}");
}

#[test]
fn a_quota_that_is_used_up_stops_such_a_process() {
    let server = RedisServer::start();
    let one = limiter(Redis::new(server.url()));
    let permit = one.acquire(Cost::new()).blocking().unwrap();
    let (proxy, other) = cut_off(&server, Redis::new);
    proxy.freeze_requests();
    let body = br#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#;
    permit.refused(Observation::new(429).body(body));
    one.flush(secs(20)).blocking().unwrap();
    eventually("a call is refused", || {
        matches!(other.try_acquire(Cost::new()), Err(AcquireError::Exhausted { .. }))
    });
}

#[test]
fn a_hold_stops_only_the_limiters_of_its_name_on_its_server() {
    let [server, elsewhere] = [RedisServer::start(), RedisServer::start()];
    let one = limiter(Redis::new(server.url()));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    let (_proxy, other) = cut_off(&server, Redis::new);
    let (_proxy_elsewhere, untouched) = cut_off(&elsewhere, Redis::new);
    let (_proxy_prefix, of_prefix) = cut_off(&server, |url| Redis::new(url).prefix("other"));
    one.hold(secs(300), "429").unwrap();
    eventually("a call is stopped", || is_held(other.try_acquire(Cost::new())));
    for limiter in [&untouched, &of_prefix] {
        assert!(limiter.status().unwrap().hold.is_none());
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    }
}

#[test]
fn a_hold_stops_no_limiter_of_its_name_in_another_database() {
    let server = RedisServer::start();
    let one = limiter(Redis::new(server.url()));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    let (same, stopped) = cut_off(&server, Redis::new);
    let (other, goes_on) = cut_off(&server, |url| Redis::new(url + "/1"));
    for proxy in [&same, &other] {
        proxy.freeze_requests();
    }
    one.hold(secs(300), "429").unwrap();
    eventually("a call is stopped", || is_held(stopped.try_acquire(Cost::new())));
    // A message comes to one connection at nearly the time that it comes to another.
    for _ in 0..10 {
        thread::sleep(Duration::from_millis(10));
        drop(goes_on.try_acquire(Cost::new()).unwrap());
    }
}

#[test]
fn without_the_right_to_hear_of_holds_a_process_learns_of_them_with_its_next_reply() {
    for right in ["-subscribe", "-publish", "-hello", "resetchannels"] {
        let server = RedisServer::builder().user("ann", "secret", "~* &* +@all").start();
        server.cli::<()>(&format!("ACL SETUSER ann {right}"));
        let [one, other] = [(); 2].map(|()| limiter(Redis::new(server.url())));
        for limiter in [&one, &other] {
            drop(limiter.acquire(Cost::new()).blocking().unwrap());
        }
        one.hold(secs(300), "429").unwrap();
        one.flush(secs(20)).blocking().unwrap();
        other.flush(secs(20)).blocking().unwrap();
        assert!(other.status().unwrap().hold.is_some(), "{right}");
    }
}

#[test]
fn announcements_are_heard_again_after_a_new_connection() {
    let server = RedisServer::start();
    let one = limiter(Redis::new(server.url()));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    let (proxy, other) = cut_off(&server, Redis::new);
    proxy.cut();
    other.flush(secs(20)).blocking().unwrap();
    eventually("a lease is granted", || other.try_acquire(Cost::new()).is_ok());
    proxy.freeze_requests();
    one.hold(secs(300), "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("a call is stopped", || is_held(other.try_acquire(Cost::new())));
}

#[test]
fn announcements_are_heard_although_the_server_was_away_when_the_connection_was_opened() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let redis = Redis::new(server.url_at(proxy.address())).timeout(secs(2));
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(redis);
    let limiter = limiter.build().unwrap();
    proxy.freeze_replies();
    let call = Call::start(limiter.acquire(Cost::new()));
    eventually("it gives the first attempt up", || proxy.accepted() > 1);
    proxy.resume();
    eventually("it listens", || publish(&server, b"") > 0);
    drop(call);
}

/// Publishes a message on the channel, and returns how many connections listen.
fn publish(server: &RedisServer, message: &[u8]) -> u64 {
    let mut command = redis::cmd("PUBLISH");
    command.arg("openlimit:holds").arg(message);
    server.query(&command)
}

#[test]
fn any_number_of_announcements_may_come_while_a_reply_is_late() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let redis = Redis::new(server.url_at(proxy.address())).timeout(secs(60));
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(redis);
    let limiter = limiter.build().unwrap();
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    eventually("it listens", || publish(&server, b"") > 0);
    proxy.freeze_requests();
    thread::scope(|scope| {
        let call = scope.spawn(|| limiter.acquire(Cost::new()).timeout(secs(20)).blocking());
        // Its batch is on its way soon after that.
        eventually("the call waits", || limiter.status().unwrap().waiting > 0);
        thread::sleep(Duration::from_millis(50));
        for _ in 0..20 {
            publish(&server, &[b'x'; 10_000]);
        }
        eventually("all are there", || proxy.bytes()[1] > 200_000);
        proxy.resume();
        drop(call.join().unwrap().unwrap());
    });
}

#[test]
fn what_is_no_announcement_is_not_heard() {
    let server = RedisServer::start();
    let limiter = limiter(Redis::new(server.url()));
    let take = || limiter.acquire(Cost::new()).timeout(secs(20)).blocking().map(drop);
    take().unwrap();
    let publish = |message: &[u8]| {
        eventually("it listens", || publish(&server, message) > 0);
    };
    let message = |numbers: &[f64]| {
        let numbers: Vec<_> = numbers.iter().map(|number| number.to_le_bytes()).collect();
        [numbers.as_flattened(), b"openlimit:{chat}"].concat()
    };
    let (epoch, late, hour) = (epoch(&server, &limiter), server.time_us() as f64 * 2.0, 3.6e12);
    for numbers in [
        &[][..],
        &[1.0],
        // Of other limits, of too many, and of none.
        &[1.0, late, epoch, hour, 0.0, 0.0],
        &[1e15, late, epoch, hour, 0.0, 0.0],
        &[0.0, late, epoch, hour, 0.0],
        // No numbers.
        &[2.0, late, epoch, f64::NAN, 0.0, 0.0, 0.0],
        &[2.0, late, epoch, f64::INFINITY, 0.0, 0.0, 0.0],
        &[2.0, late, epoch, -1.0, 0.0, 0.0, 0.0],
        // It was decided before the last reply.
        &[2.0, 1.0, epoch, hour, 0.0, 0.0, 0.0],
        // It is about other data.
        &[2.0, late, epoch - 1.0, hour, 0.0, 0.0, 0.0],
    ] {
        publish(&message(numbers));
    }
    publish(&vec![b'x'; 60_000]);
    publish(b"");
    limiter.flush(secs(20)).blocking().unwrap();
    assert!(limiter.status().unwrap().hold.is_none());
    take().unwrap();
    publish(&message(&[2.0, late, epoch, hour, 0.0, 0.0, 0.0]));
    eventually("one that is right is heard", || limiter.status().unwrap().hold.is_some());
}

/// Returns when the state of the limiter began, as an announcement says.
fn epoch(server: &RedisServer, limiter: &RateLimiter) -> f64 {
    let mut connection = server.connect().unwrap();
    let mut channel = connection.as_pubsub();
    channel.subscribe("openlimit:holds").unwrap();
    limiter.hold(secs(300), "429").unwrap();
    let message = channel.get_message().unwrap();
    limiter.release().unwrap();
    limiter.flush(secs(20)).blocking().unwrap();
    f64::from_le_bytes(message.get_payload_bytes()[16..24].try_into().unwrap())
}

#[test]
fn a_hold_is_announced_across_a_cluster() {
    let cluster = Cluster::start();
    for node in cluster.nodes() {
        node.cli::<()>("ACL SETUSER ann on >secret ~* &* +@all");
    }
    let redis = |login: &str| {
        Redis::cluster(cluster.addresses().into_iter().map(|address| format!("redis://{login}{address}")))
    };
    let [one, other] = ["", "ann:secret@"].map(|login| limiter(redis(login)));
    for limiter in [&one, &other] {
        drop(limiter.acquire(Cost::new()).blocking().unwrap());
    }
    other.flush(secs(20)).blocking().unwrap();
    // No batch of the other one is decided any more.
    for node in cluster.nodes() {
        node.cli::<()>("ACL SETUSER ann -eval -evalsha");
    }
    one.hold(secs(300), "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("it is announced", || other.status().unwrap().hold.is_some());
}
