//! Stacks of limiters that are shared through Redis, and of these and others in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Percent, Rate, RateLimiter, Stack};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, millis, secs};

/// A limiter of some tokens a second, with a burst of 0.1 s.
fn limiter(server: Option<&RedisServer>, name: &str, amount: u64) -> RateLimiter {
    let builder = RateLimiter::builder().name(name).tokens(Rate::per_second(amount)).headroom(Percent(0));
    let builder = builder.burst(millis(100));
    match server {
        Some(server) => builder.redis(server.url()).build().unwrap(),
        None => builder.build().unwrap(),
    }
}

/// Lets eight threads call for two seconds, one token each. Returns the calls and the time.
fn calls(stacks: [(&RateLimiter, &RateLimiter); 2]) -> (u64, Duration) {
    let start = Instant::now();
    let admitted = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                let (inner, outer) = stacks[thread % 2];
                scope.spawn(move || {
                    let mut calls = 0;
                    while start.elapsed() < secs(2) {
                        drop(Stack::of((inner, outer)).acquire(1).timeout(secs(20)).blocking().unwrap());
                        calls += 1;
                    }
                    calls
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    (admitted, start.elapsed())
}

fn keeps_and_gets_on(account: u64, (admitted, time): (u64, Duration)) {
    let most = account as f64 * (time.as_secs_f64() + 0.1) + 1.0;
    assert!(admitted as f64 <= most, "{admitted} of {most}");
    // More than the burst: calls that wait get on. How many depends on the machine.
    assert!(admitted as f64 >= 0.1 * most + 1.0, "{admitted} of {most}");
}

#[test]
fn stacks_of_shared_limiters_keep_the_limit_and_get_on() {
    let server = RedisServer::start();
    let tenants = ["one", "two"].map(|name| limiter(Some(&server), name, 5_000));
    let account = limiter(Some(&server), "account", 200);
    keeps_and_gets_on(200, calls([(&tenants[0], &account), (&tenants[1], &account)]));
}

#[test]
fn shared_and_unshared_limiters_mix_in_any_order() {
    let server = RedisServer::start();
    let (shared, unshared) = (limiter(Some(&server), "shared", 5_000), limiter(None, "unshared", 5_000));
    let account = limiter(None, "account", 200);
    keeps_and_gets_on(200, calls([(&shared, &account), (&unshared, &account)]));
    let account = limiter(Some(&server), "account", 200);
    keeps_and_gets_on(200, calls([(&unshared, &account), (&shared, &account)]));
}

#[test]
fn a_call_whose_slot_expires_while_it_waits_elsewhere_asks_again() {
    let server = RedisServer::start();
    let (tenant, account) = (limiter(Some(&server), "tenant", 100), limiter(None, "account", 10));
    let taken = account.acquire(1).blocking().unwrap();
    taken.settle(10);
    // It waits for the account for far longer than a slot of the tenant lasts.
    let permit = Stack::of((&tenant, &account)).acquire(1).blocking().unwrap();
    assert!(permit.waited() > millis(500), "{:?}", permit.waited());
    permit.cancel();
    tenant.flush(secs(20)).blocking().unwrap();
    eventually("everything is given back", || {
        let _ = tenant.flush(secs(20)).blocking();
        tenant.status().unwrap().limits[0].full_in.is_zero()
    });
}

#[test]
fn a_dropped_call_gives_its_slots_back() {
    let server = RedisServer::start();
    let (tenant, account) = (limiter(Some(&server), "tenant", 100), limiter(None, "account", 10));
    account.acquire(1).blocking().unwrap().settle(100);
    let stack = Stack::of((&tenant, &account));
    let refusal = stack.acquire(1).timeout(millis(300)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(millis(200), stack.acquire(1)).await.unwrap_err();
    });
    assert_eq!((tenant.status().unwrap().waiting, account.status().unwrap().waiting), (0, 0));
    drop(tenant.acquire(10).timeout(secs(5)).blocking().unwrap());
}
