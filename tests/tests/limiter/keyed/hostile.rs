//! Keys that come from anywhere: many, long, or of a type that panics.

use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, BuildProblem, Cost, Keyed, Rate, RateLimiter};
use openlimit_tests::{at_once, secs};

use super::builder;

#[test]
fn beyond_max_keys_new_keys_are_refused_and_known_ones_go_on() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).name("tenants").max_keys(1_000).build().unwrap();
    for key in 0..1_000 {
        drop(tenants.of(&key.to_string()).try_acquire(Cost::new()).unwrap());
    }
    let stranger = tenants.of("stranger");
    let error = stranger.try_acquire(Cost::new()).unwrap_err();
    assert!(matches!(error, AcquireError::TooManyKeys { max_keys: 1_000, .. }), "{error}");
    assert_eq!(
        error.to_string(),
        "limiter `tenants` cannot take another key: 1000 are in use, which is its `max_keys`; try again when \
         some are idle, or raise `max_keys`"
    );
    assert_eq!((error.limiter().as_ref(), error.retry_after(), error.limit()), ("tenants", None, None));
    assert!(matches!(stranger.acquire(1).blocking(), Err(AcquireError::TooManyKeys { .. })));
    let problem = stranger.status().unwrap_err();
    assert!(matches!(problem.problem(), BuildProblem::TooManyKeys(1_000)), "{problem}");
    for key in 0..1_000 {
        assert_eq!(at_once(&tenants.of(&key.to_string())), 9);
    }
    assert_eq!(tenants.len(), 1_000);
}

#[test]
fn a_hundred_thousand_keys_leave_those_in_use_alone_and_take_bounded_room() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).max_keys(1_000).build().unwrap();
    let anna = tenants.of("anna");
    let (mut admitted, mut most) = (0, 0);
    for key in 0..100_000_u64 {
        // Each takes a second to flow back, and twenty thousand come in each second.
        if key % 10_000 == 0 {
            clock.advance(secs(1) / 2);
        }
        admitted += u64::from(tenants.of(&format!("hostile {key}")).try_acquire(1_000).is_ok());
        most = most.max(tenants.len());
    }
    assert!(most <= 1_000, "{most} keys");
    assert!(admitted >= 4_000, "{admitted} admitted");
    drop(anna.try_acquire(1_000).unwrap());
    assert!(tenants.of("anna").try_acquire(1).unwrap_err().retry_after().is_some());
}

#[test]
fn long_keys_are_keys() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    let (one, other) = ("x".repeat(1 << 20), "x".repeat((1 << 20) + 1));
    assert_eq!(at_once(&tenants.of(&one)), 10);
    assert_eq!(at_once(&tenants.of(&other)), 10);
    assert_eq!(at_once(&tenants.of("")), 10);
}

/// A key of which everything that it does may panic.
#[derive(Debug, PartialOrd, Ord)]
struct Bomb(u64, &'static str);

impl Bomb {
    fn goes_off(&self, when: &str) {
        assert!(self.1 != when, "it goes off");
    }
}

impl Clone for Bomb {
    fn clone(&self) -> Self {
        self.goes_off("clone");
        Self(self.0, self.1)
    }
}

impl PartialEq for Bomb {
    fn eq(&self, other: &Self) -> bool {
        self.goes_off("eq");
        other.goes_off("eq");
        self.0 == other.0
    }
}

impl Eq for Bomb {}

impl Hash for Bomb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.goes_off("hash");
        self.0.hash(state);
    }
}

#[test]
fn a_key_that_panics_harms_no_other_key() {
    let clock = ManualClock::new();
    let builder = RateLimiter::builder().requests(Rate::per_day(1)).clock(&clock);
    let tenants: Keyed<Bomb, RateLimiter> = builder.keyed().max_keys(2).build().unwrap();
    drop(tenants.of(&Bomb(1, "")).try_acquire(Cost::new()).unwrap());
    for when in ["hash", "eq", "clone"] {
        for number in 1..=100 {
            _ = catch_unwind(AssertUnwindSafe(|| drop(tenants.of(&Bomb(number, when)))));
        }
    }
    assert!(tenants.of(&Bomb(1, "")).try_acquire(Cost::new()).is_err());
    // No room was lost.
    clock.advance(secs(2 * 86_400));
    for number in 1_000..1_100 {
        assert!(tenants.of(&Bomb(number, "")).status().is_ok());
    }
}

#[test]
fn wrong_declarations_are_errors() {
    let clock = ManualClock::new();
    let error = builder(&clock).max_keys(0).build().unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::NoKeys), "{error}");
    let error = RateLimiter::builder().keyed::<u64>().build().unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::NoLimits), "{error}");
    let shared = RateLimiter::builder().requests(Rate::per_day(1)).name("tenants").redis("redis://localhost");
    let error = shared.keyed::<u64>().build().unwrap_err();
    assert!(matches!(error.problem(), BuildProblem::NamelessKeys), "{error}");
    assert!(builder(&clock).max_keys(usize::MAX).build().is_ok());
}
