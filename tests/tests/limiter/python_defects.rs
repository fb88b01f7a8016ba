//! Tests for defects observed in other rate limiters for the same APIs. Each test is named after a
//! defect and asserts that this library does not have it.
//!
//! The other files test the general behaviour behind each defect.

use std::path::Path;
use std::thread;
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Rate, RateLimiter};
use openlimit_tests::{Call, at_once, millis, nanos, plain, secs};
use tokio::time::Instant;

/// The limits of a small account.
fn account(clock: &ManualClock) -> RateLimiter {
    RateLimiter::builder()
        .clock(clock)
        .requests(Rate::per_minute(200))
        .tokens(Rate::per_minute(40_000))
        .build()
        .expect("build failed")
}

#[test]
fn a_request_above_one_seconds_worth_of_tokens_waits_for_ever() {
    for tokens in [667, 8_000, 40_000] {
        let clock = ManualClock::new();
        let limiter = account(&clock);
        drop(Call::start(limiter.acquire(tokens)).admitted());
        let next = Call::start(limiter.acquire(tokens));
        clock.advance(secs(61));
        assert!(next.admitted().waited() > Duration::ZERO);
    }
}

#[test]
fn fewer_than_sixty_requests_a_minute_are_never_admitted() {
    for rate in [1, 3, 20, 59] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).requests(Rate::per_minute(rate)).build().expect("build failed");
        let calls: Vec<Call> = (0..=rate).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
        // Each call waits until the bucket is empty, in whole nanoseconds.
        clock.advance(secs(60) + nanos(rate));
        for call in calls {
            drop(call.admitted());
        }
    }
}

#[test]
fn a_limit_of_zero_fails_at_the_first_call_and_a_cost_of_nothing_mints_capacity() {
    assert!(RateLimiter::builder().requests(Rate::per_minute(0)).build().is_err());
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(10)).build().expect("build failed");
    for _ in 0..100 {
        Call::start(limiter.acquire(0)).admitted().settle(0);
        drop(Call::start(limiter.acquire(0)).admitted());
        Call::start(limiter.acquire(0)).admitted().cancel();
    }
    assert!(limiter.try_acquire(10).is_ok());
    assert!(limiter.try_acquire(1).is_err());
}

#[test]
fn callers_are_served_in_no_order() {
    let clock = ManualClock::new();
    let limiter = account(&clock);
    let calls: Vec<Call> = (0..100).map(|call| Call::start(limiter.acquire(call * 37 % 500))).collect();
    clock.advance(secs(600));
    let waited: Vec<Duration> = calls.into_iter().map(|call| call.admitted().waited()).collect();
    assert!(waited.is_sorted(), "calls were admitted out of order: {waited:?}");
}

#[test]
fn a_large_request_starves_behind_small_ones() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("build failed");
    drop(Call::start(limiter.acquire(100)).admitted());
    let large = Call::start(limiter.acquire(90));
    // Small calls arrive for a minute, at the rate of the limit.
    let mut small = Vec::new();
    for _ in 0..6_000 {
        small.push(Call::start(limiter.acquire(1)));
        clock.advance(millis(10));
    }
    assert_eq!(large.admitted().waited(), millis(900));
}

#[test]
fn every_waiter_polls() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(100)).build().expect("build failed");
    let calls: Vec<Call> = (0..10_100).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
    clock.advance(secs(50));
    let woken: usize = calls.iter().map(Call::wakes).sum();
    assert_eq!(woken, 5_000, "not only the admitted calls were woken, once each");
}

#[test]
fn the_use_of_a_limit_falls_as_its_period_grows() {
    for period in [secs(1), secs(60), secs(3_600), secs(86_400)] {
        let clock = ManualClock::new();
        let rate = Rate::new(1_000, period).burst(period / 1_000);
        let limiter = plain(&clock).requests(rate).build().expect("build failed");
        let mut calls: Vec<Call> = (0..2_000).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
        clock.advance(period - nanos(1));
        assert_eq!(calls.iter_mut().map(Call::poll).filter(|over| *over).count(), 1_000, "{period:?}");
    }
}

/// The wall clock can step back or forward while a program runs, so the library must not read it,
/// other than for limits that reset at a time of day, and for prices that depend on the date.
#[test]
fn the_wall_clock_stepping_hangs_every_caller_or_gives_a_free_burst() {
    fn read(directory: &Path, files: &mut usize) {
        for entry in directory.read_dir().expect("cannot read sources") {
            let path = entry.expect("cannot read sources").path();
            if path.ends_with("testing") {
                // The test provider reads the wall clock to date its answers.
            } else if path.is_dir() {
                read(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let source = std::fs::read_to_string(&path).expect("source is not text");
                // The dates of responses are related to each other there, not to the clock.
                let is_in = |name: &str| path.components().any(|part| part.as_os_str() == name);
                let reads = match (is_in("feedback"), is_in("time")) {
                    (true, _) => ["SystemTime::now", ".elapsed("],
                    (_, true) => ["SystemTime::now"; 2],
                    _ => ["SystemTime"; 2],
                };
                let reads = reads.into_iter().any(|reads| source.contains(reads));
                let may = ["time/date.rs", "pricing/money/prices.rs"].iter().any(|file| path.ends_with(file));
                assert!(!reads || may, "{} reads the wall clock", path.display());
                *files += 1;
            }
        }
    }

    let mut files = 0;
    read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../openlimit/src"), &mut files);
    assert!(files > 20, "only {files} source files were found");
}

#[test]
fn threads_are_admitted_beyond_the_limit_when_they_switch_often() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(400)).build().expect("build failed");
    let admitted: u64 = thread::scope(|scope| {
        let attempt = || {
            let one = || {
                thread::yield_now();
                u64::from(limiter.try_acquire(Cost::new()).is_ok())
            };
            (0..400).map(|_| one()).sum::<u64>()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(attempt)).collect();
        threads.into_iter().map(|thread| thread.join().expect("thread panicked")).sum()
    });
    assert_eq!(admitted, 400);
}

#[test]
fn a_cancelled_caller_makes_the_next_one_wait() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("build failed");
    assert_eq!(at_once(&limiter), 1);
    let (cancelled, next) =
        (Call::start(limiter.acquire(Cost::new())), Call::start(limiter.acquire(Cost::new())));
    drop(cancelled);
    clock.advance(secs(1));
    assert_eq!(next.admitted().waited(), secs(1));
}

/// While many calls wait on a single-threaded runtime, its other tasks still run.
#[tokio::test(start_paused = true)]
async fn waiting_blocks_the_event_loop() {
    let limiter = RateLimiter::builder().requests(Rate::per_minute(1)).build().expect("build failed");
    drop(limiter.acquire(Cost::new()).await.expect("call was refused"));
    let waiting: Vec<_> = (0..1_000).map(|_| tokio::spawn(limiter.acquire(Cost::new()))).collect();
    let start = Instant::now();
    // This task runs between the waiting tasks, and the paused time does not move meanwhile.
    let other = tokio::spawn(async {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        Instant::now()
    });
    assert_eq!(other.await.expect("task panicked"), start);
    assert!(waiting.iter().all(|task| !task.is_finished()));
    assert!(matches!(limiter.try_acquire(Cost::new()), Err(AcquireError::WouldWait { .. })));
}
