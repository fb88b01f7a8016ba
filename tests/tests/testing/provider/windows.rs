//! Limits that are counted in windows.

use openlimit::Rate;
use openlimit::testing::{Dialect, Provider, Windows};
use openlimit_tests::secs;

use super::ask::{chat, number, observe, on_clock, statuses};

fn builder(windows: Windows) -> openlimit::testing::ProviderBuilder {
    Provider::builder().requests(Rate::per_minute(6)).windows(windows)
}

#[test]
fn a_fixed_window_begins_with_a_call_and_renews_everything() {
    let (provider, clock) = on_clock(builder(Windows::Fixed));
    clock.advance(secs(30));
    assert_eq!(statuses(&provider, 1), [200]);
    clock.advance(secs(59));
    assert_eq!(statuses(&provider, 6), [200, 200, 200, 200, 200, 429]);
    assert_eq!(number(&chat(&provider), "retry-after-ms"), 1_000);
    clock.advance(secs(1));
    // Twelve calls within two seconds, which a bucket of six would have refused.
    assert_eq!(statuses(&provider, 7), [200, 200, 200, 200, 200, 200, 429]);
}

#[test]
fn in_a_sliding_window_each_call_counts_for_a_period() {
    let (provider, clock) = on_clock(builder(Windows::Sliding));
    assert_eq!(statuses(&provider, 2), [200, 200]);
    clock.advance(secs(20));
    assert_eq!(statuses(&provider, 5), [200, 200, 200, 200, 429]);
    let refused = chat(&provider);
    assert_eq!(number(&refused, "retry-after-ms"), 40_000);
    assert_eq!(refused.header("x-ratelimit-reset-requests"), Some("1m0s"));
    clock.advance(secs(40));
    assert_eq!(statuses(&provider, 3), [200, 200, 429]);
}

#[test]
fn split_windows_part_requests_and_not_tokens() {
    let tokens = Rate::per_minute(1_000);
    let builder = builder(Windows::Split(6)).tokens(tokens).dialect(Dialect::Azure);
    let (provider, clock) = on_clock(builder);
    assert_eq!(statuses(&provider, 2), [200, 429]);
    clock.advance(secs(10));
    let reply = chat(&provider);
    let limits: Vec<_> = observe(&reply)
        .limits()
        .map(|limit| (limit.dimension().name().to_owned(), limit.limit(), limit.window()))
        .collect();
    assert_eq!(
        limits,
        [
            ("requests".to_owned(), Some(1), Some(secs(10))),
            ("tokens".to_owned(), Some(1_000), Some(secs(60)))
        ]
    );
    // Two calls took tokens from one window.
    let used = 1_000 - number(&reply, "x-ratelimit-remaining-tokens");
    assert_eq!(used, 2 * provider.arrivals()[0].tokens);
}

#[test]
fn a_limit_in_windows_can_be_changed_too() {
    let (provider, clock) = on_clock(builder(Windows::Fixed));
    assert_eq!(statuses(&provider, 4), [200; 4]);
    provider.set_limit("requests", Rate::per_minute(2)).expect("there is one");
    assert_eq!(statuses(&provider, 1), [429]);
    clock.advance(secs(60));
    assert_eq!(statuses(&provider, 3), [200, 200, 429]);
    assert!(provider.set_limit("requests", Rate::per_minute(0)).is_err());
}

#[test]
fn windows_that_cannot_be_enforced_are_refused() {
    let zero = Provider::builder().requests(Rate::per_minute(0)).windows(Windows::Fixed).build();
    assert_eq!(zero.expect_err("zero").kind(), std::io::ErrorKind::InvalidInput);
    // No part is smaller than one call.
    let (provider, _clock) = on_clock(builder(Windows::Split(u32::MAX)));
    assert_eq!(statuses(&provider, 2), [200, 429]);
    let (provider, _clock) = on_clock(builder(Windows::Split(0)));
    assert_eq!(statuses(&provider, 6), [200; 6]);
}
