//! Settling and cancelling. Unused amounts are refunded, and usage beyond the reservation is
//! charged.

use openlimit::testing::ManualClock;
use openlimit::{Cost, Rate, RateLimiter, Usage};
use openlimit_tests::{Call, millis, plain, secs};

/// Returns a limiter of a hundred tokens a second, with a burst of all of them.
fn limiter(clock: &ManualClock) -> RateLimiter {
    plain(clock).tokens(Rate::per_second(100)).build().expect("valid rates")
}

fn call(limiter: &RateLimiter, tokens: u64) -> Call {
    Call::start(limiter.acquire(tokens))
}

/// Returns the number of available tokens. Takes none of them.
fn room(limiter: &RateLimiter) -> u64 {
    let fits = |tokens: &u64| {
        let permit = limiter.try_acquire(*tokens).ok();
        permit.is_some_and(|permit| {
            permit.cancel();
            true
        })
    };
    (1..=100).take_while(fits).count() as u64
}

#[test]
fn what_was_not_used_is_given_back() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    call(&limiter, 100).admitted().settle(30);
    assert_eq!(room(&limiter), 70);
}

#[test]
fn what_was_used_beyond_is_owed() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    call(&limiter, 10).admitted().settle(250);
    let next = call(&limiter, 50);
    clock.advance(secs(10));
    assert_eq!(next.admitted().waited(), secs(2));
}

#[test]
fn a_refund_moves_those_who_wait_forward() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let first = call(&limiter, 100).admitted();
    let calls = [50, 20, 10].map(|tokens| call(&limiter, tokens));
    clock.advance(millis(100));
    first.settle(30);
    // The bucket still holds 20 tokens, so all three calls fit.
    assert_eq!(calls.map(|call| call.admitted().waited()), [millis(100); 3]);
}

#[test]
fn a_debt_holds_those_who_wait_back() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let first = call(&limiter, 100).admitted();
    let next = call(&limiter, 50);
    clock.advance(millis(400));
    first.settle(200);
    clock.advance(secs(10));
    assert_eq!(next.admitted().waited(), millis(1_500));
}

#[test]
fn without_refunds_settling_only_adds() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).refunds(false).tokens(Rate::per_second(100)).build().expect("valid rates");
    call(&limiter, 60).admitted().settle(0);
    assert_eq!(room(&limiter), 40);
    call(&limiter, 20).admitted().settle(30);
    assert_eq!(room(&limiter), 10);
    // A cancelled call was never sent, so it is refunded even here.
    call(&limiter, 10).admitted().cancel();
    assert_eq!(room(&limiter), 10);
}

#[test]
fn a_dropped_permit_keeps_its_reservation() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    drop(call(&limiter, 60).admitted());
    assert_eq!(room(&limiter), 40);
}

#[test]
fn the_cancellation_of_one_of_two_gives_exactly_that_one_back() {
    for first in [true, false] {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let permits = [call(&limiter, 30).admitted(), call(&limiter, 50).admitted()];
        let [a, b] = permits;
        if first {
            a.cancel()
        } else {
            b.cancel()
        }
        assert_eq!(room(&limiter), if first { 50 } else { 70 });
    }
}

#[test]
fn what_has_leaked_is_not_given_back_twice() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let old = call(&limiter, 100).admitted();
    clock.advance(secs(1));
    // The bucket is empty again, and the second call fills it.
    drop(call(&limiter, 100).admitted());
    old.cancel();
    assert_eq!(room(&limiter), 0, "leaked tokens were refunded");
}

#[test]
fn after_a_half_empty_bucket_only_the_other_half_is_given_back() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let old = call(&limiter, 100).admitted();
    clock.advance(millis(700));
    // 30 of its tokens are left in the bucket when the next call arrives.
    drop(call(&limiter, 70).admitted());
    old.cancel();
    assert_eq!(room(&limiter), 30);
}

#[test]
fn an_old_call_that_settles_late_takes_nothing_from_the_refunds_of_others() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let old = call(&limiter, 100).admitted();
    clock.advance(secs(1));
    let (young, next) = (call(&limiter, 50).admitted(), call(&limiter, 50).admitted());
    // All tokens of the old call have leaked. It refunds nothing and leaves other refunds
    // unchanged.
    old.settle(1);
    young.cancel();
    assert_eq!(room(&limiter), 50);
    drop(next);
}

#[test]
fn of_a_quota_that_fills_up_all_that_was_taken_last_can_be_given_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(200)).build().expect("valid rates");
    let mut permits: Vec<_> = (0..200).map(|_| call(&limiter, 1).admitted()).collect();
    permits.split_off(110).into_iter().for_each(openlimit::Permit::cancel);
    assert_eq!(limiter.status().expect("the status").limits[0].available, 90);
}

#[test]
fn the_order_of_cancellations_does_not_matter() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        let mut permits: Vec<_> = [20, 30, 50]
            .into_iter()
            .map(|tokens| {
                let permit = call(&limiter, tokens).admitted();
                clock.advance(millis(100));
                Some(permit)
            })
            .collect();
        for index in order {
            permits[index].take().expect("an unused permit").cancel();
        }
        assert_eq!(room(&limiter), 100, "tokens were lost in order {order:?}");
    }
}

#[test]
fn settling_at_what_was_reserved_changes_nothing() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let permit = call(&limiter, 40).admitted();
    permit.settle(40);
    assert_eq!(room(&limiter), 60);
}

#[test]
fn each_dimension_is_settled_by_itself() {
    let clock = ManualClock::new();
    let limiter = plain(&clock)
        .input_tokens(Rate::per_second(100))
        .output_tokens(Rate::per_second(100))
        .build()
        .expect("valid rates");
    let cost = openlimit::Cost::new().input_tokens(50).output_tokens(50);
    let permit = Call::start(limiter.acquire(cost)).admitted();
    permit.settle(Usage::new(80, 20));
    let fits = |input, output| {
        limiter.try_acquire(openlimit::Cost::new().input_tokens(input).output_tokens(output)).is_ok()
    };
    assert!(!fits(21, 0));
    assert!(!fits(0, 81));
    assert!(fits(20, 80));
}

#[test]
fn a_permit_outlives_the_handle_of_its_limiter() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock);
    let (settled, cancelled, dropped) =
        (call(&limiter, 10).admitted(), call(&limiter, 10).admitted(), call(&limiter, 10).admitted());
    drop(limiter);
    clock.advance(secs(1));
    settled.settle(20);
    cancelled.cancel();
    drop(dropped);
}

#[test]
fn a_total_may_be_counted_in_any_width_and_says_nothing_if_it_is_negative() {
    let totals: [(Usage, u64); 7] = [
        (30_u64.into(), 70),
        (30_u32.into(), 70),
        (30_usize.into(), 70),
        (30_i64.into(), 70),
        (30_i32.into(), 70),
        ((-1_i32).into(), 0),
        (i64::MIN.into(), 0),
    ];
    for (usage, left) in totals {
        let clock = ManualClock::new();
        let limiter = limiter(&clock);
        call(&limiter, 100).admitted().settle(usage);
        assert_eq!(room(&limiter), left);
    }
}

/// Covers both representations: the permit packs small amounts, but not large ones.
#[test]
fn a_permit_remembers_amounts_of_every_size() {
    const SIZES: [u64; 9] =
        [0, 1, (1 << 16) - 1, 1 << 16, (1 << 16) + 1, (1 << 32) - 1, 1 << 32, (1 << 32) + 1, 1 << 62];
    let rate = Rate::per_day(1 << 62);
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(rate).tokens(rate).input_tokens(rate).build().expect("valid rates");
    let room = || {
        let limits = limiter.status().expect("the status").limits;
        limits.into_iter().map(|limit| limit.available).collect::<Vec<_>>()
    };
    let all = room();
    for requests in SIZES {
        for tokens in SIZES {
            for input in [0, 1] {
                let cost = Cost::new().requests(requests).tokens(tokens).input_tokens(input);
                limiter.try_acquire(&cost).expect("there is room").cancel();
                assert_eq!(room(), all, "wrong refund of {cost:?}");
                let usage = Usage::default().with("requests", 0).with("tokens", 0).with("input_tokens", 0);
                limiter.try_acquire(&cost).expect("there is room").settle(usage);
                assert_eq!(room(), all, "wrong refund of {cost:?}");
            }
        }
    }
}
