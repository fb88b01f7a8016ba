//! A key is made, forgotten, settled or closed while another thread asks for one.

use loom::thread;

use super::{builder, canceller, ended};
use crate::error::AcquireError;
use crate::limiter::{Keyed, Permit, RateLimiter};
use crate::limits::Cost;
use crate::time::ManualClock;

type Tenants = Keyed<u64, RateLimiter>;

/// Runs a model with keys of one request per second each, of which so many are known at a time.
fn model(max_keys: usize, test: impl Fn(Tenants) + Sync + Send + 'static) {
    loom::model(move || {
        let tenants = builder(&ManualClock::new()).keyed().max_keys(max_keys);
        test(tenants.build().expect("it is sound"));
    });
}

fn try_acquire(tenants: &Tenants, key: u64) -> Result<Permit, AcquireError> {
    tenants.of(&key).try_acquire(Cost::new())
}

/// Starts a thread that makes a call of a key.
fn caller(tenants: &Tenants, key: u64) -> thread::JoinHandle<Result<Permit, AcquireError>> {
    let tenants = tenants.clone();
    thread::spawn(move || try_acquire(&tenants, key))
}

#[test]
fn a_key_that_is_used_while_another_one_wants_its_place() {
    model(1, |tenants| {
        drop(tenants.of(&1));
        let other = caller(&tenants, 2);
        let one = try_acquire(&tenants, 1);
        let other = ended(other);
        assert!(one.is_ok() != other.is_ok(), "there is room for one of them");
        let admitted = if one.is_ok() { 1 } else { 2 };
        assert!(try_acquire(&tenants, admitted).is_err(), "it was forgotten while in use");
        assert!(try_acquire(&tenants, 3 - admitted).is_err(), "more than there may be");
        assert_eq!(tenants.len(), 1);
    });
}

#[test]
fn a_key_whose_permit_is_cancelled_while_another_one_wants_its_place() {
    model(1, |tenants| {
        let permit = try_acquire(&tenants, 1).expect("there is room");
        let canceller = canceller(permit);
        let other = try_acquire(&tenants, 2);
        ended(canceller);
        match other {
            Ok(_) => assert_eq!(tenants.len(), 1, "the first key was given back, and forgotten"),
            Err(error) => {
                assert!(matches!(error, AcquireError::TooManyKeys { .. }), "{error}");
                assert!(try_acquire(&tenants, 1).is_ok(), "lost");
            }
        }
    });
}

#[test]
fn a_key_that_two_threads_make_at_once() {
    model(2, |tenants| {
        let other = caller(&tenants, 1);
        let one = try_acquire(&tenants, 1);
        assert!(one.is_ok() != ended(other).is_ok(), "they share one limiter");
        assert_eq!(tenants.len(), 1);
    });
}

#[test]
fn a_key_that_is_made_while_all_are_closed() {
    model(2, |tenants| {
        let closing = thread::spawn({
            let tenants = tenants.clone();
            move || tenants.close()
        });
        let tenant = tenants.of(&1);
        ended(closing);
        assert!(matches!(tenant.try_acquire(Cost::new()), Err(AcquireError::Closed { .. })));
    });
}
