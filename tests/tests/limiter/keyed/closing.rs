//! Closing the limiters of all keys.

use std::thread;

use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Cost};
use openlimit_tests::Call;

use super::builder;

fn is_closed(refusal: &AcquireError) -> bool {
    matches!(refusal, AcquireError::Closed { .. })
}

#[test]
fn calls_of_known_and_of_new_keys_are_refused_and_permits_are_settled() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).name("tenants").build().unwrap();
    let permit = tenants.of("anna").try_acquire(1_000).unwrap();
    let waits = Call::start(tenants.of("anna").acquire(500));
    tenants.clone().close();
    assert_eq!(waits.wakes(), 1);
    assert!(is_closed(&waits.refused()));
    permit.settle(400);
    assert_eq!(tenants.of("anna").status().unwrap().limits[1].available, 600);
    for tenant in ["anna", "berta"] {
        let refusal = Call::start(tenants.of(tenant).acquire(Cost::new())).refused();
        assert!(is_closed(&refusal), "{refusal}");
        assert_eq!(refusal.limiter(), "tenants");
    }
    tenants.close();
}

#[test]
fn a_key_that_is_made_at_the_same_moment_is_closed_too() {
    for _ in 0..50 {
        let clock = ManualClock::new();
        let tenants = builder(&clock).build().unwrap();
        thread::scope(|scope| {
            scope.spawn(|| (0..100).for_each(|key| drop(tenants.of(&format!("{key}")))));
            tenants.close();
        });
        let is_closed = |key| is_closed(&tenants.of(&format!("{key}")).try_acquire(1).unwrap_err());
        assert!((0..100).all(is_closed));
    }
}
