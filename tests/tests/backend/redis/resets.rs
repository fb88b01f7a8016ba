//! Limits that reset at a time of day, shared by several processes. The windows follow the server's
//! clock, which the tests step, so nothing depends on when they run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openlimit::feedback::Observation;
use openlimit::{
    AcquireError, BuildProblem, Cost, OnOutage, Percent, Permit, Priority, Rate, RateLimiter, Redis, Stack,
    StoreProblem,
};
use openlimit_tests::redis::{Proxy, RedisServer};
use openlimit_tests::{Call, eventually, secs};

const HOUR: Duration = Duration::from_secs(3_600);

/// Returns a time of day that is some hours away: more than a test takes.
fn in_hours(hours: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let minute = (now + hours as u32 * HOUR).as_secs() / 60 % 1_440;
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// An amount a day that is back in about twelve hours.
fn daily(amount: u64) -> Rate {
    static TIME: LazyLock<String> = LazyLock::new(|| in_hours(12));
    Rate::per_day(amount).resets_at(&TIME, "UTC")
}

fn limiter(redis: impl Into<Redis>, rate: Rate) -> RateLimiter {
    RateLimiter::builder().name("daily").tokens(rate).redis(redis).build().unwrap()
}

/// Two limiters of one name, and their server, whose clock can be stepped.
fn pair() -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::builder().clock().start();
    let rate = daily(100);
    let (one, other) = (limiter(server.url(), rate), limiter(server.url(), rate));
    (server, one, other)
}

fn take(limiter: &RateLimiter, tokens: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().tokens(tokens)).timeout(secs(20)).blocking()
}

/// Returns what is left of the window, by the next reply.
fn left(limiter: &RateLimiter) -> u64 {
    limiter.flush(secs(20)).blocking().unwrap();
    limiter.status().unwrap().limits[0].available
}

/// Steps the server's clock beyond so many resets.
fn reset(server: &RedisServer, resets: i64) {
    server.shift_clock((resets * 24 - 11) * 3_600_000_000);
}

#[test]
fn processes_share_a_window_and_all_of_it_is_back_at_the_reset() {
    let (server, one, other) = pair();
    drop(take(&one, 60).unwrap());
    drop(take(&other, 40).unwrap());
    for limiter in [&one, &other] {
        let error = take(limiter, 1).unwrap_err();
        assert!(matches!(error, AcquireError::Timeout { .. }), "{error}");
        assert!(error.to_string().contains("resets at"), "{error}");
        let after = error.retry_after().unwrap();
        assert!(after > 11 * HOUR && after <= 12 * HOUR, "{after:?}");
        let limit = &limiter.status().unwrap().limits[0];
        assert!(limit.resets_in.unwrap().abs_diff(after) < secs(60), "{limit:?}");
        assert_eq!((limit.available, limit.debt), (0, 0));
    }
    reset(&server, 1);
    assert_eq!((left(&one), left(&other)), (100, 100));
    drop(take(&other, 100).unwrap());
    assert_eq!((left(&one), left(&other)), (0, 0));
}

#[test]
fn a_call_that_waits_departs_soon_after_the_reset() {
    let (server, one, other) = pair();
    drop(take(&one, 100).unwrap());
    let mut call = Call::start(other.acquire(30));
    thread::sleep(secs(1));
    assert!(!call.poll());
    reset(&server, 1);
    eventually("the call departs", || call.poll());
    drop(call.admitted());
    assert_eq!(left(&one), 70);
}

#[test]
fn a_part_of_each_window_is_kept_for_a_priority() {
    let server = RedisServer::builder().clock().start();
    let limiter = || {
        let builder = RateLimiter::builder().name("daily").tokens(daily(100)).redis(server.url());
        builder.reserve((Priority::High, Percent(20))).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    let high = |limiter: &RateLimiter, tokens| {
        let call = limiter.acquire(Cost::new().tokens(tokens)).priority(Priority::High);
        call.timeout(secs(20)).blocking()
    };
    drop(take(&one, 50).unwrap());
    drop(take(&other, 30).unwrap());
    for limiter in [&one, &other] {
        let error = take(limiter, 1).unwrap_err();
        assert!(error.to_string().contains("resets at"), "{error}");
        assert!(error.retry_after().is_some_and(|after| after > 11 * HOUR), "{error}");
    }
    let mut call = Call::start(one.acquire(75));
    thread::sleep(secs(1));
    drop(high(&one, 10).unwrap());
    drop(high(&other, 10).unwrap());
    assert!(high(&other, 1).is_err() && !call.poll());
    reset(&server, 1);
    eventually("the call departs", || call.poll());
    let permit = call.admitted();
    assert!(take(&other, 6).is_err());
    drop(high(&other, 20).unwrap());
    permit.cancel();
    assert_eq!((left(&one), left(&other)), (80, 80));
    drop(take(&other, 80).unwrap());
    assert!(high(&one, 1).is_err());
}

#[test]
fn a_refund_counts_in_its_window_for_all_and_a_debt_in_the_next_ones() {
    let (server, one, other) = pair();
    let (early, late, large) = (take(&one, 40).unwrap(), take(&one, 30).unwrap(), take(&one, 30).unwrap());
    early.settle(10);
    left(&one);
    assert_eq!(left(&other), 30);
    large.settle(130);
    left(&one);
    reset(&server, 1);
    assert_eq!(left(&other), 30);
    late.cancel();
    left(&one);
    assert_eq!(left(&other), 30);
    reset(&server, 2);
    assert_eq!(left(&other), 100);
}

#[test]
fn what_a_process_observes_reaches_the_others_for_this_window() {
    let (server, one, other) = pair();
    let response = |remaining| {
        let headers = [
            ("x-ratelimit-limit-tokens", "100"),
            ("x-ratelimit-remaining-tokens", remaining),
            ("x-ratelimit-reset-tokens", "11h59m"),
        ];
        Observation::from_parts(200, headers, b"")
    };
    // From the first response on, the limiter knows its calls.
    one.observe(&response("100")).unwrap();
    let permit = take(&one, 10).unwrap();
    permit.observe(&response("20"));
    left(&one);
    assert!(left(&other) <= 20);
    reset(&server, 1);
    assert_eq!(left(&other), 100);
    // It is of the last window.
    permit.observe(&response("10"));
    left(&one);
    assert_eq!(left(&other), 100);
}

#[test]
fn a_charge_and_a_reset_of_the_limiter_reach_the_others() {
    let (_server, one, other) = pair();
    drop(one.charge(70).unwrap());
    left(&one);
    assert_eq!(left(&other), 30);
    other.reset().unwrap();
    left(&other);
    assert_eq!(left(&one), 100);
}

#[test]
fn an_update_reaches_the_others_and_what_was_taken_stays_taken() {
    let (server, one, other) = pair();
    drop(take(&one, 60).unwrap());
    one.update(|limits| limits.tokens(daily(150))).unwrap();
    left(&one);
    drop(take(&other, 20).unwrap());
    assert_eq!((left(&one), left(&other)), (70, 70));
    let limit = other.status().unwrap().limits[0].limit.to_string();
    assert!(limit.starts_with("150 tokens / day (resets at "), "{limit}");
    reset(&server, 1);
    assert_eq!(left(&other), 150);
}

#[test]
fn an_amount_that_is_lowered_below_what_was_taken_is_back_at_the_next_reset() {
    let (server, one, other) = pair();
    drop(take(&one, 90).unwrap());
    one.update(|limits| limits.tokens(daily(20))).unwrap();
    assert_eq!((left(&one), left(&other)), (0, 0));
    assert!([&one, &other].iter().all(|limiter| limiter.status().unwrap().limits[0].debt == 0));
    reset(&server, 1);
    assert_eq!(left(&other), 20);
    drop(take(&other, 15).unwrap());
    assert_eq!((left(&one), left(&other)), (5, 5));
}

#[test]
fn a_server_that_loses_its_data_is_told_what_was_taken_of_this_window() {
    let (server, one, other) = pair();
    drop(take(&one, 60).unwrap());
    drop(take(&other, 10).unwrap());
    server.flush_all();
    assert_eq!(left(&other), 30);
    reset(&server, 1);
    server.flush_all();
    assert_eq!((left(&other), left(&one)), (100, 100));
}

#[test]
fn what_a_process_takes_alone_is_owed_in_the_window() {
    let server = RedisServer::start();
    let proxy = Proxy::to(server.address());
    let (rate, half) = (daily(100), OnOutage::Local(Percent(50)));
    let redis = Redis::new(server.url_at(proxy.address())).timeout(secs(2)).on_outage(half);
    let (alone, other) = (limiter(redis, rate), limiter(server.url(), rate));
    drop(take(&alone, 20).unwrap());
    proxy.refuse();
    proxy.cut();
    // Half of the whole, less half of what was taken.
    drop(take(&alone, 40).unwrap());
    assert!(take(&alone, 1).is_err());
    assert_eq!(left(&other), 80);
    proxy.resume();
    eventually("its server is back", || alone.status().unwrap().store.unwrap().error.is_none());
    left(&alone);
    assert_eq!(left(&other), 40);
}

#[test]
fn a_lease_serves_calls_that_do_not_wait() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).lease(3 * HOUR);
    let rate = daily(96);
    let (one, other) = (limiter(redis, rate), limiter(server.url(), rate));
    drop(take(&one, 1).unwrap());
    // An eighth of a day.
    eventually("there is a lease", || one.try_acquire(12).is_ok());
    assert_eq!(left(&other), 96 - 1 - 12);
}

#[test]
fn other_resets_are_other_limits() {
    let (server, one, _other) = pair();
    drop(take(&one, 1).unwrap());
    let noon = Rate::per_day(100).resets_at(&in_hours(6), "UTC");
    for other in [noon, Rate::per_day(100)] {
        let error = take(&limiter(server.url(), other), 1).unwrap_err();
        let AcquireError::Store { error, .. } = &error else { panic!("{error}") };
        let StoreProblem::OtherLimits { theirs, free_in, .. } = error.problem() else { panic!("{error}") };
        assert!(theirs.starts_with("100 tokens / day (resets at "), "{theirs}");
        // The name is free once the window is over.
        assert!(*free_in > 11 * HOUR && *free_in <= 12 * HOUR, "{free_in:?}");
    }
}

#[test]
fn each_key_has_a_window_of_its_own_and_stacks_may_contain_them() {
    let server = RedisServer::builder().clock().start();
    let builder = || RateLimiter::builder().tokens(daily(100)).redis(server.url());
    let tenants = builder().name("tenants").keyed::<String>().key_name(String::clone).build().unwrap();
    let all = builder().name("all").build().unwrap();
    let (anna, berta) = (tenants.of("anna"), tenants.of("berta"));
    let call = |tenant: &RateLimiter, tokens: u64| {
        Stack::of((tenant, &all)).acquire(tokens).timeout(secs(20)).blocking()
    };
    drop(call(&anna, 70).unwrap());
    drop(call(&berta, 30).unwrap());
    assert!(call(&berta, 1).is_err());
    reset(&server, 1);
    assert_eq!((left(&anna), left(&berta), left(&all)), (100, 100, 100));
    drop(call(&berta, 100).unwrap());
}

#[test]
fn limits_of_each_second_and_of_each_day_are_kept_side_by_side() {
    // Windows that the machine's clock ends, too.
    let server = RedisServer::start();
    let second = Rate::new(20, secs(1)).resets_at("00:00", "UTC");
    let limiters = [(); 3].map(|()| {
        let builder = RateLimiter::builder().name("seconds").requests(second).requests(daily(10_000));
        builder.redis(server.url()).build().unwrap()
    });
    let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    thread::scope(|scope| {
        for limiter in &limiters {
            scope.spawn(|| {
                for _ in 0..40 {
                    drop(limiter.acquire(Cost::new()).timeout(secs(60)).blocking().unwrap());
                }
            });
        }
    });
    let end = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let windows = end.as_secs() - start.as_secs() + 1;
    assert!(windows >= 120 / 20, "120 calls in {windows} windows");
}

#[test]
fn a_window_that_cannot_be_counted_exactly_is_refused() {
    let builder = RateLimiter::builder().name("daily").tokens(daily(1 << 52)).redis("redis://localhost");
    let error = builder.build().unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::TooLargeToShare { .. }), "{error}");
    assert!(error.to_string().contains("too large to be shared"), "{error}");
}
