//! Stacks of limiters that are shared through Redis, and of these and others in memory.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::Instant;

use openlimit::{AcquireError, Percent, Rate, RateLimiter, Stack};
use openlimit_tests::redis::{Proxy, RedisServer};
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

/// Lets eight threads make 25 calls each, of one token. Asserts that all are admitted, and that
/// they stay within the account's limit of 200 tokens a second, of which 20 may be taken at once.
fn keep_the_limit_and_get_on(stacks: [(&RateLimiter, &RateLimiter); 2]) {
    let start = Instant::now();
    thread::scope(|scope| {
        for thread in 0..8 {
            let (inner, outer) = stacks[thread % 2];
            scope.spawn(move || {
                for _ in 0..25 {
                    drop(Stack::of((inner, outer)).acquire(1).timeout(secs(60)).blocking().unwrap());
                }
            });
        }
    });
    // How much longer it takes depends on the machine.
    let least = secs(1) * (200 - 20 - 1) / 200;
    assert!(start.elapsed() >= least, "200 calls took {:?}, less than {least:?}", start.elapsed());
}

#[test]
fn stacks_of_shared_limiters_keep_the_limit_and_get_on() {
    let server = RedisServer::start();
    let tenants = ["one", "two"].map(|name| limiter(Some(&server), name, 5_000));
    let account = limiter(Some(&server), "account", 200);
    keep_the_limit_and_get_on([(&tenants[0], &account), (&tenants[1], &account)]);
}

#[test]
fn shared_and_unshared_limiters_mix_in_any_order() {
    let server = RedisServer::start();
    let (shared, unshared) = (limiter(Some(&server), "shared", 5_000), limiter(None, "unshared", 5_000));
    let account = limiter(None, "account", 200);
    keep_the_limit_and_get_on([(&shared, &account), (&unshared, &account)]);
    let account = limiter(Some(&server), "account", 200);
    keep_the_limit_and_get_on([(&unshared, &account), (&shared, &account)]);
}

#[test]
fn a_call_whose_slot_expires_while_it_waits_elsewhere_asks_again() {
    let server = RedisServer::start();
    let (tenant, account) = (limiter(Some(&server), "tenant", 100), limiter(None, "account", 10));
    let start = Instant::now();
    account.acquire(1).blocking().unwrap().settle(10);
    // It waits for the account for far longer than a slot of the tenant lasts.
    let permit = Stack::of((&tenant, &account)).acquire(1).timeout(secs(60)).blocking().unwrap();
    assert!(start.elapsed() >= millis(900), "{:?}", start.elapsed());
    permit.cancel();
    tenant.flush(secs(20)).blocking().unwrap();
    eventually("everything is given back", || {
        let _ = tenant.flush(secs(20)).blocking();
        tenant.status().unwrap().limits[0].full_in.is_zero()
    });
}

#[test]
fn a_call_departs_although_a_round_trip_takes_longer_than_a_slot_lasts() {
    let server = RedisServer::start();
    // A slot lasts for half of the jitter: 25 ms.
    let proxy = Proxy::to(server.address());
    proxy.delay(millis(30));
    let limiter = |name: &str, rate: Rate| {
        let builder = RateLimiter::builder().name(name).tokens(rate);
        builder.redis(server.url_at(proxy.address())).build().unwrap()
    };
    let [one, two, three] = ["one", "two", "three"].map(|name| limiter(name, Rate::per_second(100)));
    let (one, two, three) = (&one, &two, &three);
    drop(Stack::of((one, two)).acquire(1).timeout(secs(20)).blocking().unwrap());
    let call = || drop(Stack::of((one, two, three)).acquire(1).timeout(secs(60)).blocking().unwrap());
    thread::scope(|scope| (0..4).for_each(|_| _ = scope.spawn(call)));
    // Where it waits for its turn in the first one, for longer than other calls wait for it.
    let scarce = limiter("scarce", Rate::per_second(4).burst(millis(250)));
    for _ in 0..3 {
        drop(Stack::of((&scarce, two)).acquire(1).timeout(secs(20)).blocking().unwrap());
    }
    // Where such a call is also as large as the burst, and the limiter rests before each of them.
    proxy.delay(millis(50));
    let rare = limiter("rare", Rate::per_second(4).burst(millis(250)));
    for _ in 0..5 {
        drop(Stack::of((two, &rare)).acquire(1).timeout(secs(20)).blocking().unwrap());
    }
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
    drop(tenant.acquire(10).timeout(secs(60)).blocking().unwrap());
}
