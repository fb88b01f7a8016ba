//! Responses: what a provider says is left reaches all processes, and is charged once.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::feedback::Observation;
use openlimit::{Burst, Cost, Rate, RateLimiter, Usage};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::secs;

/// A limiter that shares a thousand requests a day.
fn limiter(server: &RedisServer) -> RateLimiter {
    sharing(server, Rate::per_day(1_000))
}

fn sharing(server: &RedisServer, rate: Rate) -> RateLimiter {
    RateLimiter::builder().name("chat").requests(rate).redis(server.url()).build().unwrap()
}

fn left(remaining: u64) -> Observation {
    let headers = [
        ("x-ratelimit-limit-requests", "1000".to_owned()),
        ("x-ratelimit-remaining-requests", remaining.to_string()),
    ];
    Observation::from_parts(200, headers, b"")
}

/// Returns what is available by the server's next reply.
fn available(limiter: &RateLimiter) -> u64 {
    limiter.flush(secs(20)).blocking().unwrap();
    limiter.status().unwrap().limits[0].available
}

#[test]
fn many_responses_at_a_time_are_charged_once_and_reach_other_processes() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server), limiter(&server));
    drop(one.acquire(Cost::new()).blocking().unwrap());
    for _ in 0..500 {
        one.observe(&left(900)).unwrap();
        // Some of them come while a batch is in flight.
        thread::sleep(Duration::from_micros(50));
    }
    for limiter in [&one, &other] {
        let available = available(limiter);
        assert!((890..=900).contains(&available), "{available} are available");
    }
}

#[test]
fn what_others_took_since_the_call_of_a_response_is_subtracted_once() {
    let server = RedisServer::start();
    let limiters = [(); 4].map(|()| limiter(&server));
    let start = |limiter: &RateLimiter| limiter.acquire(Cost::new()).blocking().unwrap();
    // The limiters count from their first response on.
    limiters.iter().for_each(|limiter| start(limiter).observe(&left(999)));
    let permits = limiters.each_ref().map(start);
    // Another process takes 300 while their calls are on their way.
    drop(limiter(&server).acquire(Cost::new().requests(300)).blocking().unwrap());
    permits.iter().for_each(|permit| permit.observe(&left(890)));
    for limiter in limiters.iter().chain(&limiters) {
        let available = available(limiter);
        assert!((580..=591).contains(&available), "{available} are available");
    }
}

#[test]
fn what_others_took_before_the_call_of_a_response_is_part_of_what_it_says() {
    let server = RedisServer::start();
    let limiter_of = || limiter(&server);
    let (one, other) = (limiter_of(), limiter_of());
    let start = |limiter: &RateLimiter| limiter.acquire(Cost::new()).blocking().unwrap();
    start(&one).observe(&left(999));
    drop(other.acquire(Cost::new().requests(300)).blocking().unwrap());
    start(&one).observe(&left(600));
    for limiter in [&one, &other] {
        let available = available(limiter);
        assert!((590..=600).contains(&available), "{available} are available");
    }
}

#[test]
fn a_response_before_the_first_reply_counts() {
    let server = RedisServer::start();
    let (one, other) = (limiter(&server), limiter(&server));
    drop(one.acquire(Cost::new().requests(400)).blocking().unwrap());
    // It does not know yet that those 400 are missing.
    other.observe(&left(500)).unwrap();
    for limiter in [&other, &one, &other] {
        limiter.flush(secs(20)).blocking().unwrap();
    }
    let available = available(&other);
    assert!((490..=501).contains(&available), "{available} are available");
}

#[test]
fn a_lower_limit_of_the_provider_slows_the_rate_down() {
    let server = RedisServer::start();
    let limiter = sharing(&server, Rate::per_second(1_000));
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    let headers = [("x-ratelimit-limit-requests", "250"), ("x-ratelimit-remaining-requests", "250")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).unwrap();
    let start = Instant::now();
    for taken in 1..=600_u32 {
        drop(limiter.acquire(Cost::new()).timeout(secs(20)).blocking().unwrap());
        let most = 251.0 + 250.0 * start.elapsed().as_secs_f64();
        assert!(f64::from(taken) <= most, "{taken} of {most} were admitted");
    }
}

#[test]
fn a_call_that_is_settled_after_a_response_makes_no_room_beyond_it() {
    let server = RedisServer::start();
    let limiter = limiter(&server);
    drop(limiter.acquire(Cost::new()).blocking().unwrap());
    // The limiter counts from its first response on.
    limiter.observe(&left(999)).unwrap();
    let permit = limiter.acquire(Cost::new().requests(500)).blocking().unwrap();
    permit.observe(&left(100));
    limiter.flush(secs(20)).blocking().unwrap();
    permit.settle(Usage::default().with("requests", 10));
    let available = available(&limiter);
    assert!((90..=101).contains(&available), "{available} are available");
}

#[test]
fn a_burst_that_is_observed_holds_what_the_provider_holds() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_minute(1_000));
    let limiter = limiter.burst(Burst::Observed).redis(server.url()).build().unwrap();
    limiter.observe(&left(1_000)).unwrap();
    // By a burst of one second, the second call would wait for half a minute.
    for requests in [500, 400] {
        let acquire = limiter.acquire(Cost::new().requests(requests));
        drop(acquire.timeout(secs(10)).blocking().unwrap());
    }
    assert!(available(&limiter) <= 400);
}

/// Returns the pace by the server's next reply.
fn pace(limiter: &RateLimiter) -> f64 {
    limiter.flush(secs(20)).blocking().unwrap();
    limiter.status().unwrap().limits[0].pace
}

#[test]
fn a_refusal_slows_down_the_other_processes_and_their_crowd_slows_down_nobody_again() {
    let server = RedisServer::start();
    let limiters = [(); 3].map(|()| sharing(&server, Rate::per_second(100)));
    let crowd = limiters.each_ref().map(|limiter| limiter.acquire(Cost::new()).blocking().unwrap());
    for permit in crowd {
        permit.refused(Observation::new(429));
    }
    for limiter in &limiters {
        let pace = pace(limiter);
        // It climbs by a tenth a second. A second cut would leave a quarter.
        assert!((0.5..1.0).contains(&pace), "{pace}");
    }
    // It climbs back, and all calls get their turn.
    let start = Instant::now();
    for _ in 0..50 {
        limiters.iter().for_each(|limiter| drop(limiter.acquire(Cost::new()).blocking().unwrap()));
    }
    // 150 calls of which the burst covers 100, at half of the rate and more.
    let took = start.elapsed();
    assert!(took < secs(20), "{took:?}");
    assert!(pace(&limiters[0]) > 0.5);
}

#[test]
fn a_limit_that_one_process_adopts_reaches_the_others() {
    let server = RedisServer::start();
    let build = || {
        let limiter = RateLimiter::builder().name("chat").requests(Rate::per_minute(600)).adopt_limits(true);
        limiter.redis(server.url()).build().unwrap()
    };
    let (one, other) = (build(), build());
    drop(one.acquire(Cost::new()).blocking().unwrap());
    for (of, expected) in [("6000", 10.0), ("300", 0.5)] {
        one.observe(&Observation::new(200).header("x-ratelimit-limit-requests", of)).unwrap();
        assert!((pace(&one) - expected).abs() < 1e-3 && (pace(&other) - expected).abs() < 1e-3);
    }
}

#[test]
fn whichever_process_hears_of_it_changes_the_rate_of_all() {
    let server = RedisServer::start();
    let [one, other] = [(); 2].map(|()| sharing(&server, Rate::per_minute(600)));
    let states = |limit: &str| Observation::new(200).header("x-ratelimit-limit-requests", limit);
    drop(one.acquire(Cost::new()).blocking().unwrap());
    // Each has heard of the same limit before, or of none.
    for (limiter, limit, expected) in [
        (&one, "300", 0.5),
        (&other, "600", 1.0),
        (&other, "300", 0.5),
        (&one, "600", 1.0),
        (&other, "300", 0.5),
    ] {
        limiter.observe(&states(limit)).unwrap();
        assert_eq!((pace(limiter), pace(&one), pace(&other)), (expected, expected, expected));
    }
}

#[test]
fn limits_that_one_process_discovers_reach_the_others() {
    let server = RedisServer::start();
    let build = || RateLimiter::builder().name("chat").discover(true).redis(server.url()).build().unwrap();
    let (one, other) = (build(), build());
    let permit = one.acquire(900).blocking().unwrap();
    assert_eq!((pace(&one), pace(&other)), (1.0, 1.0));
    permit.responded(&Observation::new(200).header("x-ratelimit-limit-requests", "6000"));
    // 6 000 a minute, after 30.
    assert!((pace(&one) - 200.0).abs() < 1e-3 && (pace(&other) - 200.0).abs() < 1e-3);
}

#[test]
fn limits_that_nobody_states_are_found_by_trying_for_all_processes() {
    let server = RedisServer::start();
    let build = || RateLimiter::builder().name("chat").discover(true).redis(server.url()).build().unwrap();
    let (one, other) = (build(), build());
    // The burst is one call, so the next ones wait for two seconds.
    drop(one.acquire(Cost::new()).blocking().unwrap());
    thread::scope(|scope| {
        for limiter in [&one, &other] {
            scope.spawn(|| limiter.acquire(Cost::new().requests(9)).blocking().unwrap_err());
        }
        let start = Instant::now();
        while pace(&other) < 1.15 {
            one.observe(&Observation::new(200)).unwrap();
            thread::sleep(Duration::from_millis(20));
            assert!(start.elapsed() < secs(20), "{}", pace(&other));
        }
        // It goes on from the rate that the first one has found.
        other.observe(&Observation::new(200)).unwrap();
        assert!(pace(&other) > 1.15 && pace(&one) > 1.15, "{}", pace(&one));
        drop((one.close(), other.close()));
    });
}
