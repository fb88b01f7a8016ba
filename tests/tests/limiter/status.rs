//! Tests of `status()`: it reports the state that the next calls meet.

use std::time::Duration;

use openlimit::feedback::Observation;
use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Cost, Counting, Percent, Priority, Rate, RateLimiter, Status, Usage, limiter,
};
use openlimit_tests::{Call, millis, nanos, plain, secs};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

const MOST: u64 = i64::MAX as u64;

fn status(limiter: &RateLimiter) -> Status {
    limiter.status().expect("build failed")
}

/// Returns the available amount, the debt and the time until full of the only limit.
fn only(limiter: &RateLimiter) -> (u64, u64, Duration) {
    let status = status(limiter);
    assert_eq!(status.limits.len(), 1);
    (status.limits[0].available, status.limits[0].debt, status.limits[0].full_in)
}

fn call(limiter: &RateLimiter, tokens: u64) -> Call {
    Call::start(limiter.acquire(Cost::new().tokens(tokens)))
}

#[test]
fn a_limiter_that_nobody_has_used_is_full() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(200)).tokens(Rate::per_day(9)).build();
    let status = status(&limiter.expect("build failed"));
    assert_eq!((&*status.limiter, status.waiting, status.next), ("chat", 0, None));
    let limits: Vec<_> = status.limits.iter().map(|limit| limit.limit.to_string()).collect();
    assert_eq!(limits, ["200 requests / minute", "9 tokens / day"]);
    for (limit, most) in status.limits.iter().zip([200, 9]) {
        assert_eq!((limit.available, limit.debt, limit.full_in), (most, 0, Duration::ZERO));
    }
}

#[test]
fn a_limit_that_the_provider_refused_is_full_when_it_says_so() {
    let clock = ManualClock::new();
    let limiter = RateLimiter::builder().clock(&clock).tokens(Rate::per_second(30)).build();
    let limiter = limiter.expect("build failed");
    clock.advance(secs(1));
    let permit = call(&limiter, 20).admitted();
    // It is held for 9 s, and the rate that was cut climbs after that.
    permit.responded(&Observation::from_parts(429, [("retry-after", "9")], b""));
    let (_, _, full_in) = only(&limiter);
    assert!(full_in > secs(9), "{full_in:?}");
    clock.advance(full_in - nanos(1));
    assert_eq!(only(&limiter).2, nanos(1));
    clock.advance(nanos(1));
    assert_eq!(only(&limiter), (30, 0, Duration::ZERO));
}

#[test]
fn a_limit_in_windows_that_may_be_higher_is_full_when_all_of_it_is_available() {
    for adopts in [false, true] {
        let clock = ManualClock::new();
        let builder = plain(&clock).tokens(Rate::per_minute(600)).counting(Counting::InWindows);
        let limiter = builder.adopt_limits(adopts).build().expect("valid options");
        drop(limiter.try_acquire(1).expect("there is room"));
        let (_, _, full_in) = only(&limiter);
        assert!(full_in > secs(59) && full_in < secs(62), "{full_in:?}");
        clock.advance(full_in);
        assert_eq!(only(&limiter), (600, 0, Duration::ZERO));
    }
}

#[test]
fn what_was_taken_is_not_available_until_it_has_come_back() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("build failed");
    let permit = call(&limiter, 30).admitted();
    assert_eq!(only(&limiter), (70, 0, millis(300)));
    clock.advance(millis(5));
    assert_eq!(only(&limiter), (70, 0, millis(295)), "half a token counted");
    clock.advance(millis(5));
    assert_eq!(only(&limiter), (71, 0, millis(290)));
    permit.settle(10);
    assert_eq!(only(&limiter), (91, 0, millis(90)));
    clock.advance(millis(90));
    assert_eq!(only(&limiter), (100, 0, Duration::ZERO));
}

#[test]
fn what_is_kept_back_for_jitter_is_not_available_and_no_debt() {
    let clock = ManualClock::new();
    let limiter =
        plain(&clock).jitter(millis(200)).tokens(Rate::per_second(100)).build().expect("build failed");
    assert_eq!(only(&limiter).0, 100, "the whole limit is available to one call");
    drop(call(&limiter, 80).admitted());
    assert_eq!(only(&limiter), (0, 0, secs(1)));
    // The bucket is empty after 800 ms. A call that leaves no room for jitter waits for up to
    // 200 ms more.
    clock.advance(millis(800));
    assert_eq!(only(&limiter), (80, 0, millis(200)));
    clock.advance(millis(100));
    assert_eq!(only(&limiter), (90, 0, millis(100)));
    clock.advance(millis(100));
    assert_eq!(only(&limiter), (100, 0, Duration::ZERO));
}

#[test]
fn debt_is_what_was_taken_beyond_the_burst() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_minute(60)).burst(secs(10)).build().expect("build failed");
    assert_eq!(only(&limiter), (60, 0, Duration::ZERO), "the whole limit is available to one call");
    call(&limiter, 5).admitted().settle(25);
    assert_eq!(only(&limiter), (0, 15, secs(25)));
    clock.advance(millis(500));
    assert_eq!(only(&limiter), (0, 15, millis(24_500)), "debt was rounded down");
    clock.advance(secs(16));
    assert_eq!(only(&limiter), (1, 0, millis(8_500)));
}

#[test]
fn who_waits_is_counted_and_the_first_has_a_time() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("build failed");
    drop(call(&limiter, 100).admitted());
    let waiting = |limiter: &RateLimiter| (status(limiter).waiting, status(limiter).next);
    assert_eq!(waiting(&limiter), (0, None));
    let (first, second, third) = (call(&limiter, 50), call(&limiter, 20), call(&limiter, 20));
    assert_eq!(waiting(&limiter), (3, Some(millis(500))));
    clock.advance(millis(100));
    assert_eq!(waiting(&limiter), (3, Some(millis(400))));
    drop(first);
    assert_eq!(waiting(&limiter), (2, Some(millis(100))));
    clock.advance(millis(100));
    assert_eq!(waiting(&limiter), (1, Some(millis(200))), "the second call is admitted before it is polled");
    drop(second.admitted());
    drop(third);
    assert_eq!(waiting(&limiter), (0, None));
}

#[test]
fn those_whose_time_is_too_short_wait_no_longer() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("build failed");
    let taken = call(&limiter, 100).admitted();
    let (short, long) = (limiter.acquire(50).timeout(millis(600)), limiter.acquire(50).timeout(secs(3)));
    let (short, long) = (Call::start(short), Call::start(long));
    assert!(Call::start(limiter.acquire(50).timeout(secs(1))).over().is_some(), "call was queued");
    assert_eq!((status(&limiter).waiting, status(&limiter).next), (2, Some(millis(500))));
    taken.settle(200);
    assert_eq!((status(&limiter).waiting, status(&limiter).next), (1, Some(millis(1_500))));
    assert!(matches!(short.refused(), AcquireError::Timeout { .. }));
    clock.advance(millis(1_500));
    assert_eq!((status(&limiter).waiting, status(&limiter).next), (0, None));
    drop(long.admitted());
}

#[test]
fn it_is_one_line_of_text() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(60)).tokens(Rate::per_second(100));
    let limiter = limiter.build().expect("build failed");
    assert_eq!(
        status(&limiter).to_string(),
        "chat: 0 waiting; 60 requests / minute: 60 available; 100 tokens / second: 100 available"
    );
    call(&limiter, 50).admitted().settle(250);
    let _waiting = [call(&limiter, 1), call(&limiter, 1)];
    assert_eq!(
        status(&limiter).to_string(),
        "chat: 2 waiting, next in 1.51s; 60 requests / minute: 0 available, full in 1s; \
         100 tokens / second: 0 available, 150 in debt, full in 2.5s"
    );
}

#[test]
fn a_declared_limiter_is_built_by_it_or_says_why_not() {
    limiter! {
        static GOOD: RateLimiter = { requests: 5 / second };
        static BAD: RateLimiter = { requests: Rate::per_second("five".parse()?) };
    }
    assert_eq!(&*status(&GOOD).limiter, "limiter::status::GOOD");
    let error = BAD.status().expect_err("build succeeded");
    assert!(matches!(error.problem(), BuildProblem::Declaration { key: "requests", .. }), "{error}");
}

#[test]
fn the_slowest_and_the_fastest_limits_are_told_exactly() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1)).build().expect("build failed");
    call(&limiter, 1).admitted().settle(3);
    assert_eq!(only(&limiter), (0, 2, secs(3 * 86_400)));
    clock.advance(secs(3 * 86_400) - nanos(1));
    assert_eq!(only(&limiter), (0, 0, nanos(1)));
    clock.advance(nanos(1));
    assert_eq!(only(&limiter), (1, 0, Duration::ZERO));

    let limiter = plain(&clock).tokens(Rate::per_second(1_000_000_000_000)).build().expect("build failed");
    drop(call(&limiter, 999_999_999_999).admitted());
    assert_eq!(only(&limiter), (1, 0, secs(1)));
    clock.advance(nanos(1));
    assert_eq!(only(&limiter), (1_001, 0, secs(1) - nanos(1)));
}

#[test]
fn nothing_overflows_however_much_is_owed() {
    let fastest = Rate::new(MOST, nanos(1)).burst(nanos(1));
    for rate in [Rate::per_day(1), Rate::per_second(1), Rate::per_second(MOST), fastest] {
        let clock = ManualClock::new();
        let limiter = plain(&clock).tokens(rate).build().expect("build failed");
        for _ in 0..3 {
            let permit = limiter.try_acquire(Cost::new().tokens(0)).expect("empty call was refused");
            permit.settle(Usage::from(u64::MAX));
        }
        let (available, debt, full_in) = only(&limiter);
        assert_eq!(available, 0, "{rate}");
        assert!(debt > 0 && !full_in.is_zero(), "{rate}");
        clock.advance(Duration::MAX);
    }
}

/// A step of the test, with amounts and times as fractions of the limit's amount and period.
#[derive(Clone, Debug)]
enum Step {
    Take(u64),
    Owe(u64),
    /// A call waits, and is dropped late.
    Late(u64),
    Pass(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (1..200_u64).prop_map(Step::Take),
        (1..200_u64).prop_map(Step::Owe),
        (1..200_u64).prop_map(Step::Late),
        (1..200_u32).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// After any steps, a call for the available amount is admitted, and one for 1 more is refused.
    #[test]
    fn what_is_available_is_what_is_admitted(
        (amount, period) in (0..12_u32, 1..10_u64, 0..4_usize).prop_map(|(zeros, digit, period)| {
            (digit * 10_u64.pow(zeros), [nanos(7), secs(1), secs(60), secs(86_400)][period])
        }),
        (burst, jitter, headroom) in (1..100_u32, 1..200_u32, 0..9_u8),
        steps in vec(step(), 1..20),
    ) {
        let clock = ManualClock::new();
        let rate = Rate::new(amount, period).burst(nanos(1) + period / burst);
        let limiter = RateLimiter::builder().clock(&clock).tokens(rate).jitter(period / jitter);
        let limiter = limiter.headroom(Percent(headroom)).build().expect("build failed");
        for step in steps {
            match step {
                Step::Take(part) => drop(limiter.try_acquire(amount / part)),
                Step::Owe(part) => {
                    if let Ok(permit) = limiter.try_acquire(0) {
                        permit.settle(amount / part);
                    }
                }
                Step::Late(part) => {
                    let call = call(&limiter, (amount / part).max(1));
                    clock.jump(period * 2 + period / 3);
                    drop(call);
                }
                Step::Pass(part) => clock.advance(period / part),
            }
            let (available, ..) = only(&limiter);
            prop_assert!(limiter.try_acquire(available + 1).is_err(), "a call above the available amount of {available} was admitted");
            if available > 0 {
                limiter.try_acquire(available).expect("available amount was refused").cancel();
            }
        }
    }
}

#[test]
fn what_came_too_late_is_counted_exactly() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_second(99)).tokens(Rate::per_second(100)).build();
    let limiter = limiter.expect("build failed");
    let returned = || {
        let returned = status(&limiter).limits[1].returned;
        (returned.reserved, returned.unused, returned.late)
    };
    let first = call(&limiter, 90).admitted();
    let second = call(&limiter, 10).admitted();
    clock.advance(millis(855));
    // 14.5 are left: all 10 of the second one, and 4.5 of the first.
    second.settle(Usage::new(0, 0));
    assert_eq!(returned(), (10, 10, 0));
    first.settle(20);
    assert_eq!(returned(), (100, 80, 65));
    call(&limiter, 40).admitted().cancel();
    assert_eq!(returned(), (140, 120, 65));
    // Neither gives anything back.
    call(&limiter, 5).admitted().settle(5);
    call(&limiter, 5).admitted().settle(9);
    drop(call(&limiter, 5));
    assert_eq!(returned(), (150, 120, 65));
    let shown = status(&limiter).to_string();
    let remark = "(settled calls gave back 80 % of what they reserved, of which 54 % came too late: raise \
                  `burst` or set `output: Learned`)";
    assert!(shown.ends_with(remark), "{shown}");
    assert_eq!(shown.matches("settled").count(), 1, "{shown}");
}

#[test]
fn refunds_that_come_in_time_are_no_remark() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_second(100)).build().expect("build failed");
    call(&limiter, 90).admitted().settle(10);
    let returned = status(&limiter).limits[0].returned;
    assert_eq!((returned.reserved, returned.unused, returned.late), (90, 80, 0));
    assert!(!status(&limiter).to_string().contains("settled"));
}

#[test]
fn a_call_that_is_settled_in_parts_is_counted_once() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).tokens(Rate::per_day(1_000)).build().expect("build failed");
    let returned = || {
        let returned = status(&limiter).limits[0].returned;
        (returned.reserved, returned.unused, returned.late)
    };
    let mut permit = call(&limiter, 900).admitted();
    permit.settle_so_far(500);
    permit.settle_so_far(300);
    permit.settle(200);
    assert_eq!(returned(), (900, 700, 0));
    // What it used beyond its reservation was never reserved.
    let mut permit = call(&limiter, 100).admitted();
    permit.settle_so_far(700);
    permit.settle(50);
    assert_eq!(returned(), (1_000, 750, 0));
}

#[test]
fn a_limit_that_may_be_higher_shows_the_amount_that_it_goes_by() {
    let clock = ManualClock::new();
    let available = |limiter: &RateLimiter| -> Vec<u64> {
        status(limiter).limits.iter().map(|limit| limit.available).collect()
    };
    let limiter = plain(&clock).discover(true).build().expect("it needs no limits");
    assert_eq!(available(&limiter), [30, 6_000]);
    let permit = limiter.try_acquire(100).expect("there is room");
    let headers = [("x-ratelimit-limit-tokens", "150000"), ("x-ratelimit-remaining-tokens", "149900")];
    permit.observe(&Observation::from_parts(200, headers, b""));
    clock.advance(secs(60));
    assert_eq!(available(&limiter), [30, 150_000]);
    // A larger call still goes into debt, and a burst that is longer than the period counts.
    drop(limiter.try_acquire(400_000).expect("the bucket is full"));
    assert_eq!(available(&limiter)[1], 0);
    let long = Rate::per_second(10).burst(secs(60));
    let limiter = plain(&clock).adopt_limits(true).requests(long).build().expect("valid rates");
    assert_eq!(available(&limiter), [600]);
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    assert_eq!(available(&limiter), [599]);
}

#[test]
fn waiting_calls_are_counted_by_priority_and_the_longest_wait_is_known() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).build().expect("valid rates");
    drop(limiter.try_acquire(Cost::new()).expect("there is room"));
    let seen = || {
        let Status { waiting, by_priority, longest_wait, .. } = status(&limiter);
        (waiting, [by_priority.high, by_priority.normal, by_priority.low], longest_wait)
    };
    assert_eq!(seen(), (0, [0, 0, 0], None));
    let call = |priority| Call::start(limiter.acquire(Cost::new()).priority(priority));
    let low = call(Priority::Low);
    clock.advance(millis(100));
    let (high, normal, leaves) = (call(Priority::High), call(Priority::Normal), call(Priority::High));
    clock.advance(millis(200));
    assert_eq!(seen(), (4, [2, 1, 1], Some(millis(300))));
    drop(leaves);
    assert_eq!(seen(), (3, [1, 1, 1], Some(millis(300))));
    clock.advance(millis(700));
    drop(high.admitted());
    assert_eq!(seen(), (2, [0, 1, 1], Some(secs(1))));
    drop(low);
    assert_eq!(seen(), (1, [0, 1, 0], Some(millis(900))));
    drop(normal);
    assert_eq!(seen(), (0, [0, 0, 0], None));
}

#[test]
fn what_the_provider_last_said_is_kept_with_its_age() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).requests(Rate::per_minute(60)).tokens(Rate::per_minute(9_000));
    let limiter = limiter.build().expect("valid rates");
    let said = |limit: usize| {
        let said = status(&limiter).limits[limit].provider_said;
        said.map(|said| (said.left, said.limit, said.ago))
    };
    assert_eq!((said(0), said(1)), (None, None));
    let headers = [("x-ratelimit-limit-tokens", "8000"), ("x-ratelimit-remaining-tokens", "7000")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
    clock.advance(secs(3));
    assert_eq!((said(0), said(1)), (None, Some((Some(7_000), Some(8_000), secs(3)))));
    limiter
        .observe(&Observation::from_parts(200, [("x-ratelimit-remaining-tokens", "12")], b""))
        .expect("it is built");
    assert_eq!(said(1), Some((Some(12), Some(8_000), Duration::ZERO)));
}

#[test]
fn for_people_it_is_a_few_aligned_lines() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(60)).tokens(Rate::per_second(100));
    let limiter = limiter.concurrency(8).build().expect("valid options");
    let lines = |limiter: &RateLimiter| format!("{:#}", status(limiter));
    let idle = [
        "chat: 0 waiting",
        "  60 requests / minute   60 available",
        "  100 tokens / second   100 available",
        "  in flight             0 of 8",
    ];
    assert_eq!(lines(&limiter).lines().collect::<Vec<_>>(), idle);
    call(&limiter, 50).admitted().settle(250);
    let _waiting = [call(&limiter, 1), call(&limiter, 1)];
    clock.advance(millis(500));
    limiter.hold(secs(20), "maintenance").expect("it is built");
    let headers = [("x-ratelimit-limit-tokens", "80"), ("x-ratelimit-remaining-tokens", "70")];
    limiter.observe(&Observation::from_parts(200, headers, b"")).expect("it is built");
    let busy = lines(&limiter);
    let busy: Vec<_> = busy.lines().collect();
    assert!(busy[0].starts_with("chat: 2 waiting (0 high, 2 normal, 0 low), next in "), "{busy:#?}");
    assert!(busy[0].ends_with(", the longest for 500ms"), "{busy:#?}");
    assert!(busy[2].starts_with("  100 tokens / second   0 available, "), "{busy:#?}");
    assert!(
        busy.iter().any(|line| line.starts_with("  hold                  on hold for another 20")),
        "{busy:#?}"
    );
}

#[test]
fn for_machines_it_is_data_with_durations_in_seconds() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("chat").requests(Rate::per_minute(60)).concurrency(8);
    let limiter = limiter.build().expect("valid options");
    let _taken = call_of_one(&limiter).admitted();
    let _waits = call_of_one(&limiter);
    clock.advance(millis(250));
    let data = serde_json::to_value(status(&limiter)).expect("it is plain data");
    let expected = json!({
        "limiter": "chat",
        "waiting": 1,
        "by_priority": { "high": 0, "normal": 1, "low": 0 },
        "longest_wait": 0.25,
        "next": 0.75,
        "limits": [{
            "limit": "60 requests / minute",
            "dimension": "requests",
            "amount": 60,
            "period": 60.0,
            "available": 0,
            "debt": 0,
            "full_in": 0.75,
            "resets_in": null,
            "provider_allows": null,
            "provider_said": null,
            "pace": 1.0,
            "returned": { "reserved": 0, "unused": 0, "late": 0 },
            "hold": null,
        }],
        "is_closed": false,
        "in_flight": { "calls": 1, "most": 8 },
        "hold": null,
        "unexplained_refusals": 0,
        "learned": [],
        "store": null,
    });
    assert_eq!(data, expected);
}

#[test]
fn for_machines_a_shared_limiter_has_the_state_of_its_store() {
    let limiter = RateLimiter::builder().name("chat").requests(Rate::per_minute(60));
    let limiter = limiter.redis("redis://127.0.0.1:1").build().expect("it connects later");
    let data = serde_json::to_value(status(&limiter)).expect("it is plain data");
    assert_eq!(data["store"], json!({ "error": null, "outages": 0, "updates": 0 }));
}

fn call_of_one(limiter: &RateLimiter) -> Call {
    Call::start(limiter.acquire(Cost::new()))
}
