//! A key is forgotten when that changes nothing, and never otherwise.

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost, Output, Rate, Usage};
use openlimit_tests::{Call, at_once, millis, secs};

use super::{Tenants, builder, crowd};

/// Returns limiters, and what is left to `anna` after `begin`, time and a crowd of other keys.
fn left_after<T>(time: u64, begin: impl FnOnce(&Tenants) -> T) -> (Tenants, u64, T) {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    let begun = begin(&tenants);
    clock.advance(millis(time));
    crowd(&tenants);
    let left = tenants.of("anna").status().unwrap().limits[1].available;
    (tenants, left, begun)
}

fn take(tenants: &Tenants, tokens: u64) {
    drop(tenants.of("anna").try_acquire(tokens).unwrap());
}

#[test]
fn idle_keys_go_when_others_come() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    for _ in 0..10 {
        for key in 0..100 {
            drop(tenants.of(&format!("{} {key}", clock.now().as_millis())).try_acquire(1_000).unwrap());
        }
        clock.advance(secs(2));
    }
    // Those of the last two seconds, a third more, and the last one of each shard.
    assert!(tenants.len() < 300, "{} keys", tenants.len());
}

#[test]
fn a_key_stays_until_everything_has_flowed_back() {
    for time in [0, 300, 999] {
        let (_, left, ()) = left_after(time, |tenants| take(tenants, 1_000));
        assert_eq!(left, time);
    }
    let (_, left, ()) = left_after(1_001, |tenants| take(tenants, 1_000));
    assert_eq!(left, 1_000);
}

#[test]
fn debt_is_not_forgotten() {
    let settle = |tenants: &Tenants| tenants.of("anna").try_acquire(100).unwrap().settle(50_000);
    let (tenants, _, ()) = left_after(10_000, settle);
    assert!(tenants.of("anna").try_acquire(1).is_err());
    let status = tenants.of("anna").status().unwrap();
    assert_eq!(status.limits[1].debt, 39_000);
}

#[test]
fn a_permit_keeps_its_key_and_can_be_settled_late() {
    let (tenants, left, permit) = left_after(60_000, |tenants| tenants.of("anna").try_acquire(100).unwrap());
    assert_eq!(left, 1_000);
    permit.settle(5_100);
    assert_eq!(tenants.of("anna").status().unwrap().limits[1].debt, 4_000);
}

#[test]
fn a_call_that_waits_keeps_its_key_and_its_place() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    take(&tenants, 1_000);
    let mut first = Call::start(tenants.of("anna").acquire(1_000));
    let mut second = Call::start(tenants.of("anna").acquire(1));
    crowd(&tenants);
    assert_eq!(tenants.of("anna").status().unwrap().waiting, 2);
    clock.advance(secs(1));
    crowd(&tenants);
    assert!(first.over().is_some() && second.over().is_none());
    clock.advance(millis(1));
    assert!(second.over().is_some());
}

#[test]
fn a_call_that_was_admitted_and_not_polled_gives_everything_back_if_it_is_dropped() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    take(&tenants, 1_000);
    let call = Call::start(tenants.of("anna").acquire(800));
    clock.advance(secs(1));
    crowd(&tenants);
    assert_eq!(tenants.of("anna").status().unwrap().limits[1].available, 200);
    drop(call);
    assert_eq!(tenants.of("anna").status().unwrap().limits[1].available, 1_000);
}

#[test]
fn a_handle_keeps_its_key() {
    let (tenants, _, anna) = left_after(60_000, |tenants| tenants.of("anna"));
    take(&tenants, 700);
    assert_eq!(anna.status().unwrap().limits[1].available, 300);
}

#[test]
fn a_hold_keeps_its_key_until_it_ends() {
    let hold = |tenants: &Tenants| tenants.of("anna").hold(secs(60), "a test").unwrap();
    let (tenants, left, ()) = left_after(59_000, hold);
    assert_eq!(left, 0);
    assert!(tenants.of("anna").status().unwrap().hold.is_some());
    let (tenants, left, ()) = left_after(61_000, hold);
    assert_eq!(left, 1_000);
    assert_eq!(at_once(&tenants.of("anna")), 10);
}

#[test]
fn a_key_that_was_updated_or_closed_stays_so() {
    let update = |tenants: &Tenants| {
        tenants.of("anna").update(|limits| limits.tokens(Rate::per_second(3_000))).unwrap();
    };
    let (tenants, left, ()) = left_after(600_000, update);
    assert_eq!(left, 3_000);
    // The limits of no other key.
    assert_eq!(tenants.of("berta").status().unwrap().limits[1].available, 1_000);
    let (tenants, _, ()) = left_after(600_000, |tenants| drop(tenants.of("anna").close()));
    assert!(matches!(tenants.of("anna").try_acquire(1), Err(AcquireError::Closed { .. })));
    drop(tenants.of("berta").try_acquire(1).unwrap());
}

#[test]
fn a_pace_that_was_cut_keeps_its_key_until_it_has_recovered() {
    let refused = |tenants: &Tenants| {
        let permit = tenants.of("anna").try_acquire(1).unwrap();
        permit.refused(Observation::from_parts(429, [("retry-after", "1")], b""));
    };
    let (tenants, _, ()) = left_after(3_000, refused);
    assert!(tenants.of("anna").status().unwrap().limits[1].pace < 1.0);
    let (tenants, _, ()) = left_after(20_000, refused);
    assert_eq!(tenants.of("anna").status().unwrap().limits[1].pace, 1.0);
}

#[test]
fn a_lower_limit_of_the_provider_keeps_its_key() {
    let observe = |tenants: &Tenants, limit: &str| {
        let headers = [("x-ratelimit-limit-tokens", limit), ("x-ratelimit-remaining-tokens", limit)];
        let anna = tenants.of("anna");
        let permit = anna.try_acquire(1).unwrap();
        permit.observe(&Observation::from_parts(200, headers, b""));
        permit.observe(&Observation::from_parts(200, headers, b""));
    };
    let (tenants, _, ()) = left_after(600_000, |tenants| observe(tenants, "500"));
    let status = tenants.of("anna").status().unwrap();
    assert_eq!((status.limits[1].provider_allows, status.limits[1].pace), (Some(500), 0.5));
    // One that is as declared is no news, and keeps no key.
    let (tenants, _, ()) = left_after(600_000, |tenants| observe(tenants, "1000"));
    assert!(tenants.len() < 2_000, "{} keys", tenants.len());
}

#[test]
fn a_used_up_quota_keeps_its_key_until_it_is_back() {
    let body = br#"{"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}"#;
    let refused = |tenants: &Tenants| {
        let permit = tenants.of("anna").try_acquire(1).unwrap();
        permit.refused(Observation::new(429).body(body));
    };
    let (tenants, _, ()) = left_after(3_600_000, refused);
    assert!(tenants.of("anna").status().unwrap().hold.is_some_and(|hold| hold.is_exhausted));
    let probe = tenants.of("anna").acquire(1).blocking().unwrap();
    crowd(&tenants);
    assert!(tenants.of("anna").try_acquire(1).is_err());
    probe.settle(1);
    assert!(tenants.of("anna").try_acquire(1).is_ok());
}

#[test]
#[cfg(not(miri))]
fn what_was_learned_of_the_output_keeps_its_key() {
    use openlimit::{ChatRateLimiter, Keyed};
    let clock = ManualClock::new();
    let builder = ChatRateLimiter::builder().tokens(Rate::per_second(100_000)).output(Output::Learned);
    let tenants: Keyed<u64, ChatRateLimiter> = builder.clock(&clock).keyed().build().unwrap();
    let request = serde_json::json!({
        "model": "gpt-4o",
        "messages": [{"role": "user", "content": "Hello"}],
        "max_tokens": 5_000,
    });
    let reserved = |key: u64| {
        let permit = tenants.of(&key).try_acquire(&request).unwrap();
        let tokens = permit.cost().amount(&openlimit::Dimension::Tokens);
        permit.settle(Usage::new(8, 100));
        clock.advance(secs(1));
        tokens
    };
    let first = reserved(1);
    (0..30).for_each(|_| _ = reserved(1));
    clock.advance(secs(600));
    (100..3_000).for_each(|key| drop(tenants.of(&key)));
    assert!(reserved(1) < 200 && first > 5_000, "{first}");
    // Of one lesson nothing is learned.
    reserved(2);
    clock.advance(secs(600));
    (5_000..9_000).for_each(|key| drop(tenants.of(&key)));
    assert!(tenants.len() < 3_000, "{} keys", tenants.len());
}

#[test]
fn an_idle_key_makes_room_in_a_full_limiter() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).max_keys(3).build().unwrap();
    for name in ["a", "b", "c"] {
        drop(tenants.of(name).try_acquire(Cost::new()).unwrap());
    }
    assert!(tenants.of("d").try_acquire(Cost::new()).is_err());
    clock.advance(millis(100));
    assert!(tenants.of("d").try_acquire(Cost::new()).is_ok());
    assert!(tenants.len() <= 3);
}
