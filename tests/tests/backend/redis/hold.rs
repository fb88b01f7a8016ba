//! Holds of shared limits: they stop the calls of all processes.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use openlimit::feedback::Observation;
use openlimit::{AcquireError, Cost, Permit, Rate, RateLimiter, Redis, Stack};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{eventually, millis, secs};

/// Two limiters that share a rate, and have used it.
fn pair() -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let rate = Rate::per_second(1_000);
    let limiter = || RateLimiter::builder().name("chat").requests(rate).redis(server.url()).build().unwrap();
    let (one, other) = (limiter(), limiter());
    for limiter in [&one, &other] {
        drop(limiter.acquire(Cost::new()).blocking().unwrap());
    }
    (server, one, other)
}

/// Holds the calls of a limiter, and waits until the other one knows.
fn hold(one: &RateLimiter, other: &RateLimiter, time: Duration) {
    one.hold(time, "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    eventually("the other learns of it", || {
        let _ = other.flush(secs(20)).blocking();
        other.status().unwrap().hold.is_some()
    });
}

#[test]
fn a_hold_of_one_process_stops_the_calls_of_another() {
    let (_server, one, other) = pair();
    let start = Instant::now();
    hold(&one, &other, secs(2));
    let refusal = other.acquire(Cost::new()).timeout(millis(10)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
    assert!(refusal.to_string().contains("another process that shares the limits holds its calls"));
    for limiter in [&other, &one] {
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
        // The limiter's clock may be a little behind.
        let waited = start.elapsed();
        assert!(waited >= secs(2) - millis(5), "a call was admitted after {waited:?}");
    }
    assert_eq!((one.status().unwrap().hold, other.status().unwrap().hold), (None, None));
}

#[test]
fn a_hold_before_the_first_reply_reaches_another_process() {
    let (server, _, other) = pair();
    let first = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(server.url());
    let first = first.build().unwrap();
    first.hold(secs(300), "429").unwrap();
    eventually("the other learns of it", || {
        let _ = first.flush(secs(20)).blocking();
        let _ = other.flush(secs(20)).blocking();
        other.status().unwrap().hold.is_some()
    });
}

#[test]
fn a_hold_that_one_process_ends_ends_for_another() {
    let (_server, one, other) = pair();
    hold(&one, &other, secs(300));
    other.release().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    drop(other.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
    // This one learns of it with its next reply.
    one.flush(secs(20)).blocking().unwrap();
    drop(one.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
}

#[test]
fn a_hold_of_another_process_has_no_reason_of_this_one() {
    let (_server, one, other) = pair();
    one.hold(millis(1), "an earlier refusal").unwrap();
    std::thread::sleep(millis(1_200));
    hold(&other, &one, secs(300));
    let status = one.status().unwrap();
    let reason = status.hold.unwrap().reason;
    assert_eq!(&*reason, "another process that shares the limits holds its calls");
    // Nothing is available meanwhile.
    assert_eq!(status.limits[0].available, 0);
    assert!(status.limits[0].full_in > secs(200), "{}", status.limits[0]);
}

#[test]
fn a_call_that_another_process_was_granted_long_before_the_hold_does_not_depart_during_it() {
    let server = RedisServer::start();
    let limiter = || {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_minute(30));
        // It asks a second before a call departs, so that a busy machine is in time.
        limiter.redis(Redis::new(server.url()).look_ahead(secs(8))).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    drop(one.acquire(Cost::new()).blocking().unwrap());
    std::thread::scope(|scope| {
        // It is granted for two seconds later.
        let call = scope.spawn(|| other.acquire(Cost::new()).timeout(secs(10)).blocking());
        eventually("it is granted", || other.status().unwrap().limits[0].available == 0);
        one.hold(secs(300), "429").unwrap();
        one.flush(secs(20)).blocking().unwrap();
        let refusal = call.join().unwrap().unwrap_err();
        assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
    });
}

/// Lets calls depart from a lease, one by one, until a hold of another process stops them.
#[track_caller]
fn stops(is_bounded: bool, take: impl Fn(&RateLimiter) -> Result<(), AcquireError>) {
    let server = RedisServer::start();
    let rate = Rate::per_second(1_000).burst(secs(100));
    let limiter = || {
        let limiter = RateLimiter::builder().name("chat").requests(rate);
        let limiter = if is_bounded { limiter.concurrency(1_000) } else { limiter };
        limiter.redis(Redis::new(server.url()).lease(secs(40))).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    let take = || take(&other);
    drop(one.acquire(Cost::new()).blocking().unwrap());
    eventually("a lease is granted", || take().is_ok());
    one.hold(secs(300), "429").unwrap();
    one.flush(secs(20)).blocking().unwrap();
    let mut refusal = None;
    eventually("a call is refused", || {
        refusal = take().err();
        refusal.is_some()
    });
    // Not because the lease was over.
    assert!(matches!(refusal, Some(AcquireError::Held { .. })), "{refusal:?}");
}

#[test]
fn calls_that_do_not_wait_stop_before_the_lease_ends_that_they_depart_from() {
    for is_bounded in [false, true] {
        stops(is_bounded, |limiter| limiter.try_acquire(Cost::new()).map(drop));
        stops(is_bounded, |limiter| limiter.acquire(Cost::new()).timeout(secs(1)).blocking().map(drop));
    }
    let own = RateLimiter::builder().requests(Rate::per_second(1_000_000)).build().unwrap();
    stops(false, |limiter| Stack::of((&own, limiter)).try_acquire(Cost::new()).map(drop));
}

#[test]
fn calls_that_were_granted_ahead_stop_too() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(2));
    let limiter = limiter.redis(Redis::new(server.url()).look_ahead(secs(5))).build().unwrap();
    // Uses up the burst, so that later calls are granted ahead.
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    std::thread::scope(|scope| {
        let call = || {
            let arrived = Instant::now();
            let permit = limiter.acquire(Cost::new()).blocking().unwrap();
            // The first is no later than the admission, and the second no earlier.
            (arrived + permit.waited(), Instant::now())
        };
        let waiting: Vec<_> = (0..6).map(|_| scope.spawn(call)).collect();
        eventually("the calls wait", || limiter.status().unwrap().waiting >= 3);
        let start = Instant::now();
        limiter.hold(secs(2), "429").unwrap();
        let begun = Instant::now();
        let calls: Vec<_> = waiting.into_iter().map(|call| call.join().unwrap()).collect();
        // The limiter's clock may be a little behind.
        let end = start + secs(2) - millis(5);
        for (earliest, latest) in &calls {
            assert!(*earliest <= begun || *latest >= end, "a call departed during the hold");
        }
        assert!(calls.iter().any(|(_, latest)| *latest >= end));
    });
}

#[test]
fn a_refusal_that_names_a_limit_holds_the_calls_of_all_processes_that_take_from_it_and_no_others() {
    let server = RedisServer::start();
    let limiter = || {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000));
        limiter.tokens(Rate::per_second(100_000)).redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    for limiter in [&one, &other] {
        drop(call(limiter).unwrap());
    }
    let body = br#"{"error":{"message":"Rate limit reached for gpt-4o on tokens per min (TPM): Limit 6000000, Used 6000000, Requested 60. Please try again in 2s.","type":"tokens","code":"rate_limit_exceeded"}}"#;
    let start = Instant::now();
    call(&one).unwrap().refused(Observation::new(429).body(body));
    one.flush(secs(20)).blocking().unwrap();
    for limiter in [&other, &one] {
        let refusal = limiter.acquire(60).timeout(millis(300)).blocking().unwrap_err();
        assert!(matches!(refusal, AcquireError::Held { .. } | AcquireError::Timeout { .. }), "{refusal}");
        drop(call(limiter).unwrap());
        let status = limiter.status().unwrap();
        assert!(status.hold.is_none() && status.limits[0].hold.is_none(), "{status}");
        assert!(status.limits[1].hold.is_some(), "{status}");
    }
    assert!(start.elapsed() < secs(2), "the calls that take no tokens waited");
    for limiter in [&other, &one] {
        drop(limiter.acquire(60).timeout(secs(20)).blocking().unwrap());
        // The limiter's clock may be a little behind.
        let waited = start.elapsed();
        assert!(waited >= secs(2) - millis(5), "a call was admitted after {waited:?}");
    }
}

#[test]
fn a_release_ends_the_hold_of_one_limit_in_all_processes() {
    let server = RedisServer::start();
    let limiter = || {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000));
        limiter.redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    drop(call(&other).unwrap());
    let body = br#"{"error":{"message":"Rate limit reached on requests per min (RPM): Limit 60000, Used 60000, Requested 1. Please try again in 300s.","type":"requests","code":"rate_limit_exceeded"}}"#;
    call(&one).unwrap().refused(Observation::new(429).body(body));
    one.flush(secs(20)).blocking().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    assert!(other.status().unwrap().limits[0].hold.is_some());
    other.release().unwrap();
    for limiter in [&other, &one] {
        // This one learns of it with its next reply.
        limiter.flush(secs(20)).blocking().unwrap();
        assert!(limiter.status().unwrap().limits[0].hold.is_none());
        drop(call(limiter).unwrap());
    }
}

/// The refusal of OpenAI for a quota that is used up.
fn used_up() -> Observation {
    let body = br#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#;
    Observation::new(429).body(body)
}

/// Two limiters that share a rate, with such a longest hold. A quota of it is used up, which both
/// know.
fn used_up_pair(max_hold: Duration) -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let limiter = || {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000));
        limiter.max_hold(max_hold).redis(server.url()).build().unwrap()
    };
    let (one, other) = (limiter(), limiter());
    drop(other.acquire(Cost::new()).blocking().unwrap());
    one.acquire(Cost::new()).blocking().unwrap().refused(used_up());
    one.flush(secs(20)).blocking().unwrap();
    eventually("the other learns of it", || {
        let _ = other.flush(secs(20)).blocking();
        is_exhausted(&other)
    });
    (server, one, other)
}

fn is_exhausted(limiter: &RateLimiter) -> bool {
    limiter.status().unwrap().hold.is_some_and(|hold| hold.is_exhausted)
}

fn call(limiter: &RateLimiter) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new()).timeout(secs(20)).blocking()
}

#[test]
fn a_wait_of_584_years_holds_other_processes_no_longer_than_the_longest_hold() {
    let (_server, one, other) = pair();
    let refusal = Observation::new(429).header("retry-after", "18446744073709551615");
    one.acquire(Cost::new()).blocking().unwrap().refused(&refusal);
    eventually("the other learns of it", || match call(&other) {
        Err(AcquireError::Exhausted { until, .. }) => {
            assert!(until <= secs(610), "{until:?}");
            true
        }
        _ => false,
    });
    one.release().unwrap();
    eventually("the other learns of it", || call(&other).is_ok());
    hold(&one, &other, Duration::MAX);
    let held = other.status().unwrap().hold.unwrap();
    assert!(held.ends_in <= secs(610), "{held:?}");
}

#[test]
fn a_quota_that_is_used_up_refuses_the_calls_of_all_processes() {
    let (server, one, other) = used_up_pair(secs(600));
    for (limiter, reason) in [
        (&one, "the provider refused a call with status 429 because a quota is used up"),
        (
            &other,
            "the provider refused a call of another process that shares the limits because a quota is used up",
        ),
    ] {
        let Err(AcquireError::Exhausted { until, reason: why, .. }) = call(limiter) else { panic!() };
        assert!(until > secs(590) && until <= secs(610), "{until:?}");
        assert_eq!(&*why, reason);
        assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Exhausted { .. })));
    }
    // One that starts later learns of it with its first reply.
    let late = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).redis(server.url());
    let late = late.build().unwrap();
    assert!(matches!(call(&late), Err(AcquireError::Exhausted { .. })));
    // And what another one releases is known within about a second of asking.
    one.release().unwrap();
    drop(call(&one).unwrap());
    eventually("the other learns of it", || call(&other).is_ok());
    eventually("the late one learns of it", || call(&late).is_ok());
}

#[test]
fn a_quota_that_another_process_found_used_up_has_no_reason_of_this_one() {
    let (_server, one, other) = pair();
    other.hold(millis(1), "an earlier refusal").unwrap();
    drop(call(&other).unwrap());
    call(&one).unwrap().refused(used_up());
    one.flush(secs(20)).blocking().unwrap();
    eventually("the other learns of it", || {
        let _ = other.flush(secs(20)).blocking();
        is_exhausted(&other)
    });
    let Err(AcquireError::Exhausted { reason, .. }) = call(&other) else { panic!() };
    assert!(reason.contains("of another process"), "{reason}");
}

#[test]
fn one_call_of_all_processes_finds_out_that_a_quota_is_back() {
    let (_server, one, other) = used_up_pair(secs(1));
    let probe = Mutex::new(None);
    // Many callers of both.
    let admitted = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for limiter in [&one, &other, &one, &other] {
            scope.spawn(|| {
                while start.elapsed() < millis(1_700) {
                    if let Ok(permit) = call(limiter) {
                        admitted.fetch_add(1, Ordering::SeqCst);
                        *probe.lock().unwrap() = Some(permit);
                    }
                    std::thread::sleep(millis(1));
                }
            });
        }
    });
    assert_eq!(admitted.load(Ordering::SeqCst), 1);
    assert!(is_exhausted(&one) && is_exhausted(&other));
    probe.lock().unwrap().take().unwrap().settle(0);
    for limiter in [&one, &other] {
        eventually("it is open again", || call(limiter).is_ok());
        (0..10).for_each(|_| drop(call(limiter).unwrap()));
    }
}

#[test]
fn a_refused_probe_shuts_all_processes_for_no_longer_than_the_longest_hold() {
    let (_server, one, other) = used_up_pair(secs(1));
    for _ in 0..2 {
        eventually("one has the probe", || call(&one).map(|probe| probe.refused(used_up())).is_ok());
    }
    eventually("the other has the probe", || call(&other).map(|probe| probe.settle(0)).is_ok());
}

#[test]
fn a_probe_that_is_cancelled_leaves_its_place_to_another_process() {
    let (_server, one, other) = used_up_pair(secs(1));
    let mut cancelled = false;
    eventually("one has the probe", || {
        cancelled = call(&one).map(Permit::cancel).is_ok();
        cancelled
    });
    one.flush(secs(20)).blocking().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    let probe = call(&other);
    assert!(probe.is_ok(), "{probe:?}");
    assert!(matches!(call(&one), Err(AcquireError::Exhausted { .. })));
}

#[test]
fn a_call_that_does_not_wait_can_be_the_probe_if_leases_are_on() {
    let server = RedisServer::start();
    let redis = Redis::new(server.url()).lease(secs(1));
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(1_000)).max_hold(secs(1));
    let limiter = limiter.redis(redis).build().unwrap();
    call(&limiter).unwrap().refused(used_up());
    let mut probe = None;
    eventually("a lease is granted", || {
        probe = limiter.try_acquire(Cost::new()).ok();
        probe.is_some()
    });
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::Exhausted { .. })));
    drop(probe);
    eventually("a lease is granted", || limiter.try_acquire(Cost::new()).is_ok());
    assert!(!is_exhausted(&limiter));
}

#[test]
fn a_call_that_waits_during_a_hold_goes_on_soon_after_another_process_ended_it() {
    let (_server, one, other) = pair();
    hold(&one, &other, secs(300));
    std::thread::scope(|scope| {
        let call = scope.spawn(|| other.acquire(Cost::new()).timeout(secs(400)).blocking());
        eventually("it waits", || other.status().unwrap().waiting == 1);
        let start = Instant::now();
        one.release().unwrap();
        drop(call.join().unwrap().unwrap());
        assert!(start.elapsed() < secs(20), "it waited for {:?}", start.elapsed());
    });
}

#[test]
fn calls_that_are_refused_during_a_hold_notice_soon_that_another_process_ended_it() {
    let server = RedisServer::start();
    let rate = Rate::per_second(1_000);
    let limiter = |redis| RateLimiter::builder().name("chat").requests(rate).redis(redis).build().unwrap();
    let one = limiter(Redis::new(server.url()));
    let other = limiter(Redis::new(server.url()).lease(millis(50)));
    let outer = RateLimiter::builder().requests(rate).build().unwrap();
    let takes: [&dyn Fn() -> bool; 3] = [
        &|| other.acquire(Cost::new()).timeout(secs(1)).blocking().is_ok(),
        &|| other.try_acquire(Cost::new()).is_ok(),
        &|| Stack::of((&other, &outer)).acquire(Cost::new()).timeout(secs(1)).blocking().is_ok(),
    ];
    for take in takes {
        drop(call(&one).unwrap());
        hold(&one, &other, secs(300));
        assert!(!take());
        one.release().unwrap();
        one.flush(secs(20)).blocking().unwrap();
        eventually("it is noticed", take);
    }
}

#[test]
fn many_refusals_at_once_share_batches() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_second(100_000));
    let limiter = limiter.redis(server.url()).build().unwrap();
    let permits: Vec<_> = (0..1_000).map(|_| call(&limiter).unwrap()).collect();
    let batches = || server.calls("evalsha");
    let before = batches();
    let refusal = Observation::from_parts(429, [("retry-after", "300")], b"");
    permits.into_iter().for_each(|permit| _ = permit.refused(&refusal));
    limiter.flush(secs(20)).blocking().unwrap();
    let sent = batches() - before;
    assert!(sent <= 250, "{sent} batches");
}
