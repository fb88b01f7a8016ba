//! Limiters for each key that are shared: each key has limits of its own, the same in all
//! processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use openlimit::{
    AcquireError, BuildProblem, Cost, KeyLimits, Keyed, PerKey, Percent, Permit, Rate, RateLimiter, Redis,
    StoreProblem,
};
use openlimit_tests::redis::{Proxy, RedisServer, Worker, worker};
use openlimit_tests::{eventually, millis, secs};
use tokio::runtime;

type Tenants = Keyed<String, RateLimiter>;

/// Longer than any call waits, however busy the machine is.
const NEVER: Duration = Duration::from_secs(20);

/// A hundred at once, and one more in a quarter of an hour: nothing leaks during a test.
const SLOW: Rate = Rate::per_day(100);

type Builder = openlimit::Builder<openlimit::kind::Explicit, PerKey<String>>;

fn builder(redis: &Redis) -> Builder {
    let limiter = RateLimiter::builder().name("tenants").requests(SLOW).headroom(Percent(0));
    limiter.redis(redis.clone()).keyed::<String>().key_name(String::clone)
}

fn tenants(redis: &Redis) -> Tenants {
    builder(redis).build().unwrap()
}

fn server() -> (RedisServer, Redis) {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).timeout(NEVER);
    (server, redis)
}

fn take(limiter: &RateLimiter, requests: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().requests(requests)).timeout(secs(15)).blocking()
}

/// Takes one after the other until one would wait for minutes. Returns their number.
fn take_all(limiter: &RateLimiter) -> u64 {
    (0..).find(|_| take(limiter, 1).is_err()).unwrap()
}

#[test]
#[ignore = "the body of a worker"]
fn worker() {
    let Some(job) = worker::job() else { return };
    let tenants = tenants(&Redis::new(job.arg(0)).timeout(NEVER));
    worker::say(take_all(&tenants.of("anna")));
}

#[test]
fn processes_share_the_limit_of_each_key_and_no_key_takes_from_another() {
    let (server, redis) = server();
    let here = tenants(&redis);
    let workers = [(); 2].map(|()| Worker::start("redis::keyed::worker", &[&server.url()]));
    let taken = take_all(&here.of("anna"));
    let others: u64 = workers.into_iter().map(|worker| worker.finish()[0].parse::<u64>().unwrap()).sum();
    assert_eq!(taken + others, 100);
    let elsewhere = tenants(&redis);
    assert!(take(&elsewhere.of("anna"), 1).is_err());
    assert!(take(&elsewhere.of("berta"), 60).is_ok());
    assert!(take(&here.of("berta"), 60).is_err());
    assert!(take(&here.of("berta"), 40).is_ok());
}

#[test]
fn the_limits_of_a_key_are_part_of_its_identity() {
    let (_server, redis) = server();
    let limits = |key: &String, limits: KeyLimits| match key.as_str() {
        "anna" => limits.requests(Rate::per_day(7)),
        _ => limits,
    };
    let (same, other) = (tenants(&redis), builder(&redis).limits(limits).build().unwrap());
    drop(take(&same.of("anna"), 1).unwrap());
    match take(&other.of("anna"), 1) {
        Err(AcquireError::Store { error, .. }) => match error.problem() {
            StoreProblem::OtherLimits { key, .. } => assert_eq!(key, "openlimit:{tenants=anna}"),
            problem => panic!("{problem}"),
        },
        other => panic!("{other:?}"),
    }
    assert!(take(&other.of("berta"), 60).is_ok());
    assert!(take(&same.of("berta"), 60).is_err());
    // Keys of one tier share what is made of it, but not their buckets.
    let all = |_: &String, limits: KeyLimits| limits.requests(Rate::per_day(7));
    let tier = builder(&redis).limits(all).build().unwrap();
    for key in ["carla", "dora"] {
        assert_eq!(take_all(&tier.of(key)), 7, "{key}");
    }
}

#[test]
fn hostile_keys_meet_no_other_key_and_no_other_limiter() {
    let (server, redis) = server();
    let long = "x".repeat(1 << 20);
    let keys = [
        "anna".to_owned(),
        String::new(),
        "anna}".to_owned(),
        "{anna}".to_owned(),
        "anna}:c:0".to_owned(),
        "anna\0\r\n$5\r\n".to_owned(),
        "anna%7d".to_owned(),
        "=anna".to_owned(),
        "*".to_owned(),
        "\u{202e}\u{1f600}".to_owned(),
        long.clone() + "a",
        long + "b",
    ];
    let tenants = tenants(&redis);
    for key in &keys {
        assert!(take(&tenants.of(key), 100).is_ok(), "{:?}", &key[..key.len().min(40)]);
        assert!(take(&tenants.of(key), 1).is_err(), "{:?}", &key[..key.len().min(40)]);
    }
    for name in ["tenants", "tenants=anna", "tenants=", "anna"] {
        let limiter = RateLimiter::builder().name(name).requests(SLOW).headroom(Percent(0));
        assert!(take(&limiter.redis(redis.clone()).build().unwrap(), 100).is_ok(), "{name}");
    }
    let stored = server.keys();
    assert!(stored.iter().all(|key| key.starts_with("openlimit:{") && key.len() < 250), "{stored:?}");
    let tags: BTreeSet<_> = stored.iter().map(|key| &key[..=key.find('}').unwrap()]).collect();
    assert_eq!(tags.len(), keys.len() + 4);
}

#[test]
fn a_thousand_keys_use_one_connection_and_one_thread() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let tenants = tenants(&Redis::new(server.url_at(proxy.address())).timeout(NEVER));
    let limiters: Vec<_> = (0..1_000).map(|key| tenants.of(&key.to_string())).collect();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for _ in 0..3 {
        let calls = limiters.iter().map(|limiter| limiter.acquire(Cost::new()).timeout(NEVER));
        runtime.block_on(join_all(calls)).into_iter().for_each(|call| drop(call.unwrap()));
    }
    assert_eq!((proxy.accepted(), server.client_ids().len()), (1, 1));
    if let Ok(tasks) = std::fs::read_dir("/proc/self/task") {
        let names = tasks.flatten().filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok());
        assert_eq!(names.filter(|name| name.trim() == "openlimit-redis").count(), 1);
    }
    // All of them are flushed within one timeout.
    let spent: Vec<_> = limiters.iter().map(|limiter| take(limiter, 97).unwrap()).collect();
    spent.into_iter().for_each(Permit::cancel);
    tenants.flush(NEVER).blocking().unwrap();
    let elsewhere = self::tenants(&Redis::new(server.url()).timeout(NEVER));
    for key in (0..1_000).step_by(100) {
        assert!(take(&elsewhere.of(&key.to_string()), 97).is_ok(), "{key}");
        assert!(take(&elsewhere.of(&key.to_string()), 1).is_err(), "{key}");
    }
    drop((limiters, tenants));
    eventually("the connection to close", || proxy.open() == 0);
}

#[test]
fn a_key_stays_while_its_call_can_be_settled_and_while_it_owes() {
    let (_server, redis) = server();
    let tenants = builder(&redis).max_keys(1).build().unwrap();
    let stays = || assert!(matches!(take(&tenants.of("berta"), 1), Err(AcquireError::TooManyKeys { .. })));
    let permit = take(&tenants.of("anna"), 100).unwrap();
    tenants.flush(NEVER).blocking().unwrap();
    stays();
    drop(permit);
    tenants.flush(NEVER).blocking().unwrap();
    stays();
    assert!(take(&tenants.of("anna"), 1).is_err());
}

#[test]
fn a_key_of_which_all_was_given_back_makes_room_for_another_one() {
    let (_server, redis) = server();
    let tenants = builder(&redis).max_keys(1).build().unwrap();
    let elsewhere = self::tenants(&redis);
    let borrow = |limiter: &RateLimiter| take(limiter, 100).map(Permit::cancel).is_ok();
    for key in ["anna", "berta", "carla", "anna"] {
        eventually("the key before it to be forgotten", || borrow(&tenants.of(key)));
        assert_eq!(tenants.len(), 1);
        eventually("all of it to be given back", || borrow(&elsewhere.of(key)));
    }
}

#[test]
fn a_lease_keeps_its_key_until_it_is_given_back() {
    let (_server, redis) = server();
    // A slice of half of the limit, which ends after a quarter of a second.
    let slice = millis(250);
    let rate = Rate::per_second(200).burst(secs(1));
    let limiter = RateLimiter::builder().name("leases").requests(rate).headroom(Percent(0));
    let limiter = limiter.redis(redis.lease(slice)).keyed::<String>().key_name(String::clone);
    let tenants = limiter.max_keys(1).build().unwrap();
    drop(take(&tenants.of("anna"), 1).unwrap());
    assert!(matches!(take(&tenants.of("berta"), 1), Err(AcquireError::TooManyKeys { .. })));
    eventually("the lease to lapse", || take(&tenants.of("berta"), 1).is_ok());
}

#[test]
fn a_program_that_drops_its_limiters_gives_back_what_they_held() {
    let (_server, redis) = server();
    let tenants = tenants(&redis);
    for key in ["anna", "berta"] {
        take(&tenants.of(key), 100).unwrap().cancel();
    }
    drop(tenants);
    let elsewhere = self::tenants(&redis);
    for key in ["anna", "berta"] {
        eventually("all of it to be given back", || take(&elsewhere.of(key), 100).is_ok());
    }
}

#[test]
fn a_key_whose_text_panics_fails_alone() {
    let (_server, redis) = server();
    let tenants = builder(&redis).key_name(|key| {
        assert_ne!(key, "anna", "a test");
        key.clone()
    });
    let tenants = tenants.build().unwrap();
    let error = take(&tenants.of("anna"), 1).unwrap_err();
    assert!(
        matches!(&error, AcquireError::Build(error)
        if matches!(error.problem(), BuildProblem::KeyNamePanicked)),
        "{error}"
    );
    assert!(take(&tenants.of("berta"), 1).is_ok());
    assert_eq!(tenants.len(), 1);
}

#[test]
fn a_declared_limiter_of_each_key_can_be_shared() {
    openlimit::limiter! {
        static TENANTS: Keyed<u64, RateLimiter> = {
            requests: 100 / day,
            redis: Redis::from_env("OPENLIMIT_NO_SUCH_VARIABLE"),
            name: "tenants",
            key_name: |tenant| *tenant,
        };
        static NAMELESS: Keyed<u64, RateLimiter> = {
            requests: 100 / day, redis: "redis://localhost", name: "tenants",
        };
        static UNNAMED: Keyed<u64, RateLimiter> = {
            requests: 100 / day, redis: "redis://localhost", key_name: |tenant| *tenant,
        };
    }
    let problem = |tenants: &Keyed<u64, RateLimiter>| tenants.init().unwrap_err().problem().clone();
    assert!(matches!(problem(&TENANTS), BuildProblem::Redis(_)));
    assert!(matches!(problem(&NAMELESS), BuildProblem::NamelessKeys));
    assert!(matches!(problem(&UNNAMED), BuildProblem::SharedNameless));
}
