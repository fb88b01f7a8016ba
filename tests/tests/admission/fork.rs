//! A process that forks, without `exec`, after a call has waited in it: in the child nobody can wait, and is told so. See
//! `backend/redis/fork.rs` for shared limits.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process;

use openlimit::{Cost, Rate, RateLimiter};
use openlimit_tests::millis;
use openlimit_tests::redis::fork::fork;
use openlimit_tests::redis::{Forks, worker};

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
        process::exit(0);
    }
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
