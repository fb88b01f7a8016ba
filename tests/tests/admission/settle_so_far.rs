//! Settling in parts. The last value of each dimension counts, in any order with everything else.

use openlimit::feedback::{Observation, Verdict};
use openlimit::testing::ManualClock;
use openlimit::{Cost, Dimension, Permit, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, plain, secs};
use proptest::prelude::*;

const MOST: u64 = 1_000_000;

fn limiter(clock: &ManualClock, refunds: bool) -> RateLimiter {
    let day = Rate::per_day(MOST);
    let builder = plain(clock).input_tokens(day).output_tokens(day).tokens(day).refunds(refunds);
    builder.build().expect("valid rates")
}

fn permit(limiter: &RateLimiter) -> Permit {
    let cost = Cost::new().input_tokens(400).output_tokens(600).tokens(1_000);
    limiter.try_acquire(cost).expect("there is room")
}

/// Returns what is taken of the input, the output, and both together.
fn taken(limiter: &RateLimiter) -> [u64; 3] {
    let status = limiter.status().expect("it is built");
    [0, 1, 2].map(|place| MOST - status.limits[place].available)
}

fn input(tokens: u64) -> Usage {
    Usage::default().with(Dimension::InputTokens, tokens)
}

#[test]
fn a_part_is_settled_and_the_rest_stays_reserved() {
    let limiter = limiter(&ManualClock::new(), true);
    let mut permit = permit(&limiter);
    permit.settle_so_far(input(120));
    assert_eq!(taken(&limiter), [120, 600, 1_000]);
    assert_eq!(permit.cost().amount(&Dimension::InputTokens), 120);
    drop(permit);
    assert_eq!(taken(&limiter), [120, 600, 1_000]);
}

#[test]
fn a_later_value_replaces_an_earlier_one_whether_more_or_less() {
    for values in
        [[100, 300, 200], [900, 30, 800], [30, 900, 30], [700, 800, 900], [0, 5_000, 0], [600, 600, 600]]
    {
        let limiter = limiter(&ManualClock::new(), true);
        let mut permit = permit(&limiter);
        for output in values {
            permit.settle_so_far(Usage::new(400, output));
            assert_eq!(taken(&limiter), [400, output, 400 + output], "{values:?}");
        }
        permit.settle(Usage::new(100, 7));
        assert_eq!(taken(&limiter), [100, 7, 107], "{values:?}");
    }
}

#[test]
fn other_calls_in_between_make_no_difference() {
    let limiter = limiter(&ManualClock::new(), true);
    let mut first = permit(&limiter);
    let mut second = permit(&limiter);
    first.settle_so_far(Usage::new(400, 5_000));
    second.settle_so_far(Usage::new(400, 9_000));
    first.settle_so_far(Usage::new(10, 20));
    assert_eq!(taken(&limiter), [410, 9_020, 9_430]);
    second.settle_so_far(Usage::new(1, 2));
    assert_eq!(taken(&limiter), [11, 22, 33]);
}

#[test]
fn cancelling_gives_back_all_that_was_settled_so_far() {
    for output in [0, 20, 600, 7_000] {
        let limiter = limiter(&ManualClock::new(), true);
        let mut permit = permit(&limiter);
        permit.settle_so_far(Usage::new(120, output));
        permit.cancel();
        assert_eq!(taken(&limiter), [0; 3], "{output}");
    }
}

#[test]
fn without_refunds_only_the_largest_value_counts() {
    let limiter = limiter(&ManualClock::new(), false);
    let mut permit = permit(&limiter);
    for (output, expected) in [(20, 600), (700, 700), (650, 700), (800, 800), (0, 800)] {
        permit.settle_so_far(Usage::new(0, output));
        assert_eq!(taken(&limiter)[1], expected, "after {output}");
    }
    // A call that was never sent is given back even then.
    permit.cancel();
    assert_eq!(taken(&limiter), [0; 3]);
}

#[test]
fn a_call_that_waited_is_settled_in_parts_too() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    drop(limiter.try_acquire(100));
    let call = Call::start(limiter.acquire(80));
    clock.advance(secs(10));
    let mut permit = call.admitted();
    let room = || limiter.status().expect("it is built").limits[0].available;
    permit.settle_so_far(30);
    assert_eq!(permit.waited(), secs(1) * 4 / 5);
    let before = room();
    permit.settle_so_far(10);
    assert_eq!(room(), (before + 20).min(100));
}

#[test]
fn a_debt_so_far_holds_back_and_a_refund_so_far_moves_forward() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    let mut permit = limiter.try_acquire(100).expect("there is room");
    let next = Call::start(limiter.acquire(50));
    permit.settle_so_far(300);
    clock.advance(secs(1));
    // 200 are left of the 300. Without the call they would not be there.
    permit.settle_so_far(20);
    assert_eq!(next.admitted().waited(), secs(1));
}

#[test]
fn what_has_leaked_is_not_given_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("valid rates");
    let mut permit = limiter.try_acquire(50).expect("there is room");
    clock.advance(secs(1));
    // The reservation has leaked, and the debt has not.
    permit.settle_so_far(80);
    drop(limiter.try_acquire(70).expect("there is room"));
    permit.settle_so_far(0);
    let available = limiter.status().expect("it is built").limits[0].available;
    assert_eq!(available, 30);
}

#[test]
fn it_works_between_observing_and_a_refusal() {
    let limiter = limiter(&ManualClock::new(), true);
    limiter
        .observe(&Observation::new(200).header("x-ratelimit-remaining-tokens", "990000"))
        .expect("it is built");
    let mut permit = permit(&limiter);
    permit.settle_so_far(input(120));
    permit.observe(&Observation::new(200).header("x-ratelimit-remaining-tokens", "900000"));
    let [_, _, tokens] = taken(&limiter);
    permit.settle_so_far(Usage::new(120, 20));
    // The provider's count contains this call's reservation, so nothing of it is given back.
    assert_eq!(taken(&limiter), [120, 20, tokens]);
    let verdict = permit.refused(Observation::from_parts(429, [("retry-after", "20")], b""));
    assert!(matches!(verdict, Verdict::Retry { .. }));
    limiter.release().expect("it is built");
    assert_eq!(taken(&limiter), [120, 20, tokens]);
}

#[test]
fn a_thousand_parts_are_never_given_back_twice() {
    let limiter = limiter(&ManualClock::new(), true);
    let mut permit = permit(&limiter);
    (0..1_000).for_each(|more| permit.settle_so_far(Usage::new(0, 600 + more)));
    permit.settle_so_far(Usage::new(0, 0));
    assert!((0..=1_000).contains(&taken(&limiter)[1]));
    drop(permit);
    assert!(limiter.try_acquire(Cost::new().output_tokens(MOST)).is_err());
}

#[test]
fn usage_beyond_all_bounds_does_no_harm() {
    let limiter = limiter(&ManualClock::new(), true);
    let mut permit = permit(&limiter);
    permit.settle_so_far(Usage::new(u64::MAX, u64::MAX));
    permit.settle_so_far(-1);
    permit.settle_so_far(Usage::default());
    permit.settle_so_far(Usage::default().with("unknown", 7));
    permit.settle_so_far(Usage::new(1, 2));
    permit.cancel();
    assert!(taken(&limiter).iter().all(|taken| *taken <= MOST));
}

#[test]
fn many_dimensions_are_settled_in_parts_too() {
    let day = Rate::per_day(MOST);
    let builder = plain(&ManualClock::new()).requests(day).tokens(day).input_tokens(day).output_tokens(day);
    let limiter = builder.build().expect("valid rates");
    let cost = Cost::new().input_tokens(400).output_tokens(600).tokens(1_000);
    let mut permit = limiter.try_acquire(cost).expect("there is room");
    permit.settle_so_far(input(120));
    permit.settle_so_far(Usage::new(150, 5_000));
    permit.settle_so_far(Usage::new(150, 20));
    let status = limiter.status().expect("it is built");
    assert_eq!(
        status.limits.iter().map(|limit| MOST - limit.available).collect::<Vec<_>>(),
        [1, 170, 150, 20]
    );
}

#[test]
fn a_permit_keeps_its_size() {
    assert_eq!(size_of::<Permit>(), 24);
}

proptest! {
    #[test]
    fn whatever_is_settled_in_parts_the_last_value_is_taken(
        values in proptest::collection::vec((0_u64..3_000, 0_u64..3_000), 1..12),
        calls in proptest::collection::vec(0_usize..12, 0..4),
    ) {
        let limiter = limiter(&ManualClock::new(), true);
        let mut permit = permit(&limiter);
        let mut others = 0;
        for (at, (input, output)) in values.iter().enumerate() {
            if calls.contains(&at) {
                drop(limiter.try_acquire(Cost::new().input_tokens(10).output_tokens(10).tokens(20)));
                others += 10;
            }
            permit.settle_so_far(Usage::new(*input, *output));
        }
        let (input, output) = values[values.len() - 1];
        prop_assert_eq!(taken(&limiter), [input + others, output + others, input + output + 2 * others]);
    }
}
