//! Processes that fork without `exec` after a call has waited. A call that would wait in the child
//! fails with an error. See `backend/redis/fork.rs` for shared limits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::process::parent_id;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use openlimit::{AcquireError, Cost, Rate, RateLimiter, Stack};
use openlimit_tests::redis::fork::{fork, leave};
use openlimit_tests::redis::{Forks, worker};
use openlimit_tests::{Call, millis, secs};

#[test]
#[ignore = "the body of the workers"]
fn worker() {
    if worker::job().is_none() {
        return;
    }
    let builder = RateLimiter::builder().name("chat").requests(Rate::per_second(10).burst(millis(100)));
    let limiter = builder.build().unwrap();
    let call = || limiter.acquire(Cost::new()).blocking();
    let waits = || (0..3).try_for_each(|_| call().map(drop));
    waits().unwrap();
    let is_child = fork();
    let said = waits().map_or_else(|error| error.to_string(), |()| "all have waited".to_owned());
    worker::say(format_args!("{}: {said}", if is_child { "child" } else { "parent" }));
    if is_child {
        leave();
    }
}

/// Forks while another thread constantly acquires and releases the lock of the limiter.
#[test]
#[ignore = "the body of the workers"]
fn busy_worker() {
    if worker::job().is_none() {
        return;
    }
    let limiter = RateLimiter::builder().requests(Rate::per_day(1_000_000_000)).build().unwrap();
    let (busy, calls) = (limiter.clone(), Arc::<AtomicUsize>::default());
    let called = Arc::clone(&calls);
    thread::spawn(move || {
        loop {
            let _ = busy.try_acquire(Cost::new());
            called.fetch_add(1, Ordering::Relaxed);
        }
    });
    for _ in 0..FORKS {
        // A fork, in a worker that `Forks` started.
        if parent_id() == 0 {
            let outcome = match limiter.try_acquire(Cost::new()) {
                Ok(_) => "admitted",
                Err(AcquireError::Timer { .. }) => "refused",
                Err(_) => "another error",
            };
            drop(limiter.status());
            worker::say(outcome);
            leave();
        }
        // On a busy machine, the other thread may not run for long, and then all forks would find
        // it at the same place.
        let before = calls.load(Ordering::Relaxed);
        while calls.load(Ordering::Relaxed) < before + CALLS_APART {
            thread::sleep(millis(1));
        }
    }
    thread::sleep(millis(500));
    process::exit(0);
}

/// The number of forks. The lock is held during some of them.
const FORKS: usize = 100;
/// How many calls lie between two forks at least.
const CALLS_APART: usize = 100;

/// Forks before the first call, and lets four threads of the child compete for the limiter.
#[test]
#[ignore = "the body of the workers"]
fn crowded_worker() {
    if worker::job().is_none() {
        return;
    }
    let limiter = RateLimiter::builder().requests(Rate::per_day(1_000_000_000)).build().unwrap();
    if !fork() {
        thread::sleep(secs(60));
    }
    let calls =
        || (0..CALLS).try_for_each(|_| limiter.try_acquire(Cost::new()).map(|permit| permit.cancel()));
    let failed = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(calls)).collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap().err())
    });
    let cancelled = limiter.status().unwrap().limits[0].returned.unused;
    worker::say(failed.map_or_else(|| format!("{cancelled} cancelled"), |error| error.to_string()));
    leave();
}

/// The same for a limiter of each key, whose declaration was checked before the fork.
#[test]
#[ignore = "the body of the workers"]
fn crowded_keys_worker() {
    if worker::job().is_none() {
        return;
    }
    let tenants =
        RateLimiter::builder().requests(Rate::per_day(1_000_000_000)).keyed::<usize>().build().unwrap();
    if !fork() {
        thread::sleep(secs(60));
    }
    let call = |call| tenants.of(&(call % 3)).try_acquire(Cost::new()).map(|permit| permit.cancel());
    let failed = thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(move || (0..CALLS).try_for_each(call))).collect();
        threads.into_iter().find_map(|thread| thread.join().unwrap().err())
    });
    worker::say(failed.map_or_else(|| "all were admitted".to_owned(), |error| error.to_string()));
    leave();
}

/// The number of calls of each thread.
const CALLS: usize = 50_000;

/// Forks while other threads constantly set the timer.
#[test]
#[ignore = "the body of the workers"]
fn timed_worker() {
    if worker::job().is_none() {
        return;
    }
    let limiter = || RateLimiter::builder().requests(Rate::per_minute(1)).build().unwrap();
    let used = move || {
        let limiter = limiter();
        drop(limiter.try_acquire(Cost::new()).unwrap());
        limiter
    };
    for _ in 0..4 {
        thread::spawn(move || {
            loop {
                drop(Call::start(used().acquire(Cost::new())));
            }
        });
    }
    for _ in 0..TIMED_FORKS {
        let limiter = used();
        let call = Call::start(limiter.acquire(Cost::new()));
        if parent_id() == 0 {
            drop((call, limiter));
            worker::say("done");
            leave();
        }
    }
    thread::sleep(secs(1));
    process::exit(0);
}

const TIMED_FORKS: usize = 600;

/// Forks while other threads drop limiters that were never used.
#[test]
#[ignore = "the body of the workers"]
fn unused_worker() {
    if worker::job().is_none() {
        return;
    }
    let limiter = || RateLimiter::builder().requests(Rate::per_minute(1)).build().unwrap();
    for _ in 0..UNUSED_ROUNDS {
        let start = Arc::new(Barrier::new(5));
        let drops = [(); 4].map(|()| {
            let (start, limiters) = (Arc::clone(&start), (0..5_000).map(|_| limiter()).collect::<Vec<_>>());
            thread::spawn(move || {
                start.wait();
                drop(limiters);
            })
        });
        start.wait();
        for _ in 0..UNUSED_FORKS {
            let limiter = limiter();
            if parent_id() == 0 {
                drop(limiter);
                worker::say("done");
                leave();
            }
        }
        drops.into_iter().for_each(|thread| thread.join().unwrap());
    }
    thread::sleep(secs(1));
    process::exit(0);
}

const UNUSED_ROUNDS: usize = 10;
const UNUSED_FORKS: usize = 30;

/// Forks while other threads constantly move calls of two limiters on.
#[test]
#[ignore = "the body of the workers"]
fn stacked_worker() {
    if worker::job().is_none() {
        return;
    }
    let limiter = || {
        let limiter = RateLimiter::builder().requests(Rate::per_day(1)).build().unwrap();
        drop(limiter.try_acquire(Cost::new()).unwrap());
        limiter
    };
    let limiters = [limiter(), limiter()];
    for _ in 0..3 {
        let limiters = limiters.clone();
        thread::spawn(move || {
            loop {
                drop(Call::start(Stack::of(&limiters).acquire(Cost::new())));
            }
        });
    }
    for _ in 0..STACKED_FORKS {
        if parent_id() == 0 {
            // The calls that wait are refused.
            limiters.iter().for_each(|limiter| drop(limiter.close()));
            worker::say("done");
            leave();
        }
        thread::sleep(millis(2));
    }
    thread::sleep(secs(1));
    process::exit(0);
}

const STACKED_FORKS: usize = 60;

/// Forks while other threads constantly block and are woken.
#[test]
#[ignore = "the body of the workers"]
fn blocked_worker() {
    if worker::job().is_none() {
        return;
    }
    let rate = Rate::per_second(20_000).burst(millis(1));
    let limiter = RateLimiter::builder().requests(rate).jitter(millis(0)).build().unwrap();
    for _ in 0..4 {
        let limiter = limiter.clone();
        thread::spawn(move || while limiter.acquire(Cost::new()).blocking().is_ok() {});
    }
    for _ in 0..BLOCKED_FORKS {
        thread::sleep(millis(1));
        if parent_id() == 0 {
            // The calls that wait are admitted, or the lock was held.
            drop(limiter.reset());
            worker::say("done");
            leave();
        }
    }
    thread::sleep(secs(2));
    process::exit(0);
}

const BLOCKED_FORKS: usize = 300;

#[test]
fn threads_of_a_child_forked_before_the_first_call_compete_for_the_lock_as_in_any_process() {
    let outcomes = Forks::new().start("fork::crowded_worker", &["crowd"]).line();
    assert_eq!(outcomes, format!("{} cancelled", 4 * CALLS));
}

#[test]
fn threads_of_a_child_forked_before_the_first_call_compete_for_a_key_as_in_any_process() {
    let outcome = Forks::new().start("fork::crowded_keys_worker", &["crowd"]).line();
    assert_eq!(outcome, "all were admitted");
}

#[test]
fn a_child_forked_while_the_timer_is_set_drops_limiters_and_does_not_hang() {
    let outcomes = Forks::new().start("fork::timed_worker", &["timed"]).finish();
    assert_eq!(outcomes, vec!["done"; TIMED_FORKS]);
}

#[test]
fn a_child_forked_before_the_first_call_drops_limiters_and_does_not_hang() {
    let outcomes = Forks::new().start("fork::unused_worker", &["unused"]).finish();
    assert_eq!(outcomes, vec!["done"; UNUSED_ROUNDS * UNUSED_FORKS]);
}

#[test]
fn a_child_forked_while_a_call_of_two_limiters_goes_on_closes_them_and_does_not_hang() {
    let outcomes = Forks::new().start("fork::stacked_worker", &["stacked"]).finish();
    assert_eq!(outcomes, vec!["done"; STACKED_FORKS]);
}

#[test]
fn a_child_forked_while_threads_block_admits_their_calls_and_does_not_hang() {
    let outcomes = Forks::new().start("fork::blocked_worker", &["blocked"]).finish();
    assert_eq!(outcomes, vec!["done"; BLOCKED_FORKS]);
}

#[test]
fn a_child_forked_while_the_lock_is_held_is_refused_and_does_not_hang() {
    let mut outcomes = Forks::new().start("fork::busy_worker", &["busy"]).finish();
    outcomes.sort();
    let refused = outcomes.iter().filter(|outcome| *outcome == "refused").count();
    let admitted = outcomes.iter().filter(|outcome| *outcome == "admitted").count();
    assert_eq!(refused + admitted, FORKS, "unexpected outcomes: {outcomes:?}");
    assert!(refused > 0, "the lock was held in none of {FORKS} forks");
}

#[test]
fn a_child_of_a_process_that_has_waited_is_refused_where_it_would_wait_and_its_parent_goes_on() {
    let forks = Forks::new();
    let mut said = forks.start("fork::worker", &["wait"]).finish();
    said.sort();
    assert_eq!(
        said,
        [
            "child: limiter `chat` cannot queue the call: the timer thread is not running: it is in the process that this \
             one was forked from; fork before the first call; a call that needs no wait is still admitted",
            "parent: all have waited",
        ]
    );
}
