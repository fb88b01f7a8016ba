//! Limits that reset beside everything else that a limiter can do.

use openlimit::testing::ManualClock;
use openlimit::{Cost, Counting, Percent, Priority, Rate, RateLimiter, Stack};
use openlimit_tests::{Call, millis, plain, secs};

use super::{HOUR, NEW_YEAR, daily, date, left, limiter};

#[test]
fn the_status_and_the_errors_say_when_it_resets() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    clock.advance(21 * HOUR);
    let status = limiter.status().unwrap();
    assert_eq!(status.limits[0].resets_in, Some(3 * HOUR));
    assert_eq!(status.limits[0].full_in, 3 * HOUR);
    let limit = "100 tokens / day (resets at 00:00 UTC)";
    assert_eq!(status.to_string(), format!("daily: 0 waiting; {limit}: 0 available, resets in 3h"));
    let error = limiter.try_acquire(1).unwrap_err().to_string();
    let expected =
        format!("limiter `daily` has no capacity now: the limit of {limit} requires a wait of at least 3h");
    assert!(error.starts_with(&expected), "{error}");
    let data = serde_json::to_value(&status).unwrap();
    assert_eq!(data["limits"][0]["resets_in"], 10_800.0);
}

#[test]
fn a_limit_that_refills_stands_beside_it() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).tokens(daily()).build().unwrap();
    let calls: Vec<_> = (0..4).map(|_| Call::start(limiter.acquire(40))).collect();
    clock.advance(48 * HOUR);
    let waited: Vec<_> = calls.into_iter().map(|call| call.admitted().waited()).collect();
    assert_eq!(waited, [secs(0), secs(1), 24 * HOUR, 24 * HOUR + secs(1)]);
}

#[test]
fn a_call_that_another_limit_refuses_takes_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(daily()).requests(Rate::per_second(1)).build().unwrap();
    drop(limiter.try_acquire(10).unwrap());
    assert!(limiter.try_acquire(10).is_err());
    assert_eq!(left(&limiter), 90);
}

#[test]
fn a_hold_does_not_delay_the_reset() {
    let clock = ManualClock::new();
    clock.set_date(date(NEW_YEAR + 86_000));
    let limiter = limiter(&clock, daily());
    drop(limiter.try_acquire(100).unwrap());
    limiter.hold(secs(300), "a test").unwrap();
    let call = Call::start(limiter.acquire(1));
    clock.advance(secs(1_000));
    assert_eq!(call.admitted().waited(), secs(400));
    clock.advance(secs(86_100));
    limiter.hold(secs(600), "a test").unwrap();
    let call = Call::start(limiter.acquire(100));
    clock.advance(secs(1_000));
    assert_eq!(call.admitted().waited(), secs(600));
}

#[test]
fn an_update_changes_the_amount_and_what_was_taken_stays_taken() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    let permit = limiter.try_acquire(60).unwrap();
    let call = Call::start(limiter.acquire(70));
    limiter.update(|limits| limits.tokens(daily_of(150))).unwrap();
    assert_eq!(call.admitted().waited(), secs(0));
    assert_eq!(left(&limiter), 20);
    limiter.update(|limits| limits.tokens(daily_of(80))).unwrap();
    // What was taken fitted the amount of before, so it is no debt.
    assert_eq!((left(&limiter), limiter.status().unwrap().limits[0].debt), (0, 0));
    permit.settle(0);
    assert_eq!(left(&limiter), 10);
    // A limit over the same time that refills is another one.
    assert!(limiter.update(|limits| limits.tokens(Rate::per_day(150))).is_err());
}

#[test]
fn an_amount_that_is_lowered_below_what_was_taken_is_back_at_the_next_reset() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily_of(1_000));
    drop(limiter.try_acquire(900).unwrap());
    limiter.update(|limits| limits.tokens(daily_of(500))).unwrap();
    limiter.update(|limits| limits.tokens(daily_of(100))).unwrap();
    assert_eq!(left(&limiter), 0);
    assert_eq!(limiter.try_acquire(100).unwrap_err().retry_after(), Some(24 * HOUR));
    let calls = [60, 60].map(|amount| Call::start(limiter.acquire(amount)));
    assert_eq!(limiter.status().unwrap().next, Some(24 * HOUR));
    clock.advance(48 * HOUR);
    assert_eq!(calls.map(|call| call.admitted().waited()), [24 * HOUR, 48 * HOUR]);
    // From then on, the lower amount is that of each window.
    drop(limiter.charge(240).unwrap());
    assert_eq!(limiter.status().unwrap().limits[0].debt, 200);
    assert_eq!(limiter.try_acquire(100).unwrap_err().retry_after(), Some(72 * HOUR));
}

#[test]
fn what_was_used_beyond_the_highest_amount_of_a_window_is_a_debt() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily_of(1_000));
    drop(limiter.charge(1_150).unwrap());
    limiter.update(|limits| limits.tokens(daily_of(100))).unwrap();
    assert_eq!(limiter.status().unwrap().limits[0].debt, 150);
    assert_eq!(limiter.try_acquire(50).unwrap_err().retry_after(), Some(48 * HOUR));
    clock.advance(24 * HOUR);
    assert_eq!((left(&limiter), limiter.status().unwrap().limits[0].debt), (0, 50));
    clock.advance(24 * HOUR);
    assert_eq!(left(&limiter), 50);
}

fn daily_of(amount: u64) -> Rate {
    Rate::per_day(amount).resets_at("00:00", "UTC")
}

#[test]
fn calls_made_elsewhere_are_charged_and_a_reset_of_the_limiter_forgets_all() {
    let clock = ManualClock::new();
    let limiter = limiter(&clock, daily());
    drop(limiter.charge(130).unwrap());
    assert_eq!(limiter.try_acquire(70).unwrap_err().retry_after(), Some(24 * HOUR));
    assert_eq!(limiter.try_acquire(71).unwrap_err().retry_after(), Some(48 * HOUR));
    let permit = limiter.reset().map(|()| limiter.try_acquire(100).unwrap()).unwrap();
    limiter.reset().unwrap();
    permit.settle(0);
    assert_eq!(left(&limiter), 100);
}

#[test]
fn a_part_of_each_window_is_kept_for_a_priority() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(daily()).reserve((Priority::High, Percent(20))).build().unwrap();
    drop(limiter.try_acquire(80).unwrap());
    let normal = Call::start(limiter.acquire(1));
    let high = Call::start(limiter.acquire(20).priority(Priority::High));
    assert_eq!(high.admitted().waited(), secs(0));
    clock.advance(24 * HOUR);
    assert_eq!(normal.admitted().waited(), 24 * HOUR);
    // The smallest amount is not shared out.
    let one = plain(&clock).requests(daily_of(1)).reserve((Priority::High, Percent(99))).build().unwrap();
    drop(one.try_acquire(Cost::new()).unwrap());
}

#[test]
fn a_headroom_leaves_a_part_of_each_window() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).headroom(Percent(10)).tokens(daily()).build().unwrap();
    drop(limiter.try_acquire(90).unwrap());
    assert!(limiter.try_acquire(1).is_err());
    // By default nothing is left.
    let limiter = RateLimiter::builder().clock(&clock).tokens(daily()).build().unwrap();
    drop(limiter.try_acquire(50).unwrap());
    drop(limiter.try_acquire(50).unwrap());
    // The largest call is as large as without it.
    let limiter = plain(&clock).headroom(Percent(10)).tokens(daily()).build().unwrap();
    drop(limiter.try_acquire(100).unwrap());
    assert_eq!(limiter.try_acquire(80).unwrap_err().retry_after(), Some(24 * HOUR));
    assert_eq!(limiter.try_acquire(81).unwrap_err().retry_after(), Some(48 * HOUR));
}

#[test]
fn counting_in_windows_is_for_the_other_limits() {
    let clock = ManualClock::new();
    let builder = plain(&clock).counting(Counting::InWindows).tokens(daily()).requests(Rate::per_minute(60));
    let limiter = builder.build().unwrap();
    drop(limiter.try_acquire(100).unwrap());
    clock.advance(24 * HOUR);
    drop(limiter.try_acquire(100).unwrap());
}

#[test]
fn limiters_of_a_stack_may_reset() {
    let clock = ManualClock::new();
    let (own, all) = (limiter(&clock, daily_of(50)), limiter(&clock, daily()));
    drop(Stack::of((&own, &all)).try_acquire(50).unwrap());
    assert!(Stack::of((&own, &all)).try_acquire(1).is_err());
    assert_eq!((left(&own), left(&all)), (0, 50));
    let call = Call::start(Stack::of((&own, &all)).acquire(10));
    clock.advance(24 * HOUR);
    assert_eq!(call.admitted().waited(), 24 * HOUR);
    assert_eq!((left(&own), left(&all)), (40, 90));
}

#[test]
fn a_key_is_forgotten_when_its_window_is_over() {
    let clock = ManualClock::new();
    let tenants = plain(&clock).tokens(daily()).keyed::<String>().max_keys(1).build().unwrap();
    drop(tenants.of("anna").try_acquire(1).unwrap());
    clock.advance(24 * HOUR - millis(1));
    assert!(tenants.of("berta").try_acquire(1).is_err());
    assert_eq!(left(&tenants.of("anna")), 99);
    clock.advance(millis(1));
    drop(tenants.of("berta").try_acquire(100).unwrap());
}

#[test]
fn a_plan_resets_by_the_date_of_now() {
    let clock = ManualClock::new();
    clock.set_date(date(NEW_YEAR + 21 * 3_600));
    let limiter = plain(&clock).requests(daily_of(2)).build().unwrap();
    let forecast = limiter.plan(vec![Cost::new(); 5]).unwrap();
    let departures: Vec<_> = forecast.departures().collect();
    assert_eq!(departures, [secs(0), secs(0), 3 * HOUR, 3 * HOUR, 27 * HOUR]);
    let doubled = forecast.halved_by().unwrap();
    assert_eq!(doubled.limits[0].to_string(), "4 requests / day (resets at 00:00 UTC)");
}

#[tokio::test(start_paused = true)]
async fn paused_time_has_a_date_that_moves_along() {
    openlimit::testing::set_date(date(NEW_YEAR - 10));
    let limiter = RateLimiter::builder().requests(daily_of(1)).build().unwrap();
    drop(limiter.acquire(Cost::new()).await.unwrap());
    assert_eq!(limiter.acquire(Cost::new()).await.unwrap().waited(), secs(10));
    openlimit::testing::set_date(date(NEW_YEAR + 86_399));
    assert_eq!(limiter.acquire(Cost::new()).await.unwrap().waited(), secs(1));
}

#[test]
fn a_share_is_given_back_by_a_call_that_is_dropped_after_its_admission() {
    // The second is larger than the share.
    for amount in [50, 60] {
        let clock = ManualClock::new();
        let share = (Priority::High, Percent(50));
        let limiter = plain(&clock).tokens(daily()).reserve(share).build().unwrap();
        drop(limiter.acquire(100).priority(Priority::High).blocking().unwrap());
        let [first, second] = [(); 2].map(|()| Call::start(limiter.acquire(amount)));
        clock.advance(24 * HOUR);
        drop(first);
        drop(second.admitted());
    }
}

#[test]
fn a_call_that_may_take_all_gives_nothing_back_to_the_share_of_others() {
    let clock = ManualClock::new();
    let share = (Priority::High, Percent(50));
    let limiter = plain(&clock).tokens(daily()).reserve(share).build().unwrap();
    drop(limiter.try_acquire(50).unwrap());
    let high = || limiter.acquire(40).priority(Priority::High).blocking().unwrap();
    high().cancel();
    high().settle(1);
    assert!(limiter.try_acquire(1).is_err());
}
