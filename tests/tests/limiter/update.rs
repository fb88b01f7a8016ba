//! `update`: other rates and bursts while calls wait and permits are out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildError, BuildProblem, Burst, ChatRateLimiter, Cost, Counting, Limit, Percent, Priority,
    Rate, RateLimiter, limiter, testing,
};
use openlimit_tests::{Call, millis, nanos, plain, secs};
use serde_json::json;

/// A limiter of a thousand tokens a day, all of which may be taken at once.
fn daily(clock: &ManualClock) -> RateLimiter {
    plain(clock).name("chat").tokens(Rate::per_day(1_000)).build().expect("a valid rate")
}

fn available(limiter: &RateLimiter) -> u64 {
    limiter.status().expect("it is built").limits[0].available
}

fn tokens(limiter: &RateLimiter, amount: u64) {
    limiter.update(|limits| limits.tokens(Rate::per_day(amount))).expect("a valid rate");
}

#[test]
fn what_is_used_stays_in_proportion_to_the_rate() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    drop(limiter.try_acquire(300).expect("there is room"));
    for amount in [2_000, 100, 1_000, 10_000_000_000, 10] {
        tokens(&limiter, amount);
        // Levels are rounded up to what leaks in a nanosecond.
        clock.advance(nanos(1));
        assert_eq!(available(&limiter), amount / 10 * 7, "of {amount}");
    }
}

#[test]
fn a_debt_stays_in_proportion_to_the_rate() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    drop(limiter.charge(1_500).expect("nothing is refused"));
    tokens(&limiter, 2_000);
    assert_eq!(limiter.status().expect("it is built").limits[0].debt, 1_000);
    tokens(&limiter, 100);
    assert_eq!(limiter.status().expect("it is built").limits[0].debt, 50);
}

#[test]
fn another_burst_is_filled_by_the_same_amount() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).burst(secs(10)).build().expect("a valid rate");
    // Larger than the limit's amount, so that `available` shows the burst.
    drop(limiter.try_acquire(250).expect("there is room"));
    limiter.update(|limits| limits.burst(secs(4))).expect("a valid burst");
    assert_eq!(available(&limiter), 150);
    limiter.update(|limits| limits.burst(secs(20))).expect("a valid burst");
    assert_eq!(available(&limiter), 1_750);
    // It is a debt if the burst is shorter.
    limiter.update(|limits| limits.burst(secs(1))).expect("a valid burst");
    assert_eq!(limiter.status().expect("it is built").limits[0].debt, 150);
    limiter.update(|limits| limits.burst(secs(10))).expect("a valid burst");
    assert_eq!(available(&limiter), 750);
}

#[test]
fn a_longer_burst_makes_no_call_wait_for_longer() {
    let clock = ManualClock::new();
    // The burst of a second is shorter than a request.
    let limiter = plain(&clock).requests(Rate::per_minute(3)).build().expect("a valid rate");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let longer = Rate::per_minute(3).burst(secs(60));
    limiter.update(|limits| limits.requests(longer)).expect("a valid burst");
    // One of three is used.
    drop(limiter.try_acquire(Cost::new().requests(2)).expect("there is room"));
    assert_eq!(limiter.wait_for(Cost::new()).expect("it can be admitted"), secs(20));
}

#[test]
fn a_large_call_after_a_burst_was_shortened_waits_for_all_that_was_taken_at_once() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(60).burst(secs(60))).build().expect("a valid rate");
    drop(limiter.try_acquire(60).expect("there is room"));
    limiter.update(|limits| limits.tokens(Rate::per_minute(60).burst(secs(1)))).expect("a valid burst");
    // It is larger than the burst, so it waits for an empty bucket.
    assert_eq!(limiter.wait_for(50).expect("it can be admitted"), secs(60));
}

#[test]
fn a_higher_rate_moves_waiting_calls_at_once_and_a_lower_one_holds_them_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(1)).build().expect("a valid rate");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let mut calls: Vec<_> = (0..3).map(|_| Call::start(limiter.acquire(Cost::new()))).collect();
    // One call fills the burst, so it stays full. The next one is due in a second of any rate.
    limiter.update(|limits| limits.requests(Rate::per_second(10))).expect("a valid rate");
    clock.advance(millis(99));
    assert!(!calls[0].poll());
    // The burst is one second: ten calls at once, of which all were used.
    clock.advance(millis(1));
    assert!(calls[0].poll());
    assert_eq!((calls[0].wakes(), calls[1].wakes()), (1, 0));
    limiter.update(|limits| limits.requests(Rate::per_second(1))).expect("a valid rate");
    clock.advance(millis(999));
    assert!(!calls[1].poll());
    clock.advance(millis(1));
    assert!(calls[1].poll() && !calls[2].poll());
}

#[test]
fn a_longer_burst_admits_those_who_wait_without_a_tick_of_the_clock() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(60).burst(secs(10))).build().expect("a valid rate");
    drop(limiter.try_acquire(10).expect("there is room"));
    // It waits for an empty bucket.
    let mut call = Call::start(limiter.acquire(40));
    clock.advance(secs(5));
    assert!(!call.poll());
    limiter.update(|limits| limits.tokens(Rate::per_minute(60).burst(secs(80)))).expect("a valid rate");
    assert_eq!(call.wakes(), 1);
    assert_eq!(call.admitted().waited(), secs(5));
}

#[test]
fn calls_that_can_never_fit_any_more_are_refused_at_once_and_the_others_go_on() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    drop(limiter.try_acquire(1_000).expect("there is room"));
    let mut calls = [500, 100, 501].map(|tokens| Call::start(limiter.acquire(tokens)));
    tokens(&limiter, 500);
    let [first, _, last] = &mut calls;
    assert!(!first.poll());
    assert_eq!(last.wakes(), 1);
    let refusal = last.over().expect("it is over").expect_err("it is too large");
    assert_eq!(
        refusal.to_string(),
        "limiter `chat` can never admit a call of 501 tokens: its limit of 500 tokens / day allows at most 500 for \
         one call; make the request smaller or raise the limit"
    );
    clock.advance(secs(86_400 * 2));
    assert!(calls.iter_mut().take(2).all(Call::poll));
    assert!(matches!(limiter.acquire(501).blocking(), Err(AcquireError::TooLarge { most: 500, .. })));
    assert!(matches!(limiter.try_acquire(501), Err(AcquireError::TooLarge { most: 500, .. })));
}

/// It waited for its turn, so it does not depart late.
#[test]
fn a_call_behind_one_that_is_refused_is_charged_at_the_update() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).requests(Rate::per_second(10));
    let limiter = limiter.jitter(millis(200)).build().expect("valid rates");
    // All but what the jitter keeps back.
    drop(limiter.try_acquire(Cost::new().tokens(990).requests(0)).expect("there is room"));
    let mut large = Call::start(limiter.acquire(Cost::new().tokens(900).requests(0)));
    let mut next = Call::start(limiter.acquire(Cost::new().requests(8)));
    clock.advance(secs(1));
    tokens(&limiter, 500);
    assert!(large.poll() && next.poll());
    let wait = limiter.wait_for(Cost::new().requests(1)).expect("it can be admitted");
    assert_eq!(wait, millis(100));
}

#[test]
fn a_permit_gives_back_its_part_whatever_was_updated_meanwhile() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    let mut permits: Vec<_> = (0..10).map(|_| limiter.try_acquire(50).expect("there is room")).collect();
    tokens(&limiter, 3_000);
    permits.push(limiter.try_acquire(300).expect("there is room"));
    tokens(&limiter, 2_000);
    clock.advance(nanos(1_000));
    // A half of 2 000, and a tenth of 3 000.
    assert_eq!(available(&limiter), 800);
    let (whole, part) = (permits.remove(0), permits.remove(0));
    whole.cancel();
    clock.advance(nanos(1_000));
    assert_eq!(available(&limiter), 900);
    part.settle(25);
    clock.advance(nanos(1_000));
    assert_eq!(available(&limiter), 950);
    permits.pop().expect("the last one").cancel();
    clock.advance(nanos(1_000));
    assert_eq!(available(&limiter), 1_150);
    // What it used beyond is charged by the new rate.
    permits.pop().expect("another one").settle(150);
    assert_eq!(available(&limiter), 1_050);
}

#[test]
fn refunds_stay_bounded_across_many_updates() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    let first = limiter.try_acquire(800).expect("there is room");
    clock.advance(secs(86_400));
    drop(limiter.try_acquire(100).expect("there is room"));
    for amount in 1..40 {
        tokens(&limiter, 1_000 * amount);
    }
    tokens(&limiter, 1_000);
    // All of it has leaked.
    first.cancel();
    assert!(available(&limiter) <= 900, "{}", available(&limiter));
}

#[test]
fn what_the_provider_said_counts_by_its_own_amount() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    let headers = [("x-ratelimit-limit-tokens", "500"), ("x-ratelimit-remaining-tokens", "500")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
    let pace = |limiter: &RateLimiter| limiter.status().expect("it is built").limits[0].pace;
    assert!((pace(&limiter) - 0.5).abs() < 0.001);
    tokens(&limiter, 2_000);
    assert!((pace(&limiter) - 0.25).abs() < 0.001);
    tokens(&limiter, 400);
    // Never faster than declared.
    assert!((pace(&limiter) - 1.0).abs() < 0.001);
}

#[test]
fn a_rate_that_climbs_after_a_refusal_goes_on_climbing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("a valid rate");
    let permit = limiter.try_acquire(10).expect("there is room");
    permit.refused(Observation::from_parts(429, [("retry-after", "1")], b""));
    clock.advance(secs(1));
    limiter.update(|limits| limits.tokens(Rate::per_second(1_000))).expect("a valid rate");
    let pace = limiter.status().expect("it is built").limits[0].pace;
    assert!(pace < 0.6, "{pace}");
    clock.advance(secs(10));
    let pace = limiter.status().expect("it is built").limits[0].pace;
    assert!((pace - 1.0).abs() < 0.001, "{pace}");
}

#[test]
fn an_update_during_a_hold_does_not_end_it() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    drop(limiter.try_acquire(500).expect("there is room"));
    limiter.hold(secs(300), "429").expect("it is built");
    tokens(&limiter, 2_000);
    assert!(matches!(limiter.try_acquire(1), Err(AcquireError::Held { .. })));
    clock.advance(secs(300));
    assert_eq!(available(&limiter), 1_000);
}

#[test]
fn a_change_that_is_wrong_changes_nothing() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").tokens(Rate::per_day(1_000)).requests(Rate::per_minute(60));
    let limiter = limiter.build().expect("valid rates");
    drop(limiter.try_acquire(300).expect("there is room"));
    let before = limiter.status().expect("it is built").to_string();
    let day = Rate::per_day;
    let mistakes: [(&str, Result<(), BuildError>); 8] = [
        ("of 0 tokens / day would never", limiter.update(|limits| limits.tokens(day(0)))),
        ("is too large", limiter.update(|limits| limits.tokens(day(u64::MAX)))),
        ("100 % leaves nothing", limiter.update(|limits| limits.headroom(Percent(100)))),
        ("burst of 0ns", limiter.update(|limits| limits.burst(secs(0)))),
        ("no limit of 5 images / day", limiter.update(|limits| limits.images(day(5)))),
        ("no limit of 5 requests / day", limiter.update(|limits| limits.requests(day(5)))),
        // The first part is right.
        ("no limit of", limiter.update(|limits| limits.tokens(day(9)).input_tokens(day(5)))),
        ("no limit of", limiter.update(|limits| limits.limit(Limit::new("", day(5))))),
    ];
    for (says, mistake) in mistakes {
        let error = mistake.expect_err("it is wrong").to_string();
        assert!(error.starts_with("limiter `chat` cannot be updated: "), "{error}");
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(limiter.status().expect("it is built").to_string(), before);
    let error = limiter.update(|limits| limits.images(day(5))).expect_err("it is wrong");
    assert!(matches!(error.problem(), BuildProblem::NoSuchLimit(_)));
    assert_eq!(
        error.to_string(),
        "limiter `chat` cannot be updated: it has no limit of 5 images / day to change: an update replaces the limit \
         with the same dimension and period, and adds none; build another limiter for other limits"
    );
    limiter.update(|limits| limits).expect("nothing to change");
    assert_eq!(limiter.status().expect("it is built").to_string(), before);
}

#[test]
fn of_two_limits_on_one_dimension_the_one_with_that_period_is_changed() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).requests(Rate::per_day(1_000));
    let limiter = limiter.build().expect("valid rates");
    limiter.update(|limits| limits.requests(Rate::per_day(500))).expect("a valid rate");
    let limits: Vec<_> = limiter.status().expect("it is built").limits;
    let limits: Vec<_> = limits.iter().map(|status| status.limit.to_string()).collect();
    assert_eq!(limits, ["60 requests / minute", "500 requests / day"]);
    assert!(
        format!("{limiter:?}").contains("500 requests / day") || format!("{limiter:?}").contains("500 / day")
    );
}

#[test]
fn the_closure_runs_without_a_lock_and_may_panic() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    limiter
        .update(|limits| {
            drop(limiter.try_acquire(1).expect("there is room"));
            limiter.update(|inner| inner.tokens(Rate::per_day(50))).expect("a valid rate");
            limits.tokens(Rate::per_day(500))
        })
        .expect("a valid rate");
    assert!(available(&limiter) >= 480);
    let panics =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| limiter.update(|_| panic!("foreign"))));
    assert!(panics.is_err());
    assert!(available(&limiter) >= 480);
}

#[test]
fn limits_in_windows_and_observed_bursts_can_be_updated() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).counting(Counting::InWindows);
    let limiter = limiter.build().expect("a valid rate");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    limiter.update(|limits| limits.requests(Rate::per_minute(600))).expect("a valid rate");
    clock.advance(millis(1_001));
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let error = limiter.update(|limits| limits.requests(Rate::per_minute(60).burst(secs(40))));
    assert!(matches!(error.expect_err("too long").problem(), BuildProblem::WindowBurst { .. }));
    let limiter = plain(&clock).tokens(Rate::per_minute(60)).build().expect("a valid rate");
    limiter.update(|limits| limits.burst(Burst::Observed)).expect("a valid burst");
}

#[test]
fn a_declared_limiter_its_clones_and_its_priced_calls_have_the_new_limits() {
    limiter! {
        static CHAT: ChatRateLimiter = { tokens: 1_000 / day, name: "chat" };
    }
    let clone = CHAT.clone();
    CHAT.update(|limits| limits.tokens(Rate::per_day(2_000))).expect("a valid rate");
    let request = json!({ "model": "gpt-4o", "max_tokens": 1_500,
        "messages": [{ "role": "user", "content": "Hello" }] });
    drop(clone.try_acquire(&request).expect("there is room"));
    assert!(matches!(CHAT.try_acquire(2_001), Err(AcquireError::TooLarge { most: 2_000, .. })));
}

#[test]
fn a_permit_that_waited_names_the_limit_as_it_is_now() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    drop(limiter.try_acquire(1_000).expect("there is room"));
    let call = Call::start(limiter.acquire(100));
    tokens(&limiter, 2_000);
    clock.advance(secs(86_400));
    let limit = call.admitted().waited_for().expect("it waited");
    assert_eq!(limit.to_string(), "2000 tokens / day");
}

/// Threads take and give back while another one updates. If a thread sleeps for many updates, its
/// call counts as one of the lightest era.
#[test]
fn updates_from_a_thread_beside_calls_lose_hardly_anything() {
    let clock = ManualClock::new();
    let limiter = daily(&clock);
    let done = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    match limiter.acquire(5).timeout(secs(0)).blocking() {
                        Ok(permit) => permit.cancel(),
                        Err(error) => assert!(matches!(error, AcquireError::Timeout { .. }), "{error}"),
                    }
                }
            });
        }
        for amount in 1..2_000 {
            tokens(&limiter, 1_000 + amount % 7 * 100);
        }
        done.store(true, Ordering::Relaxed);
    });
    tokens(&limiter, 1_000);
    clock.advance(millis(1));
    assert!(available(&limiter) >= 900, "{}", available(&limiter));
}

#[test]
fn a_forecast_is_made_by_the_limits_as_they_are_now() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("a valid rate");
    let time = || limiter.plan([100; 11]).expect("they fit").time();
    assert_eq!(time(), secs(10));
    limiter.update(|limits| limits.tokens(Rate::per_second(200))).expect("a valid rate");
    assert_eq!(time(), millis(4_500));
}

#[test]
fn a_limiter_without_limits_has_none_to_change_and_can_be_reset_and_closed() {
    let limiter: RateLimiter = testing::unlimited();
    let error = limiter.update(|limits| limits.tokens(Rate::per_day(5))).expect_err("it has none");
    assert!(matches!(error.problem(), BuildProblem::NoSuchLimit(_)));
    drop(limiter.charge(1_000_000_000).expect("nothing is refused"));
    limiter.reset().expect("it is built");
    drop(limiter.try_acquire(1_000_000_000).expect("there is no limit"));
    drop(limiter.close());
    assert!(matches!(limiter.try_acquire(1), Err(AcquireError::Closed { .. })));
}

#[test]
fn the_calls_in_flight_are_as_limited_as_before() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(10)).concurrency(2).build().expect("valid options");
    let first = limiter.try_acquire(Cost::new()).expect("there is room");
    limiter.update(|limits| limits.requests(Rate::per_second(1_000))).expect("a valid rate");
    let _second = limiter.try_acquire(Cost::new()).expect("there is room");
    let refused = limiter.try_acquire(Cost::new()).expect_err("two are in flight");
    assert!(matches!(refused, AcquireError::TooManyInFlight { most: 2, .. }), "{refused}");
    limiter.reset().expect("it is built");
    assert!(limiter.try_acquire(Cost::new()).is_err());
    drop(first);
    drop(limiter.try_acquire(Cost::new()).expect("one has ended"));
    // What it charges is in flight elsewhere.
    drop(limiter.charge(Cost::new().requests(5)).expect("nothing is refused"));
    drop(limiter.try_acquire(Cost::new()).expect("one may be in flight"));
    let unlimited = plain(&clock).concurrency(2).build().expect("a valid concurrency");
    unlimited.update(|limits| limits.headroom(Percent(1))).expect("it is built");
    assert!(unlimited.update(|limits| limits.requests(Rate::per_second(1))).is_err());
}

#[test]
fn the_part_that_is_kept_for_a_priority_changes_with_the_limit() {
    let clock = ManualClock::new();
    let reserve = (Priority::High, Percent(20));
    let limiter = plain(&clock).tokens(Rate::per_second(100)).reserve(reserve).build().expect("valid");
    let low = |tokens| Call::start(limiter.acquire(tokens).priority(Priority::Low));
    let high = |tokens| Call::start(limiter.acquire(tokens).priority(Priority::High));
    let permit = low(80).admitted();
    let mut waits = low(32);
    limiter.update(|limits| limits.tokens(Rate::per_second(200))).expect("a valid rate");
    // The share is as full as before. Of the limit, a fifth is left.
    assert!(waits.over().is_none());
    drop(high(40).admitted());
    assert!(high(1).over().is_none());
    // The share refills with 160 a second.
    clock.advance(millis(199));
    assert!(waits.over().is_none());
    clock.advance(millis(1));
    assert!(waits.over().is_some());
    drop(permit);
    // After a second of rest, it is 160 again, and the limit 200.
    clock.advance(secs(2));
    let permit = low(160).admitted();
    assert!(low(1).over().is_none());
    limiter.update(|limits| limits.tokens(Rate::per_second(50))).expect("a valid rate");
    assert!(low(1).over().is_none());
    // What the call gives back is a part of both.
    permit.cancel();
    drop(low(40).admitted());
    assert!(low(1).over().is_none());
    drop(high(10).admitted());
    assert!(high(1).over().is_none());
}

#[test]
fn the_kept_part_of_a_limit_in_windows_changes_too() {
    let clock = ManualClock::new();
    let reserve = (Priority::High, Percent(50));
    let builder = plain(&clock).tokens(Rate::per_minute(60_000)).burst(secs(10)).reserve(reserve);
    let limiter = builder.counting(Counting::InWindows).build().expect("valid");
    let take = |priority| (0..100_000).take_while(|_| admit(&limiter, 100, priority)).count();
    let before = take(Priority::Low);
    assert!(before > 0);
    limiter.update(|limits| limits.tokens(Rate::per_minute(120_000))).expect("a valid rate");
    assert_eq!(take(Priority::Low), 0);
    // The high calls have about the other half of the doubled burst.
    let high = take(Priority::High);
    assert!((2 * before - 2..=2 * before + 2).contains(&high), "{before} and {high}");
    clock.advance(secs(120));
    let low = take(Priority::Low);
    assert!((2 * before - 2..=2 * before + 2).contains(&low), "{before} and {low}");
}

fn admit(limiter: &RateLimiter, tokens: u64, priority: Priority) -> bool {
    Call::start(limiter.acquire(tokens).priority(priority)).over().is_some()
}
