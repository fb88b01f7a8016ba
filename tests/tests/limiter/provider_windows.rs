//! A limiter that knows that the provider counts in windows, and is told of all responses.

use std::collections::VecDeque;

use openlimit::feedback::Observation;
use openlimit::testing::{Dialect, ManualClock, Provider, Windows};
use openlimit::{Cost, Counting, Rate, RateLimiter};
use openlimit_tests::{Call, millis, secs};

const RATE: Rate = Rate::per_minute(600);
const BODY: &[u8] = br#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hi"}],"max_tokens":1}"#;

/// Makes as many calls as the limiter admits in three minutes. Returns how many the provider
/// admitted, and how many it refused.
fn run(windows: Windows, counting: Counting, observes: bool) -> (usize, usize) {
    let clock = ManualClock::new();
    let provider = Provider::builder().requests(RATE).windows(windows).dialect(Dialect::Azure);
    let provider = provider.clock(&clock).build().expect("the limit is valid");
    let limiter = RateLimiter::builder().requests(RATE).counting(counting).clock(&clock).build();
    let limiter = limiter.expect("the limit is valid");
    let mut waiting: VecDeque<Call> = VecDeque::new();
    while clock.now() < secs(180) {
        clock.advance(millis(20));
        while waiting.len() < 10 {
            waiting.push_back(Call::start(limiter.acquire(Cost::new())));
        }
        while let Some(permit) = waiting.front_mut().and_then(Call::over) {
            waiting.pop_front();
            let reply = provider.answer("/v1/chat/completions", [], BODY);
            let observation = Observation::from_parts(reply.status(), reply.headers(), b"");
            let permit = permit.expect("it has no timeout");
            if observes {
                permit.responded(&observation);
            }
        }
    }
    (provider.admitted(), provider.refused())
}

#[test]
fn a_provider_that_counts_in_windows_refuses_nothing_once_that_is_declared() {
    for windows in [Windows::Fixed, Windows::Sliding, Windows::Split(6)] {
        let (admitted, refused) = run(windows, Counting::InWindows, true);
        assert_eq!(refused, 0, "{windows:?}");
        assert!(admitted > 1_700, "{windows:?}: {admitted} of 1 800");
        // The test can fail: a bucket that refills allows 610 in a minute.
        assert!(run(windows, Counting::Refilling, false).1 > 0, "{windows:?}");
    }
}
