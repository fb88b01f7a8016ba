//! The defects that the Python library of the same name had over Redis: one test each, with its
//! number in the list of defects.

use std::time::{Duration, Instant};
use std::{iter, thread};

use futures_util::future::join_all;
use openlimit::{AcquireError, Cost, Rate, RateLimiter, Redis};
use openlimit_tests::redis::{RedisServer, quota};
use openlimit_tests::{millis, secs};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn limiter(server: &RedisServer, name: &str, rate: Rate) -> RateLimiter {
    RateLimiter::builder().name(name).requests(rate).redis(server.url()).build().expect("it is sound")
}

/// 10: a lock and its retries made this take 4.6 s.
#[test]
fn a_hundred_callers_find_a_hundred_free_slots_in_a_few_round_trips() {
    let server = RedisServer::start();
    let client = quota::client(&Redis::new(server.url()));
    let _ = quota::take(&client, 1);
    server.reset_stats();
    assert_eq!(quota::take(&client, 100).len(), 100);
    assert!(server.calls("evalsha") <= 10, "{} round trips", server.calls("evalsha"));
}

/// 11: 1 900 of 2 000 raised.
#[test]
fn two_thousand_waiters_are_all_admitted() {
    let server = RedisServer::start();
    let limiter = limiter(&server, "many", Rate::per_second(2_000));
    assert_eq!(quota::take(&limiter, 4_000).len(), 4_000);
}

/// 14: garbage raised for ever.
#[test]
fn garbage_in_the_key_is_a_clear_error_until_it_is_gone() {
    const KEY: &str = "openlimit:{garbage}";
    let server = RedisServer::start();
    let limiter = limiter(&server, "garbage", Rate::per_day(100));
    let call = || limiter.acquire(Cost::new()).timeout(secs(20)).blocking();
    let refused = || {
        let error = call().expect_err("there is garbage");
        assert!(matches!(&error, AcquireError::Store { error, .. } if !error.is_transient()), "{error}");
        server.cli::<()>(&format!("DEL {KEY}"));
        let _ = call().expect("it is gone");
        error.to_string()
    };
    for garbage in ["", "nonsense", "openlimit", "openlimit 1\n"] {
        server.query::<()>(redis::cmd("SET").arg(KEY).arg(garbage));
        assert!(refused().contains(KEY));
    }
    // At once, since the limiter may write what it gives back in between.
    let list = "redis.call('DEL', KEYS[1]) return redis.call('RPUSH', KEYS[1], 'nonsense')";
    server.query::<i64>(redis::cmd("EVAL").arg(list).arg(1).arg(KEY));
    assert!(refused().contains(KEY));
    // The beginning of a valid value.
    let state: Vec<u8> = server.cli(&format!("GET {KEY}"));
    for length in [state.len() - 1, state.len() - 60] {
        server.query::<()>(redis::cmd("SET").arg(KEY).arg(&state[..length]));
        let _ = refused();
    }
}

/// 15: a cancelled task kept the lock, and the next one waited for it.
#[test]
fn tasks_that_are_cancelled_at_any_point_take_nothing_along() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url());
    let client = quota::client(&redis);
    let _ = quota::take(&client, 50);
    runtime().block_on(async {
        for microseconds in (0..40).map(|step| step * 50) {
            let in_time = Duration::from_micros(microseconds);
            let calls = (0..5).map(|_| tokio::time::timeout(in_time, client.acquire(Cost::new())));
            for permit in join_all(calls).await.into_iter().flatten() {
                permit.expect("no error is to reach a caller").cancel();
            }
        }
    });
    quota::assert_taken(&redis, 50);
}

/// 17: a sync call raised inside a running loop, and broke in threads.
#[test]
fn sync_calls_work_in_a_running_loop_and_in_threads() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url());
    let client = quota::client(&redis);
    let call = || client.acquire(Cost::new()).blocking().expect("no error is to reach a caller");
    runtime().block_on(async {
        let _ = call();
        let _ = client.acquire(Cost::new()).await.expect("no error is to reach a caller");
    });
    thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(call)));
    quota::assert_taken(&redis, 10);
}

/// 18: a second loop found the first one's connection closed.
#[test]
fn a_second_runtime_uses_the_connection_of_the_first() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url());
    let client = quota::client(&redis);
    let connections = || server.info("stats")["total_connections_received"].parse::<u64>().expect("a number");
    let _ = quota::take(&client, 1);
    let before = connections();
    for _ in 0..5 {
        // In a runtime of its own that ends with it.
        let _ = quota::take(&client, 1);
    }
    // The check itself took one.
    assert_eq!(connections(), before + 1);
    quota::assert_taken(&redis, 6);
}

/// 19: keys never expired.
#[test]
fn every_key_expires() {
    let server = RedisServer::start();
    for (name, rate) in [("minute", Rate::per_minute(60)), ("day", Rate::per_day(1_000))] {
        let _ = limiter(&server, name, rate).acquire(Cost::new()).blocking().expect("there is room");
    }
    let keys = server.keys();
    assert_eq!(keys.len(), 4, "a state each, and a client each: {keys:?}");
    for key in keys {
        let seconds: i64 = server.query(redis::cmd("TTL").arg(&key));
        // The bucket drains within a day, and within two after a call of the whole burst.
        let least = if key == "openlimit:{day}" { 2 * 86_400 } else { 600 };
        assert!((least - 60..=least * 3).contains(&seconds), "{key} expires in {seconds} s");
    }
}

/// 19: one default key was shared by all models, and limits overwrote each other.
#[test]
fn limiters_share_a_limit_by_its_name_only() {
    let server = RedisServer::start();
    let nameless = RateLimiter::builder().requests(Rate::per_day(10)).redis(server.url()).build();
    assert!(nameless.is_err_and(|error| error.to_string().contains("name")));
    let [one, other] = ["one", "other"].map(|name| limiter(&server, name, Rate::per_day(10)));
    for limiter in iter::repeat_n([&one, &other], 9).flatten() {
        let _ = limiter.acquire(Cost::new()).timeout(secs(20)).blocking().expect("nobody else takes of it");
    }
    // A limiter with this name and another limit fails and takes nothing.
    let stranger = limiter(&server, "one", Rate::per_day(20));
    let error = stranger.acquire(Cost::new()).blocking().expect_err("it is another limit");
    assert!(
        error.to_string().contains("10 requests / day") && error.to_string().contains("20 requests / day")
    );
    let _ =
        limiter(&server, "one", Rate::per_day(10)).acquire(Cost::new()).timeout(secs(20)).blocking().unwrap();
}

/// 16: a server that is dead or frozen meant raw errors, or a hang.
#[test]
fn a_server_that_is_dead_or_frozen_is_told_of_in_time() {
    let server = RedisServer::start();
    let client = quota::client(&Redis::new(server.url()).timeout(millis(100)));
    let _ = quota::take(&client, 1);
    for frozen in [true, false] {
        if frozen {
            server.stop()
        } else {
            server.kill_9()
        }
        let start = Instant::now();
        let error = client.acquire(Cost::new()).timeout(millis(300)).blocking().expect_err("it is away");
        assert!(matches!(error, AcquireError::Store { .. }), "{error}");
        // A hang took more than half a minute.
        assert!(start.elapsed() < secs(10));
        if frozen {
            server.cont()
        } else {
            server.restart()
        }
        assert_eq!(quota::take(&client, 1).len(), 1);
    }
}
