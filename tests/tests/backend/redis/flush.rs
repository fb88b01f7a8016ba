//! `flush`: when it ends, Redis has accepted everything, or the error says why not, in time.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use openlimit::{
    AcquireError, Cost, Flush, OnOutage, Percent, Permit, Rate, RateLimiter, Redis, StoreProblem, limiter,
};
use openlimit_tests::redis::{Proxy, RedisServer, Worker, port, quota, worker};
use openlimit_tests::{Call, eventually, millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

fn limiter(redis: impl Into<Redis>) -> RateLimiter {
    RateLimiter::builder().name("chat").tokens(SLOW).redis(redis).build().unwrap()
}

fn take(limiter: &RateLimiter, tokens: u64) -> Permit {
    limiter.acquire(tokens).timeout(secs(60)).blocking().unwrap()
}

#[track_caller]
fn flush(limiter: &RateLimiter) {
    limiter.flush(secs(60)).blocking().unwrap();
}

/// Asserts that a new limiter admits the first number of calls, and not the second.
#[track_caller]
fn room(server: &RedisServer, some: u64, too_many: u64) {
    no_room(server, too_many);
    let limiter = limiter(server.url());
    limiter.acquire(some).timeout(secs(5)).blocking().unwrap().cancel();
    flush(&limiter);
}

#[track_caller]
fn no_room(server: &RedisServer, too_many: u64) {
    let refusal = limiter(server.url()).acquire(too_many).timeout(secs(5)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
}

#[track_caller]
fn poll(flush: &mut Flush) -> Poll<Result<(), AcquireError>> {
    Pin::new(flush).poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn what_was_said_before_it_is_seen_by_others_after_it() {
    for _ in 0..5 {
        let server = RedisServer::start();
        let limiter = limiter(server.url());
        let [settled, cancelled, exceeded] = [30, 30, 10].map(|tokens| take(&limiter, tokens));
        no_room(&server, 50);
        settled.settle(10);
        cancelled.cancel();
        exceeded.settle(40);
        flush(&limiter);
        room(&server, 45, 65);
    }
}

#[test]
fn a_batch_that_is_under_way_when_it_begins_does_not_count() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiter = limiter(Redis::new(server.url_at(proxy.address())).timeout(secs(60)));
    let [first, second] = [30, 50].map(|tokens| take(&limiter, tokens));
    let scripts = || server.calls("evalsha") + server.calls("eval");
    let before = scripts();
    proxy.freeze_replies();
    first.cancel();
    eventually("a script", || scripts() != before);
    second.settle(20);
    let mut pending = limiter.flush(secs(60));
    assert!(poll(&mut pending).is_pending());
    // The next reply answers the report about the first.
    proxy.resume();
    pending.blocking().unwrap();
    room(&server, 75, 95);
}

#[test]
fn many_threads_at_once() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url());
    let client = quota::client(&redis);
    drop(quota::take(&client, 20));
    let flush = || client.flush(secs(60)).blocking().unwrap();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..5 {
                    client.acquire(Cost::new().requests(5)).blocking().unwrap().cancel();
                    flush();
                }
            });
        }
    });
    quota::assert_taken(&redis, 20);
}

#[test]
fn what_is_leased_is_given_back_and_what_is_reserved_for_those_who_wait_is_not() {
    let server = RedisServer::start();
    // A grant counts, however late its reply arrives.
    let builder = RateLimiter::builder().name("chat").tokens(SLOW).jitter(secs(20));
    let redis = Redis::new(server.url()).lease(secs(100)).look_ahead(secs(60));
    let limiter = builder.redis(redis).build().unwrap();
    drop(take(&limiter, 30));
    // Fifty more are leased.
    drop(limiter.try_acquire(10_u64).unwrap());
    flush(&limiter);
    room(&server, 55, 75);
    // One call is due in a minute, and another one is behind it.
    let _waiter = Call::start(limiter.acquire(80_u64));
    flush(&limiter);
    let other = self::limiter(server.url());
    let _behind = Call::start(other.acquire(40_u64));
    flush(&other);
    flush(&limiter);
    let next = limiter.status().unwrap().next.unwrap();
    assert!(next < secs(90), "it has lost its place: {next:?}");
}

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    let Some(job) = worker::job() else { return };
    let client = quota::client(&Redis::new(job.arg(0)).lease(secs(3_600)));
    client.flush(secs(60)).blocking().unwrap();
    for (index, permit) in quota::take(&client, 12).into_iter().enumerate() {
        if index % 3 > 0 {
            permit.cancel();
        }
    }
    client.flush(secs(60)).blocking().unwrap();
    // The process ends without a last batch.
    std::process::exit(0);
}

#[test]
fn a_process_that_flushes_and_ends_at_once_leaves_nothing_reserved() {
    let server = RedisServer::start();
    let _ = Worker::start("redis::flush::worker", &[&server.url()]).finish();
    quota::assert_taken(&Redis::new(server.url()), 4);
}

#[test]
fn it_starts_by_itself_and_makes_a_round_trip_though_there_is_nothing_to_tell() {
    let server = RedisServer::start();
    let limiter = limiter(server.url());
    assert!(tokio::runtime::Handle::try_current().is_err());
    for count in 1..=3 {
        flush(&limiter);
        assert_eq!(server.calls("evalsha"), count);
    }
    // The flushes took nothing.
    drop(take(&limiter, 98));
}

#[tokio::test(start_paused = true)]
async fn in_a_runtime_whose_time_is_paused() {
    let server = RedisServer::start();
    limiter(server.url()).flush(secs(60)).await.unwrap();
    let start = Instant::now();
    let (waited, _) = store(nowhere().flush(millis(300)).await.unwrap_err());
    assert!(waited >= millis(300) && start.elapsed() >= millis(300));
}

#[test]
fn in_memory_there_is_nobody_to_tell() {
    let limiter = RateLimiter::builder().requests(Rate::per_second(1)).build().unwrap();
    let mut flush = limiter.flush(Duration::ZERO);
    assert!(matches!(poll(&mut flush), Poll::Ready(Ok(()))));
    limiter.flush(Duration::MAX).blocking().unwrap();
}

limiter! {
    static BROKEN: RateLimiter = {
        requests: 1 / second,
        redis: std::env::var("OPENLIMIT_NO_SUCH_VARIABLE")?,
        name: "broken",
    };
}

#[test]
fn a_limiter_that_cannot_be_built_says_so() {
    let error = BROKEN.flush(secs(60)).blocking().unwrap_err();
    assert!(matches!(error, AcquireError::Build(_)), "{error}");
}

#[track_caller]
fn store(refusal: AcquireError) -> (Duration, StoreProblem) {
    match refusal {
        AcquireError::Store { limiter, waited, error } => {
            assert_eq!(&*limiter, "chat");
            (waited, error.problem().clone())
        }
        error => panic!("{error}"),
    }
}

/// A limiter whose Redis does not run.
fn nowhere() -> RateLimiter {
    limiter(format!("redis://127.0.0.1:{}", port::free()))
}

#[test]
fn what_has_to_be_mended_is_told_at_once() {
    let server = RedisServer::builder().password("secret").start();
    let wrong = limiter(format!("redis://:hunter2@{}", server.address()));
    let error = wrong.flush(secs(60)).blocking().unwrap_err();
    assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
    let (waited, problem) = store(error);
    assert!(matches!(problem, StoreProblem::Refused(_)), "{problem}");
    assert!(waited < secs(20), "{waited:?}");
    assert_eq!(wrong.status().unwrap().store.unwrap().outages, 0);

    flush(&limiter(server.url()));
    let other = RateLimiter::builder().name("chat").tokens(Rate::per_hour(1_000)).redis(server.url());
    let other = other.build().unwrap();
    let (waited, problem) = store(other.flush(secs(60)).blocking().unwrap_err());
    assert!(matches!(problem, StoreProblem::OtherLimits { .. }), "{problem}");
    assert!(waited < secs(20), "{waited:?}");

    // Each flush asks the server again.
    server.flush_all();
    other.flush(Duration::MAX).blocking().unwrap();
}

#[test]
fn it_waits_no_longer_than_it_may_for_a_server_that_is_not_there() {
    let alone = Redis::new(format!("redis://127.0.0.1:{}", port::free()));
    for limiter in [nowhere(), limiter(alone.on_outage(OnOutage::Local(Percent(50))))] {
        let start = Instant::now();
        let (waited, problem) = store(limiter.flush(millis(500)).blocking().unwrap_err());
        assert!(matches!(problem, StoreProblem::Unreachable(_)), "{problem}");
        assert!(waited >= millis(500) && start.elapsed() < secs(20), "{waited:?}");
    }
}

#[test]
fn it_waits_no_longer_than_it_may_for_a_server_that_does_not_answer() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let url = server.url_at(proxy.address());
    // With the short timeout the error says that Redis is away. With the long one there is no reply
    // yet.
    for (timeout, said) in [(millis(100), millis(100)), (secs(60), millis(700))] {
        let limiter = limiter(Redis::new(&url).timeout(timeout));
        flush(&limiter);
        proxy.freeze();
        let (waited, problem) = store(limiter.flush(millis(700)).blocking().unwrap_err());
        assert!(matches!(problem, StoreProblem::TimedOut(silence) if silence == said), "{problem}");
        assert!(waited >= millis(700) && waited < secs(20), "{waited:?}");
        proxy.resume();
        flush(&limiter);
    }
}

#[test]
fn it_calls_a_driver_that_nobody_waits_for() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.refuse();
    let limiter = limiter(server.url_at(proxy.address()));
    store(limiter.flush(millis(1)).blocking().unwrap_err());
    // By now attempts are rare: the last one was after ten seconds, the next one is after twenty.
    thread::sleep(secs(11));
    proxy.resume();
    limiter.flush(secs(8)).blocking().unwrap();
}

#[test]
fn while_it_waits_attempts_are_not_rare() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    proxy.refuse();
    let limiter = limiter(server.url_at(proxy.address()));
    let resume = || {
        thread::sleep(secs(11));
        proxy.resume();
    };
    thread::scope(|scope| {
        scope.spawn(resume);
        limiter.flush(secs(19)).blocking().unwrap();
    });
}

#[test]
fn one_that_is_dropped_changes_nothing() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiter = limiter(server.url_at(proxy.address()));
    let (permit, _kept) = (take(&limiter, 60), take(&limiter, 20));
    drop(limiter.flush(secs(60)));
    proxy.freeze();
    permit.cancel();
    let mut pending = limiter.flush(secs(60));
    assert!(poll(&mut pending).is_pending());
    drop(pending);
    proxy.resume();
    flush(&limiter);
    room(&server, 75, 95);
}

#[test]
fn one_that_outlives_its_limiter_comes_to_its_end() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let limiter = limiter(server.url_at(proxy.address()));
    let (permit, _kept) = (take(&limiter, 60), take(&limiter, 20));
    proxy.freeze();
    permit.cancel();
    let (new, mut pending) = (limiter.flush(secs(60)), limiter.flush(secs(60)));
    assert!(poll(&mut pending).is_pending());
    drop(limiter);
    proxy.resume();
    pending.blocking().unwrap();
    room(&server, 75, 95);
    new.blocking().unwrap();
}
