//! The option `priority`: which of the calls that wait goes first.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Mutex;

use futures_util::FutureExt as _;
use openlimit::testing::ManualClock;
use openlimit::{AcquireError, Priority, Rate, RateLimiter, limiter, rate_limited};
use openlimit_tests::{plain, secs};

limiter! { static CHAT: RateLimiter = { requests: 1 / second }; }

#[rate_limited(limiter = CHAT, priority = priority)]
async fn call(priority: Priority, sent: &Mutex<Vec<Priority>>) -> Result<(), AcquireError> {
    sent.lock().unwrap().push(priority);
    Ok(())
}

#[test]
fn calls_of_a_higher_priority_go_first() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().unwrap();
    let _guard = CHAT.override_with(&limiter);
    let sent = Mutex::default();
    call(Priority::Low, &sent).now_or_never().expect("there is room").unwrap();
    let arriving = [Priority::Low, Priority::Normal, Priority::High];
    let mut calls = arriving.map(|priority| Box::pin(call(priority, &sent).fuse()));
    for second in 0..4 {
        let ended = calls.iter_mut().filter_map(|call| call.now_or_never()).count();
        assert_eq!(ended, usize::from(second > 0));
        clock.advance(secs(1));
    }
    assert_eq!(*sent.lock().unwrap(), [Priority::Low, Priority::High, Priority::Normal, Priority::Low]);
}
