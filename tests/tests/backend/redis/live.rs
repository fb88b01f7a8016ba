//! Changes while shared limiters run: `update`, `charge`, `reset` and `close`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::{
    AcquireError, BuildProblem, Burst, Cost, Limit, Percent, Permit, Rate, RateLimiter, Redis, StoreProblem,
};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, millis, secs};

/// A thousand a day, all at once: almost nothing leaks during a test.
fn day(amount: u64) -> Rate {
    Rate::per_day(amount)
}

fn limiter(server: &RedisServer, amount: u64) -> RateLimiter {
    let builder = RateLimiter::builder().name("chat").tokens(day(amount)).headroom(Percent(0));
    builder.redis(server.url()).build().unwrap()
}

/// Two limiters of one name.
fn pair() -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server, 1_000), limiter(&server, 1_000));
    (server, one, other)
}

fn take(limiter: &RateLimiter, tokens: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().tokens(tokens)).timeout(secs(20)).blocking()
}

fn flush(limiter: &RateLimiter) {
    limiter.flush(secs(20)).blocking().unwrap();
}

fn tokens(limiter: &RateLimiter, amount: u64) {
    limiter.update(|limits| limits.tokens(day(amount))).unwrap();
}

/// Returns what is left after the next reply, rounded up: jitter keeps a little of it back, and a
/// little leaks during a test.
fn left(limiter: &RateLimiter) -> u64 {
    flush(limiter);
    limiter.status().unwrap().limits[0].available.div_ceil(10) * 10
}

fn limit(limiter: &RateLimiter) -> String {
    limiter.status().unwrap().limits[0].limit.to_string()
}

fn updates(limiter: &RateLimiter) -> u64 {
    limiter.status().unwrap().store.unwrap().updates
}

#[test]
fn an_update_reaches_the_other_process_within_a_round_trip() {
    let (_server, one, other) = pair();
    drop(take(&one, 300).unwrap());
    assert_eq!(left(&other), 700);
    tokens(&one, 2_000);
    flush(&one);
    assert_eq!((limit(&other), updates(&other)), ("1000 tokens / day".into(), 0));
    // The next call of the other is decided by the new limits, and does not notice.
    drop(take(&other, 600).unwrap());
    assert_eq!((limit(&other), updates(&other)), ("2000 tokens / day".into(), 1));
    assert_eq!((left(&one), left(&other)), (800, 800));
    // A lower limit: 60 % are used, as before.
    tokens(&other, 500);
    flush(&other);
    assert_eq!((left(&one), limit(&one), updates(&one)), (200, "500 tokens / day".into(), 2));
}

#[test]
fn a_process_that_sets_the_burst_of_the_limiter_takes_an_update_over() {
    for burst in [Burst::Time(millis(500)), Burst::Observed] {
        let server = RedisServer::start();
        let limiter = || {
            let builder = RateLimiter::builder().name("chat").tokens(Rate::per_minute(60_000)).burst(burst);
            builder.redis(server.url()).build().unwrap()
        };
        let (one, other) = (limiter(), limiter());
        one.update(|limits| limits.tokens(Rate::per_minute(90_000))).unwrap();
        flush(&one);
        drop(take(&other, 1).unwrap());
        assert_eq!((limit(&other), updates(&other)), ("90000 tokens / minute".into(), 1));
        // Each may go on to change the rate and the burst.
        other.update(|limits| limits.burst(millis(700))).unwrap();
        flush(&other);
        drop(take(&one, 1).unwrap());
        one.update(|limits| limits.tokens(Rate::per_minute(30_000))).unwrap();
        flush(&one);
        drop(take(&other, 1).unwrap());
        one.update(|limits| limits.burst(millis(800))).unwrap();
        flush(&one);
        flush(&other);
        assert_eq!((limit(&other), updates(&other)), (limit(&one), 4));
    }
}

#[test]
fn the_default_burst_can_be_updated_after_an_update_of_another_process() {
    let server = RedisServer::start();
    let limiter = || {
        let builder = RateLimiter::builder().name("chat").tokens(Rate::per_minute(60_000));
        builder.redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    one.update(|limits| limits.tokens(Rate::per_minute(90_000))).unwrap();
    flush(&one);
    flush(&other);
    other.update(|limits| limits.burst(millis(700))).unwrap();
    flush(&other);
    flush(&one);
    assert_eq!((updates(&one), updates(&other)), (2, 2));
}

#[test]
fn a_process_that_begins_later_takes_the_newest_limits_over() {
    let (server, one, _other) = pair();
    tokens(&one, 3_000);
    drop(take(&one, 1_500).unwrap());
    let late = limiter(&server, 1_000);
    assert_eq!((left(&late), limit(&late)), (1_500, "3000 tokens / day".into()));
    // One that was declared in another way, too.
    let other = limiter(&server, 70);
    assert_eq!((left(&other), limit(&other)), (1_500, "3000 tokens / day".into()));
}

#[test]
fn other_dimensions_and_periods_are_still_other_limits() {
    let (server, one, _other) = pair();
    tokens(&one, 3_000);
    flush(&one);
    let builder = || RateLimiter::builder().name("chat").redis(server.url());
    for other in [
        builder().tokens(Rate::per_hour(1_000)),
        builder().requests(day(1_000)),
        builder().tokens(day(1_000)).requests(day(5)),
        builder().limit(Limit::new("tokens (burst 86400s)", day(3_000))),
    ] {
        let error = other.build().unwrap().acquire(Cost::new()).timeout(secs(20)).blocking().unwrap_err();
        let AcquireError::Store { error, .. } = &error else { panic!("{error}") };
        let StoreProblem::OtherLimits { theirs, .. } = error.problem() else { panic!("{error}") };
        assert_eq!(theirs, "3000 tokens / day (burst 86400s); update 1");
    }
}

#[test]
fn of_two_updates_at_the_same_time_the_last_to_arrive_counts_for_both() {
    let (_server, one, other) = pair();
    flush(&one);
    flush(&other);
    // Neither knows of the other.
    for amount in [2_000, 4_000, 600] {
        tokens(&one, amount);
        tokens(&other, 2 * amount);
        flush(&one);
        flush(&other);
        flush(&one);
        flush(&other);
        assert_eq!(limit(&one), limit(&other));
        assert_eq!(updates(&one), updates(&other));
    }
    assert!(updates(&one) >= 3);
}

#[test]
fn calls_that_wait_in_another_process_move_and_those_that_never_fit_are_refused() {
    let (_server, one, other) = pair();
    drop(take(&one, 1_000).unwrap());
    let mut large = Call::start(other.acquire(Cost::new().tokens(900)));
    let mut small = Call::start(other.acquire(Cost::new().tokens(1)));
    flush(&other);
    one.update(|limits| limits.tokens(day(800))).unwrap();
    flush(&one);
    eventually("the call is refused", || {
        let _ = other.flush(secs(20)).blocking();
        large.poll()
    });
    assert!(matches!(large.refused(), AcquireError::TooLarge { most: 800, .. }));
    assert!(!small.poll());
    one.reset().unwrap();
    eventually("the call is admitted", || {
        let _ = other.flush(secs(20)).blocking();
        small.poll()
    });
}

#[test]
fn permits_from_before_an_update_give_back_their_part() {
    let (_server, one, other) = pair();
    let (first, second) = (take(&one, 400).unwrap(), take(&other, 400).unwrap());
    tokens(&one, 10_000);
    flush(&one);
    assert_eq!(left(&other), 2_000);
    first.cancel();
    assert_eq!(left(&one), 6_000);
    second.settle(100);
    flush(&other);
    assert_eq!(left(&one), 9_000);
    let third = take(&one, 5_000).unwrap();
    tokens(&other, 100);
    flush(&other);
    assert_eq!(left(&one), 40);
    third.cancel();
    assert_eq!(left(&one), 90);
}

#[test]
fn another_burst_is_filled_by_the_same_amount() {
    let server = RedisServer::start();
    let limiter = || {
        let rate = Rate::per_hour(36).burst(secs(36_000));
        let builder = RateLimiter::builder().name("chat").tokens(rate).headroom(Percent(0));
        builder.redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    let permit = take(&one, 30).unwrap();
    drop(take(&other, 30).unwrap());
    // 360 at once become 100, of which 60 are used.
    one.update(|limits| limits.tokens(Rate::per_hour(36).burst(secs(10_000)))).unwrap();
    flush(&one);
    assert_eq!(left(&other), 40);
    permit.cancel();
    assert_eq!(left(&one), 70);
}

#[test]
fn an_update_to_nothing_changes_nothing_anywhere() {
    let (_server, one, other) = pair();
    drop(take(&one, 300).unwrap());
    assert!(one.update(|limits| limits.tokens(day(0))).is_err());
    assert!(one.update(|limits| limits.requests(day(5))).is_err());
    // Its burst and its largest call take 31 days each to flow back.
    let slow = one.update(|limits| limits.tokens(day(1_000).burst(secs(31 * 86_400)))).unwrap_err();
    assert!(matches!(slow.problem(), BuildProblem::TooSlowToShare { .. }), "{slow}");
    one.update(|limits| limits.headroom(Percent(10))).unwrap();
    assert_eq!((left(&other), updates(&other), updates(&one)), (700, 0, 0));
}

#[test]
fn an_update_survives_the_loss_of_the_state() {
    let (server, one, other) = pair();
    tokens(&one, 2_000);
    drop(take(&one, 500).unwrap());
    flush(&other);
    server.flush_all();
    // The state begins with the declared limits of a new process, and the others are newer.
    let new = limiter(&server, 1_000);
    flush(&new);
    assert_eq!(limit(&new), "1000 tokens / day");
    flush(&one);
    flush(&new);
    assert_eq!((limit(&new), updates(&new)), ("2000 tokens / day".into(), 1));
    flush(&other);
    assert_eq!(limit(&other), "2000 tokens / day");
}

#[test]
fn an_update_during_an_outage_arrives_after_it() {
    let (server, one, other) = pair();
    flush(&one);
    flush(&other);
    server.stop();
    tokens(&one, 2_000);
    server.cont();
    flush(&one);
    flush(&other);
    assert_eq!(limit(&other), "2000 tokens / day");
}

#[test]
fn a_charge_is_a_debt_for_all_processes() {
    let (_server, one, other) = pair();
    drop(one.charge(Cost::new().tokens(400)).unwrap());
    flush(&one);
    assert_eq!(left(&other), 600);
    let permit = other.charge(Cost::new().tokens(1_000)).unwrap();
    flush(&other);
    flush(&one);
    assert_eq!(one.status().unwrap().limits[0].debt, 400);
    assert!(one.acquire(Cost::new().tokens(1)).timeout(millis(100)).blocking().is_err());
    // It gives nothing back, and adds what was used beyond.
    permit.settle(1_100);
    flush(&other);
    flush(&one);
    assert_eq!(one.status().unwrap().limits[0].debt, 500);
    other.charge(Cost::new().tokens(100)).unwrap().cancel();
    flush(&other);
    flush(&one);
    assert_eq!(one.status().unwrap().limits[0].debt, 600);
}

#[test]
fn a_reset_is_one_for_all_processes_and_moves_their_calls() {
    let (_server, one, other) = pair();
    let before = take(&other, 600).unwrap();
    drop(one.charge(Cost::new().tokens(5_000)).unwrap());
    flush(&one);
    let mut waits = Call::start(other.acquire(Cost::new().tokens(400)));
    one.reset().unwrap();
    assert_eq!(left(&one), 1_000);
    eventually("the call is admitted", || {
        let _ = other.flush(secs(20)).blocking();
        waits.poll()
    });
    drop(waits);
    // Only the last one was charged since, and given back. The first gives nothing back.
    let now = take(&other, 300).unwrap();
    before.cancel();
    flush(&other);
    assert!(left(&one) <= 700, "{}", left(&one));
    drop(now);
}

#[test]
fn a_reset_ends_holds_and_adopted_rates_of_all_processes() {
    let (_server, one, other) = pair();
    drop(take(&one, 10).unwrap());
    drop(take(&other, 10).unwrap());
    let headers = [("x-ratelimit-limit-tokens", "500"), ("x-ratelimit-remaining-tokens", "400")];
    one.observe(&Observation::from_parts(200, headers, b"")).unwrap();
    one.hold(secs(300), "429").unwrap();
    flush(&one);
    flush(&other);
    let status = other.status().unwrap();
    assert!(status.hold.is_some() && status.limits[0].pace < 0.6);
    other.reset().unwrap();
    flush(&other);
    flush(&one);
    for limiter in [&one, &other] {
        let status = limiter.status().unwrap();
        assert!(status.hold.is_none() && (status.limits[0].pace - 1.0).abs() < 0.01, "{status}");
        drop(take(limiter, 100).unwrap());
    }
}

#[test]
fn a_reset_ends_the_hold_of_one_limit_for_all_processes() {
    let (_server, one, other) = pair();
    let body = br#"{"error":{"message":"Rate limit reached on tokens per day (TPD): Limit 1000, Used 1000, Requested 1. Please try again in 300s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let held = |limiter: &RateLimiter| limiter.status().unwrap().limits[0].hold.is_some();
    let permit = take(&one, 10).unwrap();
    permit.refused(Observation::new(429).body(body));
    flush(&one);
    flush(&other);
    assert!(held(&one) && held(&other));
    one.reset().unwrap();
    assert!(!held(&one));
    drop(take(&one, 1_000).unwrap());
    flush(&other);
    assert!(!held(&other));
}

#[test]
fn what_a_batch_was_to_take_along_does_not_survive_a_reset() {
    let (server, one, other) = pair();
    let permit = take(&one, 100).unwrap();
    flush(&other);
    // Nobody knows if this debt arrives.
    server.stop();
    permit.settle(700);
    std::thread::sleep(millis(200));
    one.reset().unwrap();
    server.cont();
    assert_eq!((left(&one), left(&other)), (1_000, 1_000));
}

#[test]
fn what_is_left_by_a_response_to_an_earlier_call_counts_after_an_update() {
    let (_server, one, other) = pair();
    let headers = |limit, left| {
        Observation::from_parts(
            200,
            [("x-ratelimit-limit-tokens", limit), ("x-ratelimit-remaining-tokens", left)],
            b"",
        )
    };
    take(&one, 10).unwrap().observe(&headers("1000", "990"));
    let earlier = take(&one, 90).unwrap();
    drop(take(&other, 300).unwrap());
    tokens(&one, 2_000);
    flush(&one);
    flush(&other);
    // As if somebody else had used the rest.
    earlier.observe(&headers("2000", "200"));
    assert!(left(&one) <= 200, "{}", one.status().unwrap());
    assert!(left(&other) <= 200, "{}", other.status().unwrap());
}

#[test]
fn a_reset_as_the_first_thing_a_process_does_reaches_the_others() {
    let (server, one, _other) = pair();
    drop(take(&one, 1_000).unwrap());
    let first = limiter(&server, 1_000);
    first.reset().unwrap();
    assert_eq!(left(&first), 1_000);
    assert_eq!(left(&one), 1_000);
}

#[test]
fn closing_one_process_refuses_its_calls_and_no_other_s() {
    let (_server, one, other) = pair();
    drop(take(&one, 1_000).unwrap());
    let mut waits = Call::start(one.acquire(Cost::new().tokens(5)));
    let closing = one.close();
    assert!(waits.poll());
    assert!(matches!(waits.refused(), AcquireError::Closed { .. }));
    assert!(matches!(take(&one, 1), Err(AcquireError::Closed { .. })));
    assert!(matches!(one.try_acquire(Cost::new()), Err(AcquireError::Closed { .. })));
    closing.blocking().unwrap();
    other.reset().unwrap();
    drop(take(&other, 100).unwrap());
    assert!(matches!(take(&one, 1), Err(AcquireError::Closed { .. })));
}

#[test]
fn awaiting_the_close_sends_what_was_settled() {
    let (_server, one, other) = pair();
    let permit = take(&one, 1_000).unwrap();
    let closing = one.close();
    permit.settle(100);
    closing.timeout(secs(20)).blocking().unwrap();
    assert_eq!(left(&other), 900);
}

#[test]
fn awaiting_the_close_of_a_server_that_is_gone_ends_with_an_error() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).timeout(millis(200));
    let limiter = RateLimiter::builder().name("chat").tokens(day(1_000)).redis(redis).build().unwrap();
    let permit = take(&limiter, 10).unwrap();
    server.kill_9();
    permit.cancel();
    let error = limiter.close().timeout(Duration::from_millis(500)).blocking().unwrap_err();
    assert!(matches!(error, AcquireError::Store { .. }), "{error}");
}

#[test]
fn a_close_gives_leases_back() {
    let server = RedisServer::start();
    let limiter = |redis: Redis| {
        let rate = Rate::per_second(10_000).burst(secs(20));
        RateLimiter::builder().name("chat").requests(rate).redis(redis).build().unwrap()
    };
    let (one, other) = (limiter(Redis::new(server.url()).lease(secs(15))), limiter(Redis::new(server.url())));
    drop(one.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    one.close().blocking().unwrap();
    assert!(matches!(one.try_acquire(Cost::new()), Err(AcquireError::Closed { .. })));
    drop(other.acquire(Cost::new().requests(150_000)).timeout(secs(5)).blocking().unwrap());
}

#[test]
fn other_options_are_each_process_s_own_and_leave_the_limits_alone() {
    let (_server, one, other) = pair();
    drop(take(&one, 300).unwrap());
    one.update(|limits| limits.max_waiting(7).jitter(millis(20))).unwrap();
    drop(take(&one, 100).unwrap());
    assert_eq!((left(&one), left(&other)), (600, 600));
    assert_eq!((updates(&one), updates(&other)), (0, 0));
    let error = one.update(|limits| limits.concurrency(5)).unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::NoConcurrency), "{error}");
}
