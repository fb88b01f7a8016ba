//! Providers that count in windows refuse nothing, once that is declared: LiteLLM's proxy (fixed
//! windows of a minute), gateways with sliding windows, and Azure (windows of one or ten seconds).
//!
//! The providers count by brute force: they remember every call that they have served.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{Cost, Counting, Rate, RateLimiter};
use openlimit_tests::{Call, millis, nanos, nanos_of, secs};

/// A provider that serves `amount` calls in a window.
struct Provider {
    amount: usize,
    window: Duration,
    /// The time at which a fixed window begins; `None` for a sliding one.
    begins: Option<Duration>,
    served: Vec<Duration>,
    refused: usize,
}

impl Provider {
    fn new(amount: usize, window: Duration, begins: Option<Duration>) -> Self {
        Self { amount, window, begins, served: Vec::new(), refused: 0 }
    }

    fn receive(&mut self, at: Duration) {
        let is_same = |served: &Duration| match self.begins {
            None => *served + self.window > at,
            Some(begins) => {
                let number =
                    |time: Duration| (time + self.window - begins).as_nanos() / self.window.as_nanos();
                number(*served) == number(at)
            }
        };
        if self.served.iter().filter(|served| is_same(served)).count() < self.amount {
            self.served.push(at);
        } else {
            self.refused += 1;
        }
    }
}

/// Returns the departures of 900 calls that arrive at the given times, one number of calls for
/// each.
fn departures(rate: Rate, counting: Counting, arrivals: &[(Duration, usize)]) -> Vec<Duration> {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().clock(&clock).requests(rate).counting(counting);
    let limiter = limiter.build().expect("valid rates");
    let mut calls = Vec::new();
    for (at, count) in arrivals {
        clock.advance(*at - nanos(nanos_of(&clock)));
        calls.extend((0..*count).map(|_| (*at, Call::start(limiter.acquire(Cost::new())))));
    }
    clock.advance(secs(600));
    calls.into_iter().map(|(at, call)| at + call.admitted().waited()).collect()
}

/// Returns how many of 900 calls each provider refuses, whether the calls come at once or after
/// idle times, and whether the network delays them or not.
fn refused(rate: Rate, counting: Counting, provider: impl Fn() -> Provider) -> usize {
    let at_once = [(Duration::ZERO, 900)];
    let in_rushes = [(Duration::ZERO, 5), (secs(50), 595), (secs(170), 300)];
    let mut refused = 0;
    for arrivals in [&at_once[..], &in_rushes] {
        let departures = departures(rate, counting, arrivals);
        for delay in [0, 25_000_000] {
            // Half of the default jitter is left to the network. Some calls take all of it.
            let mut random: u64 = 0x9e37_79b9_7f4a_7c15;
            let late = departures.iter().map(|at| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                *at + nanos([0, delay, random % (delay + 1)][(random % 3) as usize])
            });
            let mut received: Vec<_> = late.collect();
            received.sort();
            let mut provider = provider();
            received.into_iter().for_each(|at| provider.receive(at));
            refused += provider.refused;
        }
    }
    refused
}

#[test]
fn fixed_and_sliding_windows_of_a_minute_refuse_nothing() {
    let rate = Rate::per_minute(600);
    for begins in [None, Some(secs(0)), Some(secs(7)), Some(millis(29_950)), Some(millis(59_999))] {
        let provider = || Provider::new(600, secs(60), begins);
        assert_eq!(refused(rate, Counting::InWindows, provider), 0, "windows from {begins:?} on");
    }
    // The test can fail: a bucket that refills allows 610 in a minute.
    assert!(refused(rate, Counting::Refilling, || Provider::new(600, secs(60), None)) >= 10);
}

#[test]
fn windows_of_a_second_and_of_ten_refuse_nothing_if_they_are_declared() {
    for (amount, window) in [(10, secs(1)), (100, secs(10))] {
        let rate = Rate::new(amount as u64, window);
        for begins in [None, Some(secs(0)), Some(millis(700))] {
            let provider = || Provider::new(amount, window, begins);
            assert_eq!(refused(rate, Counting::InWindows, provider), 0, "windows of {window:?}");
        }
        assert!(refused(rate, Counting::Refilling, || Provider::new(amount, window, None)) > 0);
    }
}

#[test]
fn requests_of_a_limit_per_minute_are_spread_over_its_seconds() {
    let departures = departures(Rate::per_minute(600), Counting::InWindows, &[(secs(0), 900)]);
    for (amount, window) in [(10, secs(1)), (100, secs(10))] {
        let mut provider = Provider::new(amount, window, None);
        departures.iter().for_each(|at| provider.receive(*at));
        assert_eq!(provider.refused, 0, "windows of {window:?}");
    }
}
