//! A provider whose limits reset at a time of day.

use openlimit::Rate;
use openlimit::testing::Provider;
use openlimit_tests::secs;

use super::ask::{chat, number, observe, on_clock, statuses};

const DAY: u64 = 86_400;

#[test]
fn all_of_the_amount_is_served_and_no_more_until_the_reset() {
    let rate = Rate::per_day(3).resets_at("00:00", "UTC");
    let (provider, clock) = on_clock(Provider::builder().requests(rate));
    clock.advance(secs(DAY - 10));
    assert_eq!(statuses(&provider, 5), [200, 200, 200, 429, 429]);
    clock.advance(secs(9));
    assert_eq!(statuses(&provider, 1), [429]);
    clock.advance(secs(1));
    assert_eq!(statuses(&provider, 4), [200, 200, 200, 429]);
}

#[test]
fn replies_state_the_time_until_the_reset() {
    let rate = Rate::per_day(3).resets_at("18:00", "America/Los_Angeles");
    let (provider, clock) = on_clock(Provider::builder().requests(rate));
    clock.advance(secs(3_600));
    let reply = chat(&provider);
    assert_eq!(number(&reply, "x-ratelimit-remaining-requests"), 2);
    // 18:00 there is 02:00 in UTC.
    let observation = observe(&reply);
    let limit = observation.limits().next().expect("it states the limit");
    assert_eq!(limit.reset(), Some(secs(3_600)));
}

#[test]
fn it_resets_by_its_own_clock() {
    let rate = Rate::per_day(1).resets_at("00:00", "UTC");
    let (provider, clock) = on_clock(Provider::builder().requests(rate).date_skew(-5));
    assert_eq!(statuses(&provider, 2), [200, 429]);
    clock.advance(secs(5));
    assert_eq!(statuses(&provider, 2), [200, 429]);
}

#[test]
fn what_cannot_reset_cannot_be_enforced() {
    for rate in [
        Rate::per_day(0).resets_at("00:00", "UTC"),
        Rate::per_day(1).resets_at("25:00", "UTC"),
        Rate::per_day(1).resets_at("00:00", "Mars/Olympus"),
    ] {
        let error = Provider::builder().requests(rate).build().expect_err("it cannot be enforced");
        assert!(error.to_string().contains("a provider cannot enforce"), "{error}");
    }
}
