//! `reserve`: a part of every rate is kept for a priority, by all processes together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::{
    AcquireError, BuildProblem, Builder, Cost, Counting, Keyed, Limit, OnOutage, Percent, Permit, Priority,
    Rate, RateLimiter, Redis, Stack, StoreProblem, kind,
};
use openlimit_tests::redis::{Proxy, RedisServer};
use openlimit_tests::{eventually, millis, secs};

use Priority::{High, Low, Normal};

const FIFTH: (Priority, Percent) = (High, Percent(20));

/// A hundred at once, and one more in a quarter of an hour: nothing leaks during a test.
const SLOW: Rate = Rate::per_day(100);

fn builder(server: &RedisServer) -> Builder<kind::Explicit> {
    RateLimiter::builder().name("chat").headroom(Percent(0)).redis(server.url())
}

fn limiter(server: &RedisServer) -> RateLimiter {
    builder(server).requests(SLOW).jitter(secs(0)).reserve(FIFTH).build().unwrap()
}

fn take(limiter: &RateLimiter, requests: u64, priority: Priority) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().requests(requests)).priority(priority).timeout(secs(20)).blocking()
}

/// Takes calls of one, until one would have to wait for minutes. Returns their number.
fn take_all(limiter: &RateLimiter, priority: Priority) -> usize {
    (0..).find(|_| take(limiter, 1, priority).is_err()).unwrap()
}

fn flush(limiter: &RateLimiter) {
    limiter.flush(secs(20)).blocking().unwrap();
}

#[test]
fn lower_calls_of_all_processes_take_their_share_and_high_ones_of_any_take_the_rest() {
    let server = RedisServer::start();
    let [one, other] = [limiter(&server), limiter(&server)];
    drop(take(&one, 50, Low).unwrap());
    // What fits beside the least jitter of a shared limiter.
    let lower = take_all(&other, Normal);
    assert!((29..=30).contains(&lower), "{lower}");
    for limiter in [&one, &other] {
        let refusal = take(limiter, 1, Low).unwrap_err();
        assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    }
    drop(take(&one, 10, High).unwrap());
    let high = take_all(&other, High);
    assert!((9..=11).contains(&high), "{high}");
    assert_eq!(one.status().unwrap().limits.len(), 1);
}

#[test]
fn high_calls_alone_may_take_everything() {
    let server = RedisServer::start();
    let limiter = limiter(&server);
    drop(take(&limiter, 99, High).unwrap());
    assert!(take(&limiter, 5, High).is_err());
}

#[test]
fn what_a_lower_call_gives_back_is_of_use_to_lower_calls_of_other_processes() {
    let server = RedisServer::start();
    let [one, other] = [limiter(&server), limiter(&server)];
    let permit = take(&one, 79, Low).unwrap();
    assert!(take(&other, 40, Low).is_err());
    permit.cancel();
    [&one, &other].into_iter().for_each(flush);
    drop(take(&other, 40, Low).unwrap());
    // What a call used beyond its reservation is taken from its share, too.
    take(&one, 1, Low).unwrap().settle_so_far(openlimit::Usage::default().with("requests", 30));
    [&one, &other].into_iter().for_each(flush);
    assert!(take(&other, 20, Low).is_err());
    drop(take(&other, 20, High).unwrap());
}

#[test]
fn high_calls_do_not_wait_for_lower_ones_that_wait_for_their_share() {
    let server = RedisServer::start();
    let limiter = || {
        let builder = builder(&server).requests(Rate::per_second(100)).reserve(FIFTH);
        builder.build().unwrap()
    };
    let [one, other] = [limiter(), limiter()];
    let start = Instant::now();
    thread::scope(|scope| {
        for limiter in [&one, &other] {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..40 {
                        drop(
                            limiter.acquire(Cost::new()).priority(Low).timeout(secs(60)).blocking().unwrap(),
                        );
                    }
                });
            }
        }
        thread::sleep(millis(500));
        let mut waits = Vec::new();
        for step in 0..20 {
            let permit = take([&one, &other][step % 2], 1, High).unwrap();
            waits.push(permit.waited());
            thread::sleep(millis(60));
        }
        // Behind the lower calls it would be three seconds.
        waits.sort_unstable();
        assert!(waits[10] <= secs(1), "{waits:?}");
    });
    // 320 lower calls, of which 80 and 80 a second may go.
    assert!(start.elapsed() >= millis(2_900), "{:?}", start.elapsed());
}

#[test]
fn a_lower_call_does_not_go_before_a_high_one_that_arrived_first() {
    let server = RedisServer::start();
    let builder = builder(&server).requests(Rate::per_second(1_000)).tokens(Rate::per_second(100));
    let limiter = builder.reserve(FIFTH).build().unwrap();
    drop(limiter.acquire(Cost::new().tokens(90)).priority(High).blocking().unwrap());
    thread::scope(|scope| {
        // It waits for tokens, which the lower one does not need.
        let high = scope.spawn(|| {
            let start = Instant::now();
            let call = limiter.acquire(Cost::new().tokens(60)).priority(High).timeout(secs(20));
            start + call.blocking().unwrap().waited()
        });
        eventually("the high call waits", || limiter.status().unwrap().waiting == 1);
        drop(take(&limiter, 1, Low).unwrap());
        let low = Instant::now();
        let high = high.join().unwrap();
        // Round trips differ a little.
        assert!(low + millis(20) >= high, "{:?} earlier", high - low);
    });
}

#[test]
fn a_limiter_that_reserves_another_part_under_the_same_name_is_told() {
    let server = RedisServer::start();
    drop(take(&limiter(&server), 1, High).unwrap());
    let with = |reserve| builder(&server).requests(SLOW).reserve(reserve).build().unwrap();
    let theirs = "100 requests / day (burst 86400s); reserve 20 % for high";
    for (other, ours) in [
        (with((High, Percent(30))), "100 requests / day (burst 86400s); reserve 30 % for high"),
        (with((Normal, Percent(20))), "100 requests / day (burst 86400s); reserve 20 % for normal"),
        (builder(&server).requests(SLOW).build().unwrap(), "100 requests / day (burst 86400s)"),
    ] {
        let refusal = take(&other, 1, High).unwrap_err();
        let AcquireError::Store { error, .. } = &refusal else { panic!("{refusal}") };
        let StoreProblem::OtherLimits { theirs: told, ours: own, .. } = error.problem() else {
            panic!("{refusal}")
        };
        assert_eq!([told, own], [theirs, ours]);
    }
}

#[test]
fn an_update_keeps_the_part_and_reaches_other_processes() {
    let server = RedisServer::start();
    let [one, other] = [limiter(&server), limiter(&server)];
    drop(take(&other, 40, Low).unwrap());
    one.update(|limits| limits.requests(Rate::per_day(1_000))).unwrap();
    [&one, &other].into_iter().for_each(flush);
    // Half of the share was taken, and stays so.
    drop(take(&other, 380, Low).unwrap());
    assert!(take(&other, 50, Low).is_err());
    assert_eq!(other.status().unwrap().limits[0].limit.to_string(), "1000 requests / day");
    assert_eq!(one.status().unwrap().store.unwrap().updates, 1);
    drop(take(&one, 190, High).unwrap());
}

#[test]
fn a_reset_empties_the_share_too() {
    let server = RedisServer::start();
    let [one, other] = [limiter(&server), limiter(&server)];
    drop(take(&other, 79, Low).unwrap());
    one.reset().unwrap();
    [&one, &other].into_iter().for_each(flush);
    drop(take(&other, 70, Low).unwrap());
}

#[test]
fn leases_of_lower_calls_take_from_their_share_and_those_of_high_calls_do_not() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).lease(secs(8_640));
    let limiter = builder(&server).requests(SLOW).reserve(FIFTH).redis(redis).build().unwrap();
    drop(take(&limiter, 70, Low).unwrap());
    // A lease of ten, in which the share has room for eight.
    eventually("a lease is there", || limiter.try_acquire(Cost::new()).is_ok());
    assert!(take_all(&limiter, Low) <= 9);
    drop(take(&limiter, 15, High).unwrap());
}

#[test]
fn during_an_outage_a_process_shares_its_own_part_in_the_same_way() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let redis = Redis::new(server.url_at(proxy.address())).timeout(secs(2));
    let redis = redis.on_outage(OnOutage::Local(Percent(50)));
    let limiter = builder(&server).requests(SLOW).reserve(FIFTH).redis(redis).build().unwrap();
    drop(take(&limiter, 20, Low).unwrap());
    proxy.refuse();
    proxy.cut();
    // Half of the limit is 50, of which the share is 40, of which half of what was taken is gone.
    let lower = take_all(&limiter, Low);
    assert!((28..=31).contains(&lower), "{lower}");
    let high = take_all(&limiter, High);
    assert!((9..=11).contains(&high), "{high}");
    // The process owes what it took, from the share as well.
    proxy.resume();
    flush(&limiter);
    let other = self::limiter(&server);
    assert!(take(&other, 32, Low).is_err());
    drop(take(&other, 25, Low).unwrap());
}

#[test]
fn each_key_has_a_share_of_its_own() {
    let server = RedisServer::start();
    let builder = builder(&server).requests(SLOW).reserve(FIFTH);
    let tenants: Keyed<String, RateLimiter> =
        builder.keyed::<String>().key_name(String::clone).build().unwrap();
    for tenant in ["anna", "bert"] {
        let limiter = tenants.of(&tenant.to_owned());
        drop(take(&limiter, 79, Low).unwrap());
        assert!(take(&limiter, 3, Low).is_err());
        drop(take(&limiter, 15, High).unwrap());
    }
}

#[test]
fn stacked_calls_take_their_share_of_a_shared_limiter() {
    let server = RedisServer::start();
    let (tenant, account) =
        (RateLimiter::builder().requests(Rate::per_day(1_000)).build().unwrap(), limiter(&server));
    let call = |requests, priority| {
        let stack = Stack::of((&tenant, &account));
        stack.acquire(Cost::new().requests(requests)).priority(priority).timeout(secs(20)).blocking()
    };
    drop(call(79, Low).unwrap());
    assert!(call(3, Low).is_err());
    drop(call(15, High).unwrap());
}

#[test]
fn windows_keep_a_part_too() {
    let server = RedisServer::start();
    let rate = Rate::per_hour(100).burst(Duration::from_secs(1_800));
    let builder = || builder(&server).requests(rate).counting(Counting::InWindows).reserve(FIFTH);
    let [one, other] = [builder().build().unwrap(), builder().build().unwrap()];
    // Of 50 that may go at once, the share is 40.
    let lower = take_all(&one, Low);
    assert!((38..=40).contains(&lower), "{lower}");
    let high = take_all(&other, High);
    assert!((9..=12).contains(&high), "{high}");
}

#[test]
fn eight_limits_can_be_shared_with_a_reserve_and_no_more() {
    let server = RedisServer::start();
    const NAMES: [&str; 9] = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
    let with = |count: usize| {
        let limits = NAMES[..count].iter().map(|name| Limit::new(*name, Rate::per_day(100)));
        limits.fold(builder(&server), Builder::limit).reserve(FIFTH).build()
    };
    let cost = NAMES[..8].iter().fold(Cost::new(), |cost, name| cost.with(*name, 50));
    let limiter = with(8).unwrap();
    let take = |priority| limiter.acquire(cost.clone()).priority(priority).timeout(secs(20)).blocking();
    drop(take(Low).unwrap());
    assert!(take(Low).is_err());
    drop(limiter.acquire(Cost::new().with("h", 20)).priority(Low).timeout(secs(20)).blocking().unwrap());
    let error = with(9).unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::TooManyShared { limits: 9, most: 8 }), "{error}");
    let expected = "it has 9 limits, and at most 8 can be shared through redis with a `reserve`";
    assert!(error.to_string().contains(expected), "{error}");
}
