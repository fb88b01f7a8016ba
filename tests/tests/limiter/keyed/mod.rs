//! Tests of a limiter for each key.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod closing;
mod forgetting;
mod hostile;
mod limits;
mod model;
mod threads;

use openlimit::testing::ManualClock;
use openlimit::{Builder, Cost, Keyed, PerKey, Rate, RateLimiter, kind};
use openlimit_tests::{at_once, plain, secs};

pub(crate) type Tenants = Keyed<String, RateLimiter>;

/// Returns the builder of limiters of ten requests and 1 000 tokens a second, with a burst of a
/// second and nothing kept back.
pub(crate) fn builder(clock: &ManualClock) -> Builder<kind::Explicit, PerKey<String>> {
    plain(clock).requests(Rate::per_second(10)).tokens(Rate::per_second(1_000)).keyed()
}

/// Makes so many keys that every key which can be forgotten is.
pub(crate) fn crowd(tenants: &Tenants) {
    for key in 0..2_000 {
        drop(tenants.of(&format!("crowd {key}")));
    }
}

#[test]
fn each_key_has_limits_of_its_own() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    for name in ["anna", "berta"] {
        assert_eq!(at_once(&tenants.of(name)), 10, "{name}");
        assert_eq!(at_once(&tenants.of(&name.to_owned())), 0, "{name}");
    }
    clock.advance(secs(1));
    assert_eq!(at_once(&tenants.of("anna")), 10);
    assert_eq!(tenants.len(), 2);
}

#[test]
fn the_limiter_of_a_key_is_one_like_any_other() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).name("tenants").build().unwrap();
    let anna = tenants.of("anna");
    anna.acquire(1_000).blocking().unwrap().settle(400);
    let status = anna.status().unwrap();
    assert_eq!((status.limiter.as_ref(), status.limits[1].available), ("tenants", 600));
    anna.hold(secs(5), "a test").unwrap();
    assert!(tenants.of("anna").try_acquire(1).unwrap_err().to_string().contains("a test"));
    assert!(tenants.of("berta").try_acquire(1).is_ok());
    // Queued calls of one key wait for each other, and for no other key.
    assert_eq!(tenants.of("anna").status().unwrap().waiting, 0);
}

#[test]
fn clones_share_the_keys() {
    let clock = ManualClock::new();
    let tenants = builder(&clock).build().unwrap();
    let clone = tenants.clone();
    drop(tenants);
    assert_eq!(at_once(&clone.of("anna")), 10);
    assert_eq!(at_once(&clone.clone().of("anna")), 0);
}

#[test]
fn keys_of_any_type_are_looked_up_as_in_a_map() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct TenantId(u64, &'static str);

    let by_id: Keyed<TenantId, RateLimiter> =
        RateLimiter::builder().requests(Rate::per_day(1)).keyed().build().unwrap();
    assert!(by_id.of(&TenantId(1, "a")).try_acquire(Cost::new()).is_ok());
    assert!(by_id.of(&TenantId(1, "b")).try_acquire(Cost::new()).is_ok());
    assert!(by_id.of(&TenantId(1, "a")).try_acquire(Cost::new()).is_err());

    let by_bytes = RateLimiter::builder().requests(Rate::per_day(1)).keyed::<Vec<u8>>().build().unwrap();
    assert!(by_bytes.of(&b"a"[..]).try_acquire(Cost::new()).is_ok());
    assert!(by_bytes.of(&b"a"[..]).try_acquire(Cost::new()).is_err());
}

#[test]
fn debug_shows_no_key() {
    let tenants = RateLimiter::builder().requests(Rate::per_day(1)).name("tenants").keyed::<String>();
    assert!(!format!("{tenants:?}").contains("secret"));
    let tenants = tenants.build().unwrap();
    drop(tenants.of("secret"));
    assert_eq!(format!("{tenants:?}"), "Keyed { name: \"tenants\", keys: 1 }");
}
