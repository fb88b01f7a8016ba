//! Threads that meet at a few keys, while others come and go.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use openlimit::testing::ManualClock;
use openlimit::{Cost, Keyed, Rate, RateLimiter};
use openlimit_tests::{plain, secs};

/// The keys that all threads use.
const SHARED: u64 = 3;
/// What each of them allows at once.
const AMOUNT: u64 = 1_000;

#[test]
fn threads_never_take_more_of_a_key_than_it_allows() {
    let clock = ManualClock::new();
    let builder = plain(&clock).requests(Rate::per_day(AMOUNT));
    let tenants: Keyed<u64, RateLimiter> = builder.keyed().max_keys(500).build().unwrap();
    let taken = [(); SHARED as usize].map(|()| AtomicU64::new(0));
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (tenants, taken) = (&tenants, &taken);
            scope.spawn(move || {
                for step in 0..4_000 {
                    let key = (step + thread) % SHARED;
                    if tenants.of(&key).try_acquire(Cost::new()).is_ok() {
                        taken[key as usize].fetch_add(1, Ordering::Relaxed);
                    }
                    // Makes and forgets a key, and moves the hand.
                    drop(tenants.of(&(SHARED + thread + 4 * step)));
                }
            });
        }
    });
    assert_eq!(taken.map(AtomicU64::into_inner), [AMOUNT; SHARED as usize]);
    assert!(tenants.len() <= 500);
}

#[test]
fn calls_that_wait_in_many_threads_are_all_admitted() {
    let builder = RateLimiter::builder().requests(Rate::per_second(2_000));
    let tenants: Keyed<u64, RateLimiter> = builder.keyed().build().unwrap();
    thread::scope(|scope| {
        for thread in 0..4_u64 {
            let tenants = &tenants;
            scope.spawn(move || {
                for step in 0..600 {
                    let waits = tenants.of(&(step % SHARED)).acquire(Cost::new()).timeout(secs(60));
                    drop(waits.blocking().unwrap());
                    drop(tenants.of(&(SHARED + thread + 4 * step)));
                }
            });
        }
    });
}
