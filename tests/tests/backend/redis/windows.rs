//! The check of the bound finds the same worst window as a search through all of them.

use std::time::Duration;

use openlimit_tests::model::Limit;
use openlimit_tests::redis::window::{assert_within, limit, worst};
use openlimit_tests::redis::{Grant, Worst};
use proptest::collection::vec;
use proptest::prelude::*;

/// Finds the worst window by trying every beginning and every end.
fn by_trial(limit: &Limit, grants: &[Grant]) -> Option<i64> {
    let excess = |first: usize, last: usize| {
        let amounts = || grants[first..=last].iter().map(|grant| grant.amounts[limit.dimension]);
        let leaked = limit.worth(grants[last].at - grants[first].at);
        let allowed = limit.worth(limit.burst).max(limit.weight(amounts().max().unwrap_or(0)));
        let over = limit.weight(amounts().sum()) - leaked - allowed;
        (over as f64 / limit.weight(1) as f64).ceil() as i64
    };
    let used = |index: usize| grants[index].amounts[limit.dimension] > 0;
    let ends = (0..grants.len()).flat_map(|last| (0..=last).map(move |first| (first, last)));
    ends.filter(|(first, last)| used(*first) && used(*last)).map(|(first, last)| excess(first, last)).max()
}

proptest! {
    #[test]
    fn the_worst_window_is_the_worst(
        amount in 1..20_u64,
        burst in 0..3_000_u64,
        calls in vec((0..400_u64, 0..40_u64), 1..40),
    ) {
        let limit = limit(0, amount, Duration::from_secs(1), Duration::from_millis(burst));
        let mut at = 5_000_000;
        let grants: Vec<Grant> = calls.into_iter().map(|(later, amount)| {
            at += later * 1_000;
            Grant::at_us(at, [amount])
        }).collect();
        let found = worst(std::slice::from_ref(&limit), &grants).first().map(|worst| worst.excess);
        prop_assert_eq!(found, by_trial(&limit, &grants));
    }
}

#[test]
fn the_bound_is_exact() {
    let limits = [limit(0, 10, Duration::from_secs(1), Duration::from_secs(1))];
    // The burst at once, then one every 0.1 s, then a call beyond the burst after the bucket is
    // empty.
    let mut grants: Vec<Grant> = (0..10).map(|_| Grant::at_us(0, [1])).collect();
    grants.extend((1..=20).map(|step| Grant::at_us(step * 100_000, [1])));
    grants.push(Grant::at_us(3_500_000, [50]));
    grants.push(Grant::at_us(4_500_000, [10]));
    assert_eq!(assert_within(&limits, &grants)[0].excess, 0);
    grants.last_mut().unwrap().at -= 1_000;
    let Worst { excess, largest, granted, window, .. } = worst(&limits, &grants)[0];
    assert_eq!((excess, largest, granted), (1, 50, 60));
    assert_eq!(window, (3_500_000_000, 4_499_999_000));
}

#[test]
#[should_panic(expected = "exceeded")]
fn a_microsecond_too_early_is_found() {
    let limits = [limit(0, 10, Duration::from_secs(1), Duration::from_millis(100))];
    let _ = assert_within(&limits, &[Grant::at_us(0, [1]), Grant::at_us(99_999, [1])]);
}
