//! Tests of bad input: each mistake returns an error that names the limiter, the value and the fix.
//! None of them panics.
//!
//! The tests compare the complete messages, because users read them.

use std::sync::Arc;
use std::time::Duration;

use openlimit::testing::ManualClock;
use openlimit::{
    AcquireError, BuildProblem, Builder, ChatRateLimiter, Cost, Limit, Percent, Rate, RateLimiter, kind,
    limiter,
};
use openlimit_tests::{Call, plain, secs};
use serde_json::json;

fn builder() -> Builder<kind::Explicit> {
    RateLimiter::builder().name("gpt")
}

#[track_caller]
fn refused(builder: Builder<kind::Explicit>, text: &str) {
    let error = builder.build().expect_err("build succeeded");
    assert_eq!(error.limiter(), "gpt");
    assert_eq!(error.to_string(), format!("limiter `gpt` cannot be built: {text}"));
}

#[test]
fn no_limits() {
    refused(builder(), "it has no limits; give it at least one, such as `requests: 200 / minute`");
}

#[test]
fn too_many_limits() {
    let many =
        |count| (1..=count).fold(builder(), |builder, time| builder.requests(Rate::new(1, secs(time))));
    assert!(many(64).build().is_ok());
    refused(many(65), "it has 65 limits; give it at most 64");
}

#[test]
fn a_limit_that_is_declared_twice() {
    let minute = |requests| Rate::per_minute(requests);
    refused(
        builder().requests(minute(5)).tokens(minute(5)).requests(Rate::new(7, secs(60)).burst(secs(9))),
        "a limit is declared twice, as 5 requests / minute and as 7 requests / minute; keep one of them, since both \
         have the same dimension and period",
    );
    refused(
        builder().limit(Limit::new("pages", minute(5))).limit(Limit::new("pages", minute(5))),
        "a limit is declared twice, as 5 pages / minute and as 5 pages / minute; keep one of them, since both have the \
         same dimension and period",
    );
}

#[test]
fn two_limits_with_one_period_that_reset_differently_are_two_and_an_update_tells_them_apart() {
    let day = |requests| Rate::per_day(requests);
    let builder = plain(&ManualClock::new()).requests(day(90)).requests(day(50).resets_at("00:00", "UTC"));
    let limiter = builder.requests(day(60).resets_at("12:00", "UTC")).build().expect("three limits");
    limiter.update(|limits| limits.requests(day(40).resets_at("12:00", "UTC"))).expect("it is one of them");
    limiter.update(|limits| limits.requests(day(80))).expect("it is one of them");
    let limits = limiter.status().expect("it is built").limits;
    let amounts: Vec<_> = limits.iter().map(|limit| limit.limit.rate().amount()).collect();
    assert_eq!(amounts, [80, 50, 40]);
}

#[test]
fn a_rate_of_zero() {
    refused(
        builder().requests(Rate::per_minute(5)).tokens(Rate::per_minute(0)),
        "the limit of 0 tokens / minute would never admit a call; give an amount of at least 1, or leave the dimension \
         out if it is not limited",
    );
}

#[test]
fn an_amount_above_the_largest() {
    let most = i64::MAX as u64;
    assert!(builder().tokens(Rate::per_day(most)).build().is_ok());
    refused(
        builder().tokens(Rate::per_day(most + 1)),
        "the amount of the limit of 9223372036854775808 tokens / day is too large; give at most 9223372036854775807",
    );
    assert!(builder().tokens(Rate::per_day(u64::MAX)).build().is_err());
}

#[test]
fn an_input_factor_that_is_no_factor() {
    let with = |factor| builder().tokens(Rate::per_minute(9)).input_factor(factor);
    for factor in [0.01, 1.0, 100.0] {
        assert!(with(factor).build().is_ok());
    }
    refused(with(0.0), "an input factor of 0 is out of range; give from 0.01 to 100");
    refused(with(-1.5), "an input factor of -1.5 is out of range; give from 0.01 to 100");
    refused(with(f64::NAN), "an input factor of NaN is out of range; give from 0.01 to 100");
    refused(with(f64::INFINITY), "an input factor of inf is out of range; give from 0.01 to 100");
}

#[test]
fn a_period_of_nothing_or_above_31_days() {
    let month = secs(31 * 86_400);
    assert!(builder().requests(Rate::new(1, month)).build().is_ok());
    refused(
        builder().requests(Rate::new(1, month + Duration::from_nanos(1))),
        "the period of the limit of 1 requests / 2678400.000000001s is out of range; give from 1 ns to 31 days",
    );
    refused(
        builder().requests(Rate::new(1, Duration::ZERO)),
        "the period of the limit of 1 requests / 0ns is out of range; give from 1 ns to 31 days",
    );
    assert!(builder().requests(Rate::new(1, Duration::MAX)).build().is_err());
}

#[test]
fn a_burst_of_nothing_or_above_31_days() {
    refused(
        builder().burst(Duration::ZERO).tokens(Rate::per_minute(9)),
        "the burst of 0ns for the limit of 9 tokens / minute is out of range; give from 1 ns to 31 days, \
         or leave it out for the default",
    );
    refused(
        builder().tokens(Rate::per_minute(9).burst(secs(31 * 86_400 + 1))),
        "the burst of 31d 1h for the limit of 9 tokens / minute is out of range; give from 1 ns to 31 days, \
         or leave it out for the default",
    );
    assert!(builder().tokens(Rate::per_minute(9).burst(secs(31 * 86_400))).build().is_ok());
}

#[test]
fn a_burst_that_no_limit_uses() {
    refused(
        builder().requests(Rate::per_hour(1_000)).burst(secs(60)),
        "its burst of 1m has no effect: it applies to limits with a period of up to a minute that state no \
         burst of their own, and there are none; give it to the rate: `Rate::per_hour(1_000).burst(..)`",
    );
    assert!(
        builder().requests(Rate::per_hour(1_000)).tokens(Rate::per_minute(9)).burst(secs(60)).build().is_ok()
    );
}

#[test]
fn an_error_tells_its_cause_once() {
    limiter! {
        static UNSET: RateLimiter = {
            requests: Rate::per_minute(std::env::var("OPENLIMIT_TESTS_UNSET")?.parse()?),
        };
    }
    let error = anyhow::Error::from(UNSET.init().expect_err("variable is set"));
    assert_eq!(format!("{error:#}").matches("environment variable not found").count(), 1);
}

#[test]
fn a_known_dimension_spelt_out_is_that_dimension() {
    let tokens = openlimit::Dimension::Custom("tokens".into());
    let limiter = builder().limit(Limit::new(tokens, Rate::per_second(9))).build().unwrap();
    assert!(limiter.try_acquire(Cost::new().tokens(5)).is_ok());
}

#[test]
fn a_headroom_of_everything() {
    let with = |percent| builder().requests(Rate::per_minute(9)).headroom(Percent(percent));
    assert!(with(99).build().is_ok());
    refused(with(100), "a headroom of 100 % leaves nothing of the rate; give less than 100");
    refused(with(255), "a headroom of 255 % leaves nothing of the rate; give less than 100");
}

#[test]
fn a_dimension_without_a_name() {
    refused(
        builder().limit(Limit::new("", Rate::per_minute(9))),
        "the limit of 9 / minute has a dimension without a name; name it: \
         `Limit::new(\"audio_seconds\", Rate::per_hour(7_200))`",
    );
}

#[test]
fn any_jitter_is_sound() {
    // The longest jitter counts as 31 days.
    for (jitter, wait) in [(Duration::ZERO, secs(1)), (Duration::MAX, secs(31 * 86_400 + 1))] {
        let clock = ManualClock::new();
        let limiter =
            plain(&clock).jitter(jitter).requests(Rate::per_second(1)).build().expect("build failed");
        assert!(limiter.try_acquire(Cost::new()).is_ok());
        let next = Call::start(limiter.acquire(Cost::new()));
        clock.advance(secs(32 * 86_400));
        assert_eq!(next.admitted().waited(), wait);
    }
}

#[test]
fn a_cost_that_names_what_is_not_limited() {
    let limiter = builder().tokens(Rate::per_minute(60_000)).build().expect("build failed");
    for (cost, dimension) in [
        (Cost::new().images(1), "images"),
        (Cost::new().requests(1), "requests"),
        (Cost::new().with("audio_seconds", 0), "audio_seconds"),
    ] {
        let error = limiter.try_acquire(&cost).expect_err("call was admitted");
        assert_eq!(
            error.to_string(),
            format!(
                "limiter `gpt` has no limit for `{dimension}`; declare one, or leave `{dimension}` out of the cost"
            )
        );
        assert_eq!(
            limiter.acquire(&cost).blocking().expect_err("call was admitted").to_string(),
            error.to_string()
        );
        assert_eq!(error.retry_after(), None);
    }
    // A cost includes one request by default, which is not an error without a limit on requests.
    assert!(limiter.try_acquire(Cost::new().tokens(1)).is_ok());
}

#[test]
fn what_a_refused_call_reads() {
    let clock = ManualClock::new();
    let limiter = plain(&clock).name("gpt").tokens(Rate::per_minute(60)).build().expect("build failed");
    let text = |error: AcquireError| error.to_string();
    assert_eq!(
        text(limiter.try_acquire(61).expect_err("call was admitted")),
        "limiter `gpt` can never admit a call of 61 tokens: its limit of 60 tokens / minute allows at most 60 \
         for one call; make the request smaller or raise the limit"
    );
    assert!(limiter.try_acquire(60).is_ok());
    assert_eq!(
        text(limiter.try_acquire(1).expect_err("call was admitted")),
        "limiter `gpt` has no capacity now: the limit of 60 tokens / minute requires a wait of at least 1m; \
         try again after that, or use `acquire`, which waits"
    );
    assert_eq!(
        text(Call::start(limiter.acquire(1).timeout(secs(5))).refused()),
        "limiter `gpt` cannot admit the call within its timeout of 5s: the limit of 60 tokens / minute \
         requires a wait of at least 1m; allow more time or send less"
    );
    let timer = AcquireError::Timer {
        limiter: "gpt".into(),
        error: Arc::new(std::io::Error::other("no threads left")),
    };
    assert_eq!(
        text(timer),
        "limiter `gpt` cannot queue the call: the timer thread is not running: no threads left; \
         a call that needs no wait is still admitted"
    );
    let limiter =
        ChatRateLimiter::builder().name("gpt").tokens(Rate::per_minute(60)).build().expect("build failed");
    for error in [
        limiter.try_acquire(&json!({ "model": "gpt-4o" })).map(drop).expect_err("call was admitted"),
        limiter.acquire(&json!({ "model": "gpt-4o" })).blocking().map(drop).expect_err("call was admitted"),
        limiter.cost(&json!({ "model": "gpt-4o" })).map(drop).expect_err("call was priced"),
    ] {
        assert_eq!(
            text(error),
            "limiter `gpt` cannot price the call: cannot read `messages` of the params: the field is missing"
        );
    }
}

limiter! {
    /// A limiter whose expression fails.
    static UNSET: RateLimiter = {
        requests: Rate::per_minute(std::env::var("OPENLIMIT_TESTS_NEVER_SET")?.parse()?),
    };

    static UNSOUND: RateLimiter = {
        requests: Rate::per_minute("0".parse()?),
    };

    static SOUND: RateLimiter = {
        requests: 5 / second,
        requests: Rate::per_day("1000".parse()?),
    }
}

#[test]
fn a_declaration_whose_expression_fails_is_the_same_error_at_every_acquire() {
    const TEXT: &str = "limiter `limiter::bad_input::UNSET` cannot be built: the value of `requests` failed: environment variable not found";
    let text = |error: AcquireError| {
        assert!(
            matches!(&error, AcquireError::Build(build) if matches!(build.problem(), BuildProblem::Declaration { .. }))
        );
        assert_eq!(error.retry_after(), None);
        error.to_string()
    };
    let copy = UNSET.clone();
    for limiter in [&UNSET, &copy, &copy.clone()] {
        for _ in 0..2 {
            assert_eq!(limiter.init().expect_err("build succeeded").to_string(), TEXT);
            assert_eq!(text(limiter.try_acquire(Cost::new()).expect_err("call was admitted")), TEXT);
            assert_eq!(text(limiter.acquire(Cost::new()).blocking().expect_err("call was admitted")), TEXT);
            assert_eq!(text(Call::start(limiter.acquire(Cost::new())).refused()), TEXT);
            assert_eq!(text(limiter.cost(Cost::new()).expect_err("call was priced")), TEXT);
        }
    }
}

#[test]
fn a_declaration_that_is_unsound_is_an_error_too() {
    assert_eq!(
        UNSOUND.init().expect_err("build succeeded").to_string(),
        "limiter `limiter::bad_input::UNSOUND` cannot be built: the limit of 0 requests / minute would never admit a call; \
         give an amount of at least 1, or leave the dimension out if it is not limited"
    );
    assert!(SOUND.init().is_ok());
}

#[test]
fn an_acquire_polled_after_its_end_says_so() {
    let limiter = builder().requests(Rate::per_minute(600)).build().expect("build failed");
    let mut acquire = std::pin::pin!(limiter.acquire(Cost::new()));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(acquire.as_mut().poll(&mut context).is_ready());
    let again = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        acquire.as_mut().poll(&mut context).is_ready()
    }));
    assert!(again.is_err());
    // The panic does not change the state of the limiter.
    assert!(limiter.try_acquire(Cost::new()).is_ok());
}
