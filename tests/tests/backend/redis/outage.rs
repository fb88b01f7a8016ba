//! Outages of Redis: calls wait, or the process goes on alone within its share. Either way it
//! recovers by itself, and what it took meanwhile is owed.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::thread;
use std::time::{Duration, Instant};

use openlimit::feedback::Observation;
use openlimit::{AcquireError, Cost, OnOutage, Percent, Permit, Rate, RateLimiter, Redis, StoreStatus};
use openlimit_tests::redis::{Proxy, RedisServer};
use openlimit_tests::{millis, secs};

/// One server, and a way to it that can be cut.
struct World {
    server: RedisServer,
    proxy: Proxy,
}

impl World {
    fn new() -> Self {
        let server = RedisServer::start();
        let proxy = Proxy::to(server.address());
        Self { server, proxy }
    }

    fn redis(&self) -> Redis {
        Redis::new(self.server.url_at(self.proxy.address())).timeout(secs(2))
    }

    fn away(&self) {
        self.proxy.refuse();
        self.proxy.cut();
    }

    /// A limiter that shares `rate`, by the way that can be cut.
    fn limiter(&self, rate: Rate, on_outage: OnOutage) -> RateLimiter {
        let builder = RateLimiter::builder().name("chat").requests(rate);
        builder.redis(self.redis().on_outage(on_outage)).build().unwrap()
    }

    /// Another that shares it, by a way that cannot.
    fn other(&self, rate: Rate) -> RateLimiter {
        RateLimiter::builder().name("chat").requests(rate).redis(self.server.url()).build().unwrap()
    }
}

fn take(limiter: &RateLimiter, requests: u64, timeout: Duration) -> Result<Permit, AcquireError> {
    limiter.acquire(Cost::new().requests(requests)).timeout(timeout).blocking()
}

fn store(limiter: &RateLimiter) -> StoreStatus {
    limiter.status().unwrap().store.unwrap()
}

/// Waits until the limiter knows that its server is there.
fn until_back(limiter: &RateLimiter) {
    let deadline = Instant::now() + secs(20);
    while let Some(error) = store(limiter).error {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(millis(5));
    }
}

/// A hundred at once, and 1.7 a second.
const SLOW: Rate = Rate::per_minute(100).burst(Duration::from_secs(60));

const HALF: OnOutage = OnOutage::Local(Percent(50));

#[test]
fn alone_a_process_observes_a_hold_that_another_began() {
    let world = World::new();
    let (limiter, other) = (world.limiter(SLOW, HALF), world.other(SLOW));
    for limiter in [&limiter, &other] {
        drop(take(limiter, 1, secs(20)).unwrap());
    }
    other.hold(secs(300), "429").unwrap();
    other.flush(secs(20)).blocking().unwrap();
    limiter.flush(secs(20)).blocking().unwrap();
    world.away();
    let deadline = Instant::now() + secs(20);
    while store(&limiter).error.is_none() {
        assert!(Instant::now() < deadline, "the outage is not noticed");
        let _ = limiter.flush(millis(500)).blocking();
    }
    let refusal = take(&limiter, 1, millis(100)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Held { .. }), "{refusal}");
}

#[test]
fn alone_a_process_refuses_calls_while_a_quota_is_used_up_and_tells_the_others_afterwards() {
    let world = World::new();
    let (limiter, other) = (world.limiter(SLOW, HALF), world.other(SLOW));
    for limiter in [&limiter, &other] {
        drop(take(limiter, 1, secs(20)).unwrap());
    }
    world.away();
    let permit = take(&limiter, 1, secs(20)).unwrap();
    assert!(store(&limiter).error.is_some());
    let body = br#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#;
    permit.refused(Observation::new(429).body(body));
    let refusal = take(&limiter, 1, secs(20)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Exhausted { .. }), "{refusal}");
    world.proxy.resume();
    limiter.flush(secs(20)).blocking().unwrap();
    other.flush(secs(20)).blocking().unwrap();
    let refusal = take(&other, 1, secs(20)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Exhausted { .. }), "{refusal}");
}

#[test]
fn alone_a_process_never_takes_more_than_its_share() {
    let world = World::new();
    // 200 a second and 200 at once, of which a quarter: 50.
    let limiter = world.limiter(Rate::per_second(200), OnOutage::Local(Percent(25)));
    world.away();
    let start = Instant::now();
    let mut waited = Duration::ZERO;
    for count in 1..=90 {
        waited = waited.max(take(&limiter, 1, secs(20)).unwrap().waited());
        let most = 50.0 + 50.0 * start.elapsed().as_secs_f64();
        assert!(f64::from(count) <= most, "{count} of {most}");
    }
    assert!(waited > Duration::ZERO);
    let status = store(&limiter);
    assert!(status.error.unwrap().to_string().contains("cannot be reached"));
    assert_eq!(status.outages, 1);
}

#[test]
fn what_is_known_to_be_taken_counts_while_alone() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    drop(take(&limiter, 80, secs(20)).unwrap());
    world.away();
    // Half of it is in this process's half: some 10 of 50 are left.
    drop(take(&limiter, 5, secs(20)).unwrap());
    let refusal = take(&limiter, 20, secs(1)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
}

#[test]
fn alone_a_call_that_may_not_wait_is_refused_by_the_share() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    drop(take(&limiter, 1, secs(20)).unwrap());
    world.away();
    // Waits until the process decides alone.
    while store(&limiter).error.is_none() {
        drop(take(&limiter, 1, secs(20)).unwrap());
    }
    let refusal = loop {
        if let Err(refusal) = limiter.try_acquire(Cost::new()) {
            break refusal;
        }
    };
    assert!(matches!(refusal, AcquireError::WouldWait { .. }), "{refusal}");
    assert!(refusal.retry_after().is_some());
}

#[test]
fn alone_calls_above_the_share_of_the_limit_are_refused() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    world.away();
    // By the whole limit it fits; half of it would take it into debt for long.
    drop(take(&limiter, 30, secs(20)).unwrap());
    let refusal = take(&limiter, 90, secs(1)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
}

#[test]
fn alone_a_call_above_the_share_takes_an_unused_share_into_debt() {
    let world = World::new();
    let rate = Rate::per_second(100).burst(secs(1));
    let limiter = world.limiter(rate, OnOutage::Local(Percent(1)));
    world.away();
    // Waits until the process decides alone, at one request a second.
    drop(take(&limiter, 1, secs(20)).unwrap());
    drop(take(&limiter, 60, secs(20)).unwrap());
    let refusal = take(&limiter, 1, secs(5)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Timeout { .. }), "{refusal}");
    let refusal = take(&limiter, 101, secs(5)).unwrap_err();
    assert!(matches!(refusal, AcquireError::TooLarge { .. }), "{refusal}");
}

#[test]
fn recovery_needs_nobody_and_what_was_taken_is_owed() {
    let world = World::new();
    let (limiter, other) = (world.limiter(SLOW, HALF), world.other(SLOW));
    drop(take(&limiter, 1, secs(20)).unwrap());
    world.away();
    drop(take(&limiter, 40, secs(20)).unwrap());
    drop(take(&other, 1, secs(20)).unwrap());
    // No calls arrive.
    world.proxy.resume();
    until_back(&limiter);
    let refused_or_granted = |requests| {
        // The debt is sent in a batch of its own, soon.
        let deadline = Instant::now() + secs(4);
        loop {
            match take(&other, requests, millis(500)) {
                Ok(permit) if Instant::now() < deadline => permit.cancel(),
                result => return result.is_ok(),
            }
            thread::sleep(millis(50));
        }
    };
    // 42 of 100 are taken, and a few have leaked since.
    assert!(!refused_or_granted(80));
    drop(take(&other, 40, millis(500)).unwrap());
    assert_eq!((store(&limiter).error.is_none(), store(&limiter).outages), (true, 1));
}

#[test]
fn outages_charge_nothing_that_nobody_took() {
    const DAY: Rate = Rate::per_day(1_000);
    let world = World::new();
    let limiter = world.limiter(DAY, HALF);
    drop(take(&limiter, 400, secs(20)).unwrap());
    for _ in 0..3 {
        world.away();
        while store(&limiter).error.is_none() {
            let _ = take(&limiter, 1, millis(10)).map(Permit::cancel);
        }
        drop(take(&limiter, 1, secs(20)).unwrap());
        world.proxy.resume();
        until_back(&limiter);
    }
    // The process reports soon after what it took alone: a call or two each time.
    thread::sleep(millis(200));
    drop(take(&world.other(DAY), 560, secs(5)).unwrap());
}

#[test]
fn outages_are_counted() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    drop(take(&limiter, 1, secs(20)).unwrap());
    assert_eq!((store(&limiter).error.is_none(), store(&limiter).outages), (true, 0));
    for outages in 1..=3 {
        world.away();
        drop(take(&limiter, 1, secs(20)).unwrap());
        assert_eq!((store(&limiter).error.is_some(), store(&limiter).outages), (true, outages));
        world.proxy.resume();
        until_back(&limiter);
        drop(take(&limiter, 1, secs(20)).unwrap());
    }
    assert_eq!(store(&limiter).outages, 3);
}

#[test]
fn those_who_wait_when_it_goes_away_are_served_alone() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    world.proxy.freeze();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..8).map(|_| scope.spawn(|| take(&limiter, 2, secs(20)))).collect();
        for call in calls {
            drop(call.join().unwrap().unwrap());
        }
    });
    assert!(store(&limiter).error.unwrap().to_string().contains("did not reply within"));
}

#[test]
fn what_does_not_pass_is_no_outage() {
    let world = World::new();
    let limiter = world.limiter(SLOW, HALF);
    drop(take(&limiter, 1, secs(20)).unwrap());
    world.server.cli::<()>("CONFIG SET requirepass secret");
    // The cut is one, until it is tried again.
    world.proxy.cut();
    let deadline = Instant::now() + secs(20);
    let refusal = loop {
        match take(&limiter, 1, secs(20)) {
            Ok(permit) => permit.cancel(),
            Err(refusal) => break refusal,
        }
        assert!(Instant::now() < deadline);
        thread::sleep(millis(20));
    };
    // A changed password admits no call past the limit.
    for _ in 0..3 {
        assert!(refusal.to_string().contains("rejects the client"), "{refusal}");
        assert!(take(&limiter, 1, secs(20)).is_err());
    }
    assert_eq!((store(&limiter).error.is_none(), store(&limiter).outages), (true, 1));
    // The limiter recovers when the password is right again.
    world.server.query::<()>(redis::cmd("CONFIG").arg("SET").arg("requirepass").arg(""));
    world.proxy.cut();
    drop(take(&limiter, 1, secs(20)).unwrap());
}

#[test]
fn by_default_calls_wait_and_none_is_admitted() {
    let world = World::new();
    let limiter = world.limiter(SLOW, OnOutage::Wait);
    drop(take(&limiter, 1, secs(20)).unwrap());
    world.away();
    let refusal = take(&limiter, 1, millis(300)).unwrap_err();
    assert!(matches!(refusal, AcquireError::Store { .. }), "{refusal}");
    assert!(take(&limiter, 1, Duration::ZERO).is_err());
    assert!(limiter.try_acquire(Cost::new()).is_err());
    world.proxy.resume();
    drop(take(&limiter, 1, secs(20)).unwrap());
    assert_eq!((store(&limiter).error.is_none(), store(&limiter).outages), (true, 1));
}

#[test]
fn patience_is_for_calls_without_a_time_out_of_their_own() {
    let world = World::new();
    world.away();
    let builder = RateLimiter::builder().name("chat").requests(SLOW);
    let limiter = builder.redis(world.redis().patience(millis(100))).build().unwrap();
    let waited = |result: Result<Permit, AcquireError>| match result.unwrap_err() {
        AcquireError::Store { waited, .. } => waited,
        error => panic!("{error}"),
    };
    assert!(waited(limiter.acquire(Cost::new()).blocking()) >= millis(100));
    assert!(waited(take(&limiter, 1, millis(600))) >= millis(600));
    assert!(waited(take(&limiter, 1, millis(20))) >= millis(20));
    // The patience begins when the call arrives, however long the server has been away.
    assert!(waited(limiter.acquire(Cost::new()).blocking()) >= millis(100));
}

#[test]
fn what_was_given_back_while_it_was_away_is_given_back_when_it_is_there() {
    let world = World::new();
    let (limiter, other) = (world.limiter(SLOW, OnOutage::Wait), world.other(SLOW));
    let permit = take(&limiter, 90, secs(20)).unwrap();
    world.away();
    permit.cancel();
    assert!(take(&other, 60, secs(5)).is_err());
    world.proxy.resume();
    // In time the 60 would be there after half a minute.
    let deadline = Instant::now() + secs(20);
    while let Err(error) = take(&other, 60, secs(1)) {
        assert!(Instant::now() < deadline, "{error}");
        thread::sleep(millis(20));
    }
}
