//! Calls that are settled, cancelled, dropped or timed out: the change reaches the other limiters,
//! before the call is admitted and after it.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::{AcquireError, Cost, Dimension, Percent, Permit, Rate, RateLimiter, Usage};
use openlimit_tests::redis::RedisServer;
use openlimit_tests::{Call, eventually, millis, secs};

/// A hundred at once, and one in two seconds: almost nothing leaks during a test.
const SLOW: Rate = Rate::per_hour(1_800).burst(Duration::from_secs(200));

/// Two limiters that share it.
fn pair() -> (RedisServer, RateLimiter, RateLimiter) {
    let server = RedisServer::start();
    let limiter = || RateLimiter::builder().name("chat").tokens(SLOW).redis(server.url()).build().unwrap();
    let (one, other) = (limiter(), limiter());
    (server, one, other)
}

fn take(limiter: &RateLimiter, tokens: u64) -> Result<Permit, AcquireError> {
    limiter.acquire(tokens).timeout(secs(20)).blocking()
}

/// Asserts that a call is admitted soon, since a refund for it is under way.
#[track_caller]
fn soon(limiter: &RateLimiter, tokens: u64) -> Permit {
    soon_at(limiter, Cost::from(tokens))
}

#[track_caller]
fn soon_at(limiter: &RateLimiter, cost: Cost) -> Permit {
    let deadline = Instant::now() + secs(10);
    loop {
        match limiter.acquire(cost.clone()).timeout(secs(5)).blocking() {
            Ok(permit) => return permit,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        thread::sleep(millis(20));
    }
}

/// Waits until the refunds and debts have reached the server.
fn said(server: &RedisServer, scripts: u64) {
    eventually("a script", || server.calls("evalsha") + server.calls("eval") > scripts);
}

#[test]
fn what_was_not_used_is_given_back_to_the_others() {
    let (_server, one, other) = pair();
    let permit = take(&one, 90).unwrap();
    assert!(take(&other, 60).is_err());
    permit.settle(10);
    drop(soon(&other, 60));
    assert!(take(&other, 60).is_err());
}

/// Calls are made and cancelled in turns, so the script thins out again what it has thinned out. It
/// may then lose up to 3.4 % (simulated).
#[test]
fn calls_that_are_cancelled_while_others_are_made_leave_hardly_anything_behind() {
    const AMOUNT: u64 = 20_000;
    for newest in [200, usize::MAX] {
        let server = RedisServer::start();
        let builder = RateLimiter::builder().name("chat").requests(Rate::per_day(AMOUNT)).redis(server.url());
        let limiter = builder.jitter(Duration::ZERO).headroom(Percent(0)).build().unwrap();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        let mut below = |most: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % most as u64).unwrap()
        };
        let (mut permits, mut held) = (Vec::new(), 0);
        for _ in 0..12_000 {
            let amount = 1 + below(99) as u64;
            if held + amount < AMOUNT * 9 / 10 && (permits.len() < 20 || below(100) < 55) {
                let permit = limiter.acquire(Cost::new().requests(amount)).timeout(secs(5)).blocking();
                let Ok(permit) = permit else { continue };
                permits.push((permit, amount));
                held += amount;
            } else {
                let place = permits.len() - 1 - below(permits.len().min(newest));
                let (permit, amount) = permits.remove(place);
                permit.cancel();
                held -= amount;
            }
        }
        permits.into_iter().for_each(|(permit, _)| permit.cancel());
        limiter.flush(secs(20)).blocking().unwrap();
        let lost = AMOUNT - limiter.status().unwrap().limits[0].available;
        assert!(lost <= AMOUNT / 20, "{lost} of {AMOUNT} are lost");
    }
}

/// The script keeps at most some 64 pairs of a charge and the level before it for each limit, and
/// thins them out beyond that. So of what the calls took, it may lose one part in 32, however many
/// they are.
#[test]
fn thousands_of_calls_that_are_cancelled_leave_hardly_anything_behind() {
    for calls in [32, 64, 256, 512, 3_000] {
        let server = RedisServer::start();
        let day = Rate::per_day(10_000);
        let builder = RateLimiter::builder().name("chat").requests(day).redis(server.url());
        let limiter = builder.jitter(Duration::ZERO).headroom(Percent(0)).build().unwrap();
        let permits: Vec<_> = (0..calls).map(|_| limiter.acquire(Cost::new()).blocking().unwrap()).collect();
        permits.into_iter().for_each(Permit::cancel);
        limiter.flush(secs(20)).blocking().unwrap();
        let lost = 10_000 - limiter.status().unwrap().limits[0].available;
        assert!(lost <= calls / 32 + 1, "of {calls} calls, {lost} are lost");
    }
}

#[test]
fn what_was_used_beyond_is_owed_by_the_others() {
    let (server, one, other) = pair();
    let permit = take(&one, 10).unwrap();
    let scripts = server.calls("evalsha") + server.calls("eval");
    permit.settle(Usage::new(60, 25));
    said(&server, scripts);
    assert!(take(&other, 60).is_err());
    drop(take(&other, 5).unwrap());
}

#[test]
fn with_refunds_turned_off_nothing_is_given_back() {
    let server = RedisServer::start();
    let builder = || RateLimiter::builder().name("chat").tokens(SLOW).redis(server.url()).refunds(false);
    let (one, other) = (builder().build().unwrap(), builder().build().unwrap());
    take(&one, 90).unwrap().settle(10);
    thread::sleep(millis(100));
    assert!(take(&other, 60).is_err());
}

#[test]
fn a_cancelled_call_is_given_back_and_a_dropped_permit_is_not() {
    let (_server, one, other) = pair();
    let permit = take(&one, 90).unwrap();
    assert!(take(&other, 60).is_err());
    permit.cancel();
    let permit = soon(&other, 90);
    drop(permit);
    thread::sleep(millis(100));
    assert!(take(&one, 60).is_err());
}

#[test]
fn what_is_given_back_while_the_server_refuses_the_user_reaches_it_later() {
    let server = RedisServer::builder().user("ann", "secret", "~* &* +@all").start();
    let limiter = || RateLimiter::builder().name("chat").tokens(SLOW).redis(server.url()).build().unwrap();
    let (one, other) = (limiter(), limiter());
    let permit = take(&one, 90).unwrap();
    server.cli::<()>("ACL SETUSER ann -eval -evalsha");
    permit.cancel();
    assert!(one.flush(secs(20)).blocking().is_err());
    server.cli::<()>("ACL SETUSER ann +eval +evalsha");
    one.flush(secs(20)).blocking().unwrap();
    drop(soon(&other, 90));
}

#[test]
fn whoever_leaves_the_queue_gives_back_what_was_reserved_for_it() {
    let (_server, one, other) = pair();
    drop(take(&one, 90).unwrap());
    // It waits for a minute or two, and its place is reserved.
    let waiter = Call::start(one.acquire(80));
    thread::sleep(millis(50));
    // A call behind it has to wait as well.
    assert!(take(&other, 5).is_err());
    drop(waiter);
    drop(soon(&other, 5));
}

#[test]
fn whoever_waits_takes_over_from_one_who_leaves() {
    let (_server, one, _other) = pair();
    drop(take(&one, 90).unwrap());
    let first = Call::start(one.acquire(80));
    let mut second = Call::start(one.acquire(3));
    thread::sleep(millis(50));
    assert!(!second.poll());
    drop(first);
    eventually("its turn", || second.poll());
    drop(second.admitted());
}

/// The same with a second limit, whose bucket would run empty while a call waits for the first.
fn both(server: &RedisServer) -> RateLimiter {
    let requests = Rate::per_hour(3_600).burst(secs(100));
    RateLimiter::builder().name("both").tokens(SLOW).requests(requests).redis(server.url()).build().unwrap()
}

#[test]
fn whoever_waits_for_long_goes_as_soon_as_enough_is_given_back() {
    let server = RedisServer::start();
    let limiter = both(&server);
    for give_back in [|permit: Permit| permit.settle(10), Permit::cancel] {
        let permit = take(&limiter, 90).unwrap();
        // For more than a minute.
        let mut waiter = Call::start(limiter.acquire(50));
        thread::sleep(millis(50));
        assert!(!waiter.poll());
        give_back(permit);
        eventually("its turn", || waiter.poll());
        waiter.admitted().cancel();
    }
    // Other calls are admitted at once, too.
    drop(soon_at(&limiter, Cost::new().requests(80)));
}

#[test]
fn whoever_waited_for_long_and_left_leaves_no_trace_in_any_limit() {
    let server = RedisServer::start();
    let limiter = both(&server);
    drop(take(&limiter, 90).unwrap());
    let waiter = Call::start(limiter.acquire(80));
    thread::sleep(millis(50));
    drop(waiter);
    drop(soon_at(&both(&server), Cost::new().requests(90).tokens(1)));
}

#[test]
fn an_admission_that_nobody_looked_at_is_given_back() {
    let (_server, one, other) = pair();
    let call = Call::start(one.acquire(90));
    eventually("its admission", || call.wakes() > 0);
    assert!(take(&other, 60).is_err());
    drop(call);
    drop(soon(&other, 60));
}

#[track_caller]
fn too_long(refusal: AcquireError) -> (Duration, Duration) {
    match refusal {
        AcquireError::Timeout { timeout, wait, limit, limiter, .. } => {
            assert_eq!((&*limiter, limit.dimension()), ("chat", &Dimension::Tokens));
            (timeout, wait)
        }
        error => panic!("{error}"),
    }
}

#[test]
fn a_wait_that_is_known_to_be_too_long_fails_at_once_and_costs_nothing() {
    let (server, one, other) = pair();
    drop(take(&one, 90).unwrap());
    // One limiter knows it, and the server reports it to the other.
    for limiter in [&one, &other] {
        let start = Instant::now();
        let (timeout, wait) = too_long(limiter.acquire(60_u64).timeout(secs(60)).blocking().unwrap_err());
        assert_eq!(timeout, secs(60));
        // 50 of them, two seconds each.
        assert!(wait > secs(80) && wait < secs(110), "{wait:?}");
        assert!(start.elapsed() < secs(20));
    }
    drop(take(&other, 5).unwrap());
    // A wait that is known here is refused without a round trip.
    drop(take(&one, 1).unwrap());
    let scripts = server.calls("evalsha");
    let start = Instant::now();
    too_long(one.acquire(60_u64).timeout(secs(60)).blocking().unwrap_err());
    assert!(start.elapsed() > secs(1) || server.calls("evalsha") == scripts);
}

#[test]
fn a_time_out_of_zero_is_never_admitted_and_a_call_that_is_too_large_is_told() {
    let (_server, one, _other) = pair();
    too_long(one.acquire(1_u64).timeout(Duration::ZERO).blocking().unwrap_err());
    let refusal = one.acquire(1_801_u64).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::TooLarge { cost: 1_801, most: 1_800, .. }), "{refusal}");
    let refusal = one.acquire(Cost::new().images(1)).blocking().unwrap_err();
    assert!(matches!(refusal, AcquireError::UnknownDimension { .. }), "{refusal}");
}

#[test]
fn a_permit_says_how_long_it_waited_and_for_what() {
    let server = RedisServer::start();
    let builder = RateLimiter::builder().name("chat").redis(server.url());
    let tokens = Rate::per_second(25).burst(secs(4));
    let limiter = builder.requests(Rate::per_second(100)).tokens(tokens).build().unwrap();
    // Ninety-eight fit at once.
    let start = Instant::now();
    let first = take(&limiter, 90).unwrap();
    assert!(first.waited() <= start.elapsed() + millis(20));
    let before = start.elapsed();
    let second = take(&limiter, 80).unwrap();
    // It departs 2 850 ms after the first, or half of the jitter less.
    assert!(start.elapsed() >= millis(2_820), "{:?}", start.elapsed());
    // The limiter's clock may be a little faster than that of the system.
    assert!(second.waited() <= start.elapsed() - before + millis(20));
    assert!(second.waited() > Duration::ZERO);
    assert_eq!(second.waited_for().unwrap().dimension(), &Dimension::Tokens);
}

#[test]
fn a_call_larger_than_the_burst_goes_into_debt_that_the_others_wait_for() {
    let (_server, one, other) = pair();
    drop(take(&one, 150).unwrap());
    let (_, wait) = too_long(take(&other, 1).unwrap_err());
    assert!(wait > secs(80), "{wait:?}");
}

#[test]
fn what_came_too_late_is_counted_with_the_next_reply() {
    let server = RedisServer::start();
    let limiter = RateLimiter::builder().name("chat").tokens(Rate::per_second(100)).redis(server.url());
    let limiter = limiter.build().unwrap();
    let returned = || {
        limiter.flush(secs(20)).blocking().unwrap();
        limiter.status().unwrap().limits[0].returned
    };
    take(&limiter, 90).unwrap().settle(80);
    assert_eq!((returned().unused, returned().late), (10, 0));
    let permit = take(&limiter, 90).unwrap();
    // At least 60 leak, of which at most 10 were of the first call.
    thread::sleep(millis(600));
    permit.settle(0);
    let returned = returned();
    assert_eq!((returned.reserved, returned.unused), (180, 100));
    assert!((50..=90).contains(&returned.late), "{returned:?}");
}
