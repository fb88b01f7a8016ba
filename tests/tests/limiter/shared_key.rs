//! A limiter that is told of all responses shares a key with another consumer, who takes a random 0
//! to 70 % of the limits and never waits.
//!
//! These are minutes of what `cargo bench -p openlimit-tests --bench shared_key` simulates for an hour.

use std::time::Duration;

use openlimit::testing::Dialect;
use openlimit_tests::shared_key::{Scenario, run};
use openlimit_tests::{millis, secs};

/// A provider whose buckets hold `bucket` seconds.
fn scenario(bucket: u64, latency: Duration, time: u64) -> Scenario {
    Scenario::new(secs(bucket), latency, secs(time))
}

#[track_caller]
fn draws_no_refusal(scenario: &Scenario) {
    let figures = run(scenario);
    assert_eq!((figures.refused, figures.others.refused), (0, 0), "{scenario:?}: {figures:?}");
    assert!(figures.used >= 0.94, "{scenario:?}: {figures:?}");
}

#[test]
fn nobody_is_refused_by_a_bucket_of_ten_seconds() {
    for latency in [millis(20), secs(1)] {
        draws_no_refusal(&scenario(10, latency, 60));
    }
}

#[test]
fn nobody_is_refused_by_a_bucket_of_ten_seconds_whose_replies_take_as_long() {
    draws_no_refusal(&scenario(10, secs(10), 300));
}

#[test]
fn nobody_is_refused_by_a_bucket_of_a_minute() {
    draws_no_refusal(&scenario(60, millis(20), 150));
}

#[test]
fn nobody_is_refused_by_a_bucket_of_a_minute_whose_replies_take_ten_seconds() {
    draws_no_refusal(&scenario(60, secs(10), 150));
}

#[test]
fn nobody_is_refused_by_a_provider_with_the_headers_of_anthropic() {
    let dialect = Dialect::Anthropic;
    draws_no_refusal(&Scenario { dialect, ..scenario(10, millis(20), 60) });
}

/// Asserts that at most these shares of the calls of both are refused, and at least that of what
/// the other consumer leaves is used.
#[track_caller]
fn draws_few_refusals(scenario: &Scenario, own: f64, others: f64, used: f64) {
    let figures = run(scenario);
    assert!(figures.refused_share() <= own, "{scenario:?}: {figures:?}");
    assert!(figures.others_refused_share() <= others, "{scenario:?}: {figures:?}");
    assert!(figures.used >= used, "{scenario:?}: {figures:?}");
}

#[test]
fn a_bucket_of_a_second_refuses_hardly_any_call() {
    // Until the first reply, the limiter knows nothing.
    for (latency, time) in [(millis(20), 60), (millis(300), 120), (secs(1), 200)] {
        draws_few_refusals(&scenario(1, latency, time), 0.003, 0.005, 0.94);
    }
}

#[test]
fn a_bucket_of_a_second_whose_replies_take_longer_refuses_few_calls() {
    for latency in [secs(3), secs(10)] {
        draws_few_refusals(&scenario(1, latency, 150), 0.01, 0.03, 0.95);
    }
}

#[test]
fn a_bucket_of_a_second_refuses_few_calls_without_headers() {
    let dialect = Dialect::Bare;
    draws_few_refusals(&Scenario { dialect, ..scenario(1, millis(300), 150) }, 0.01, 0.03, 0.95);
}

#[test]
fn late_refusals_slow_the_climb_so_that_they_are_fewer() {
    // With the same climb for all, it is 5 % and 9 % after a second, and 9 % and 17 % after three.
    for (delay, own, others) in [(secs(1), 0.04, 0.08), (secs(3), 0.05, 0.10)] {
        let late = Scenario { refusal: delay, dialect: Dialect::Bare, ..scenario(1, delay, 200) };
        draws_few_refusals(&late, own, others, 0.94);
    }
}

#[test]
fn without_observing_both_are_refused_again_and_again() {
    let figures = run(&Scenario { feedback: false, ..scenario(10, millis(20), 60) });
    assert!(figures.refused_share() > 0.02 && figures.others_refused_share() > 0.2, "{figures:?}");
}
