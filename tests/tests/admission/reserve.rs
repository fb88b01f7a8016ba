//! `reserve`: a part of every rate is kept for a priority, and the bound of the whole stays.

use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Cost, Counting, Dollars, Keyed, Limit, Percent, Priority, Rate, RateLimiter,
    Unit, Usage,
};
use openlimit_tests::{Call, millis, plain, secs};

use Priority::{High, Low, Normal};

const FIFTH: (Priority, Percent) = (High, Percent(20));

/// Returns a limiter of 100 tokens a second, of which a fifth is for high calls.
fn tokens(clock: &ManualClock) -> RateLimiter {
    plain(clock).tokens(Rate::per_second(100)).reserve(FIFTH).build().expect("a valid reserve")
}

fn call(limiter: &RateLimiter, tokens: u64, priority: Priority) -> Call {
    Call::start(limiter.acquire(tokens).priority(priority))
}

/// Returns how many of the calls have been admitted within `time`.
fn admitted(calls: &mut [Call], clock: &ManualClock, time: Duration) -> usize {
    clock.advance(time);
    calls.iter_mut().map(|call| usize::from(call.wakes() > 0 || call.poll())).sum()
}

#[test]
fn a_call_as_large_as_the_limit_counts_in_full_in_a_small_share() {
    let clock = ManualClock::new();
    let amount = 3_329_291_700;
    let builder = plain(&clock).tokens(Rate::per_minute(amount).burst(secs(60)));
    let limiter = builder.reserve((High, Percent(99))).build().expect("a valid reserve");
    drop(call(&limiter, amount, Normal).admitted());
    let second = call(&limiter, amount, Normal);
    clock.advance(secs(7_000));
    // At a hundredth of the rate, the first one takes a hundred minutes to flow back.
    assert_eq!(second.admitted().waited(), secs(6_000));
}

#[test]
fn a_flood_of_low_calls_never_takes_more_than_its_share_in_any_window() {
    for (counting, most) in [(Counting::Refilling, 80), (Counting::InWindows, 4)] {
        let clock = ManualClock::new();
        let builder = plain(&clock).tokens(Rate::per_second(100)).reserve(FIFTH).counting(counting);
        let limiter = builder.build().expect("a valid reserve");
        let mut flood: Vec<_> =
            (0..2_000).map(|at| call(&limiter, 1, if at % 2 == 0 { Low } else { Normal })).collect();
        let mut before = vec![admitted(&mut flood, &clock, secs(0))];
        assert!(before[0] <= most, "{}", before[0]);
        for _ in 0..100 {
            before.push(admitted(&mut flood, &clock, millis(100)));
        }
        for (from, start) in before.iter().enumerate() {
            for (steps, end) in before[from..].iter().enumerate() {
                assert!(end - start <= steps * 8 + most, "{} in {steps} tenths of a second", end - start);
            }
        }
        // All of the share is used. In windows, the burst is taken off the rate.
        assert!(before[100] - before[0] >= if most == 80 { 800 } else { 760 }, "{}", before[100]);
    }
}

#[test]
fn a_high_call_gets_its_part_at_once_beside_a_flood_and_all_of_the_limit_without_one() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    let flood: Vec<_> = (0..1_000).map(|_| call(&limiter, 1, Low)).collect();
    assert_eq!(call(&limiter, 20, High).admitted().waited(), secs(0));
    for _ in 0..50 {
        clock.advance(millis(100));
        assert_eq!(call(&limiter, 2, High).admitted().waited(), secs(0));
    }
    // More than the part that is kept comes out of what low calls would get.
    assert_eq!(call(&limiter, 50, High).over().map(|_| ()), None);
    drop(flood);
    let limiter = tokens(&clock);
    assert_eq!(call(&limiter, 100, High).admitted().waited(), secs(0));
}

#[test]
fn all_calls_together_keep_the_bound_of_the_whole() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    let mut calls: Vec<_> = (0..1_500).map(|at| call(&limiter, 1, [Low, High, Normal][at % 3])).collect();
    for tenths in 0..60 {
        let so_far = admitted(&mut calls, &clock, millis(if tenths == 0 { 0 } else { 100 }));
        assert_eq!(so_far, 100 + tenths * 10, "after {tenths} tenths of a second");
    }
}

#[test]
fn a_high_call_passes_a_low_head_that_waits_for_its_share_even_if_that_is_owed_its_turn() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Low).admitted());
    // It is overtaken by far more than nine calls.
    let low = call(&limiter, 60, Low);
    for _ in 0..20 {
        assert_eq!(call(&limiter, 1, High).admitted().waited(), secs(0));
    }
    clock.advance(millis(200));
    let hurried = limiter.acquire(15).priority(High).timeout(secs(0));
    assert_eq!(hurried.blocking().expect("there is room").waited(), secs(0));
    clock.advance(millis(550));
    // The share has room for it after 750 ms. By then the limit has room, too.
    assert_eq!(low.admitted().waited(), millis(750));
}

#[test]
fn a_call_that_is_owed_its_turn_goes_as_soon_as_the_last_high_call_has_passed() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Low).admitted());
    let (small, large) = (call(&limiter, 5, Low), call(&limiter, 60, Normal));
    // The small one has room in its share now, but the large one is next.
    clock.advance(millis(100));
    for passed in 0..9 {
        assert_eq!(limiter.status().expect("valid").waiting, 2, "after {passed} calls");
        assert_eq!(call(&limiter, 1, High).admitted().waited(), secs(0));
    }
    assert_eq!(small.admitted().waited(), millis(100));
    drop(large);
}

#[test]
fn high_calls_delay_a_low_one_by_one_call_at_most_once_it_waits_for_the_limit_itself() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Low).admitted());
    let low = call(&limiter, 8, Low);
    let high: Vec<_> = (0..100).map(|_| call(&limiter, 20, High)).collect();
    clock.advance(secs(10));
    // Nine calls, and then it is owed its turn.
    assert_eq!(low.admitted().waited(), millis(1_680));
    drop(high);
}

#[test]
fn with_a_normal_floor_try_acquire_passes_low_calls_that_wait_for_their_share() {
    let clock = ManualClock::new();
    let reserve = (Normal, Percent(50));
    let limiter = plain(&clock).tokens(Rate::per_second(100)).reserve(reserve).build().expect("valid");
    let low: Vec<_> = (0..3).map(|_| call(&limiter, 50, Low)).collect();
    assert!(limiter.try_acquire(50).is_ok());
    assert!(limiter.try_acquire(1).is_err());
    drop(low);
}

#[test]
fn a_low_call_that_is_refused_is_told_the_wait_for_its_share() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Low).admitted());
    let hurried = Call::start(limiter.acquire(40).priority(Low).timeout(millis(499)));
    let AcquireError::Timeout { wait, limit, .. } = hurried.refused() else { panic!("no timeout") };
    assert_eq!((wait, limit), (millis(500), Limit::new("tokens", Rate::per_second(100))));
    // `try_acquire` is a normal call.
    let AcquireError::WouldWait { wait, .. } = limiter.try_acquire(8).expect_err("no room") else {
        panic!("another error")
    };
    assert_eq!(wait, millis(100));
}

#[test]
fn a_high_call_with_a_timeout_is_not_refused_for_the_sake_of_low_ones() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Low).admitted());
    let low = Call::start(limiter.acquire(80).priority(Low).timeout(secs(2)));
    for _ in 0..10 {
        drop(call(&limiter, 2, High).admitted());
    }
    let debtor = call(&limiter, 0, High).admitted();
    let high = Call::start(limiter.acquire(10).priority(High).timeout(millis(120)));
    // A debt moves the queue back, and all deadlines are checked.
    debtor.settle(Usage::from(2));
    clock.advance(millis(120));
    assert_eq!(high.admitted().waited(), millis(120));
    clock.advance(secs(1));
    assert_eq!(low.admitted().waited(), secs(1));
}

#[test]
fn settling_and_cancelling_give_back_and_owe_in_the_share_of_low_calls_alone() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    call(&limiter, 80, Low).admitted().settle(Usage::from(10));
    call(&limiter, 70, Low).admitted().cancel();
    let mut permit = call(&limiter, 30, Low).admitted();
    permit.settle_so_far(Usage::from(70));
    assert!(call(&limiter, 1, Low).over().is_none());
    drop(permit);
    // A high call owes nothing to it.
    call(&limiter, 0, High).admitted().settle(Usage::from(20));
    clock.advance(millis(125));
    assert!(call(&limiter, 10, Low).over().is_some());
}

#[test]
fn a_low_call_that_reserved_nothing_owes_what_it_used_to_its_share() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    call(&limiter, 0, Low).admitted().settle(Usage::from(80));
    assert!(call(&limiter, 1, Low).over().is_none());
    assert!(call(&limiter, 20, High).over().is_some());
}

#[test]
fn a_charge_from_elsewhere_is_a_normal_call_and_fills_the_share() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    let permit = limiter.charge(100).expect("nothing is refused");
    assert!(call(&limiter, 1, High).over().is_none());
    // The share owes 20, and the limit nothing.
    clock.advance(millis(250));
    assert!(call(&limiter, 1, Low).over().is_none());
    drop(call(&limiter, 25, High).admitted());
    permit.cancel();
    assert!(call(&limiter, 75, Low).over().is_some());
}

#[test]
fn a_part_of_a_budget_can_be_kept_and_what_a_call_did_not_spend_comes_back() {
    let clock = ManualClock::new();
    let builder = plain(&clock).requests(Rate::per_day(100)).spend(Dollars(1) / Unit::day).reserve(FIFTH);
    let limiter = builder.build().expect("a valid reserve");
    let call = |cents, priority| {
        let cost = Cost::new().requests(1).spend(Dollars::from_cents(cents));
        Call::start(limiter.acquire(cost).priority(priority))
    };
    let permit = call(80, Low).admitted();
    assert!(call(1, Low).over().is_none());
    drop(call(20, High).admitted());
    permit.settle(Usage::default().spend(Dollars::from_cents(30)));
    drop(call(50, Normal).admitted());
    assert!(call(1, High).over().is_none());
}

#[test]
fn a_key_is_not_forgotten_while_its_share_is_in_use() {
    let clock = ManualClock::new();
    let builder = plain(&clock).tokens(Rate::per_second(100)).reserve(FIFTH).keyed();
    let tenants: Keyed<u32, RateLimiter> = builder.build().expect("a valid reserve");
    let low = |tokens| Call::start(tenants.of(&0).acquire(tokens).priority(Low));
    let crowd = || {
        for key in 1..2_000 {
            assert!(tenants.of(&key).try_acquire(80).is_ok());
        }
    };
    // After a second the limit is as new. The share, which it filled as well, owes 20 more.
    drop(low(100).admitted());
    clock.advance(millis(1_001));
    crowd();
    assert!(low(80).over().is_none());
    clock.advance(millis(250));
    assert!(low(80).over().is_some());
}

#[test]
fn the_status_and_a_plan_show_each_limit_once() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    call(&limiter, 80, Low).admitted().settle(Usage::from(30));
    let status = limiter.status().expect("it is built");
    assert_eq!((status.limits.len(), status.limits[0].available), (1, 70));
    assert_eq!(status.limits[0].returned.unused, 50);
    // Its calls are normal ones, which have four fifths.
    let plan = limiter.plan(vec![Cost::new().tokens(80); 11]).expect("they can be admitted");
    assert_eq!(plan.time(), secs(10));
}

#[test]
fn what_cannot_be_reserved_is_an_error() {
    let clock = ManualClock::new();
    let build = |reserve| plain(&clock).tokens(Rate::per_second(100)).reserve(reserve).build();
    for (percent, why) in [(0, "keeps nothing"), (100, "leaves nothing"), (255, "leaves nothing")] {
        let error = build((High, Percent(percent))).expect_err("out of range");
        assert!(matches!(error.problem(), BuildProblem::ReservedPart(found) if *found == percent));
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = build((Low, Percent(20))).expect_err("nothing is lower");
    assert!(matches!(error.problem(), BuildProblem::ReservedForAll), "{error}");
    let error = plain(&clock).concurrency(3).reserve(FIFTH).build().expect_err("no rate");
    assert!(matches!(error.problem(), BuildProblem::UnusedReserve), "{error}");
    for percent in [1, 99] {
        let limiter = build((Normal, Percent(percent))).expect("in range");
        assert!(call(&limiter, 100, Low).over().is_some(), "a call may be as large as the limit");
    }
}

#[test]
fn the_wait_of_a_call_that_is_not_made_counts_the_share() {
    let clock = ManualClock::new();
    let limiter = tokens(&clock);
    drop(call(&limiter, 80, Normal).admitted());
    let wait = limiter.wait_for(8).expect("it may wait");
    assert_eq!(wait, millis(100));
    clock.advance(wait);
    assert_eq!(call(&limiter, 8, Normal).admitted().waited(), secs(0));
}

#[test]
fn a_call_that_passes_one_that_waits_for_its_share_is_in_flight_at_once() {
    let clock = ManualClock::new();
    let builder = plain(&clock).tokens(Rate::per_second(100)).reserve((Normal, Percent(50))).concurrency(2);
    let limiter = builder.build().expect("a valid reserve");
    let _first = call(&limiter, 50, Low).admitted();
    let _below = call(&limiter, 10, Low);
    let next = || limiter.status().expect("it is built").next;
    assert_eq!(next(), Some(millis(200)));
    let _passes = limiter.try_acquire(1).expect("it takes nothing of the share");
    // Both places are taken, so nobody knows when the next call departs.
    assert_eq!(next(), None);
}
