//! Tests of `limiter!`: the statics that it declares, and the code around them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use openlimit::{AcquireError, BuildProblem, Cost, Dimension, Limit, Percent, Rate, RateLimiter, limiter};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

mod account {
    use openlimit::{ChatRateLimiter, EmbeddingRateLimiter, RateLimiter, limiter};

    limiter! {
        /// The limits of the account for the chat models.
        pub(crate) static CHAT: ChatRateLimiter = {
            requests: 200 / minute,
            tokens: 40_000 / minute,
        };

        #[allow(dead_code)]
        static EMBEDDINGS: EmbeddingRateLimiter = { tokens: 1_000_000 / minute };

        #[cfg(any())]
        static ABSENT: NoSuchType = { no_such_key: 1 / minute };

        pub(super) static IMAGES: RateLimiter = { images: 7 / minute }
    }

    pub(crate) fn embeddings() -> &'static EmbeddingRateLimiter {
        &EMBEDDINGS
    }
}

#[test]
fn a_static_has_its_declared_type() {
    let _: &'static openlimit::ChatRateLimiter = &account::CHAT;
    let _: &'static openlimit::EmbeddingRateLimiter = account::embeddings();
    let _: &'static RateLimiter = &account::IMAGES;
}

#[test]
fn init_builds_a_declaration_once() {
    account::CHAT.init().unwrap();
    account::CHAT.init().unwrap();
    account::embeddings().init().unwrap();
    account::IMAGES.init().unwrap();
}

#[test]
fn the_name_is_the_path_of_the_static_unless_it_is_given() {
    limiter! {
        static NAMED: RateLimiter = { requests: 1 / day, name: "prod" };
    }

    let name = |error: AcquireError| match error {
        AcquireError::UnknownDimension { limiter, .. } => limiter.to_string(),
        error => panic!("{error}"),
    };
    let unknown = || Cost::new().with("audio_seconds", 1);
    assert_eq!(name(account::IMAGES.try_acquire(unknown()).unwrap_err()), "macros::limiter::account::IMAGES");
    assert_eq!(name(NAMED.try_acquire(unknown()).unwrap_err()), "prod");
}

#[test]
fn a_dimension_that_is_named_again_has_one_more_limit() {
    limiter! {
        static CHAT: RateLimiter = { tokens: 10 / day, tokens: 5 / hour, requests: 9 / second };
    }

    let error = CHAT.try_acquire(6).unwrap_err();
    assert!(matches!(error, AcquireError::TooLarge { cost: 6, most: 5, .. }), "{error}");
    drop(CHAT.try_acquire(5).unwrap());
}

#[test]
fn every_unit_and_every_kind_of_literal_is_a_rate() {
    limiter! {
        static LIMITS: RateLimiter = {
            requests: 1 / second,
            requests: 0x10 / minute,
            tokens: 1_000u64 / hour,
            images: 9_223_372_036_854_775_807 / day,
        };
    }

    LIMITS.init().unwrap();
}

#[test]
fn a_constant_may_stand_for_the_amount() {
    const AMOUNT: u64 = 7;
    static RATE: u64 = 7;
    limiter! {
        static SECOND: RateLimiter = { requests: RATE / second };
        static MINUTE: RateLimiter = { requests: AMOUNT / minute, tokens: AMOUNT / minute };
        static HOUR: RateLimiter = { requests: AMOUNT / hour, };
        static DAY: RateLimiter = { requests: AMOUNT / day };
    }
    for (limiter, unit) in [(&SECOND, "second"), (&MINUTE, "minute"), (&HOUR, "hour"), (&DAY, "day")] {
        limiter.init().unwrap();
        assert!(format!("{limiter:?}").contains(&format!("7 / {unit}")), "{limiter:?}");
    }
}

#[test]
fn the_constant_may_be_in_another_module() {
    mod account {
        pub(super) const REQUESTS: u64 = 7;
    }

    limiter! {
        static LIMITS: RateLimiter = { requests: account::REQUESTS / minute };
    }

    LIMITS.init().unwrap();
    assert!(format!("{LIMITS:?}").contains("7 / minute"), "{LIMITS:?}");
}

#[test]
fn values_may_be_expressions() {
    const PER_DAY: Rate = Rate::per_day(12);

    fn seconds() -> u64 {
        2
    }

    limiter! {
        static LIMITS: RateLimiter = {
            requests: if cfg!(debug_assertions) { PER_DAY } else { Rate::per_day(12) },
            limit: Limit::new("audio_seconds", Rate::per_hour(7_200).burst(Duration::from_secs(3_600 / seconds()))),
            tokens: 60 / minute,
            headroom: Percent(0),
            burst: Duration::from_secs(1) * 4 / 2,
        };
    }

    let error = LIMITS.try_acquire(Cost::new().requests(13)).unwrap_err();
    assert!(matches!(error, AcquireError::TooLarge { most: 12, .. }), "{error}");
    drop(LIMITS.try_acquire(Cost::new().with("audio_seconds", 3_600)).unwrap());
}

#[test]
fn every_acquire_returns_the_error_of_an_expression() {
    fn rate(text: &str) -> Result<Rate, std::num::ParseIntError> {
        Ok(Rate::per_minute(text.parse()?))
    }

    limiter! {
        static GOOD: RateLimiter = { requests: rate("200")? };
        static BAD: RateLimiter = { requests: rate("many")?, tokens: 1 / minute };
        static UNSET: RateLimiter = { name: std::env::var("OPENLIMIT_NO_SUCH_VARIABLE")?, requests: 1 / minute };
    }

    GOOD.init().unwrap();
    for _ in 0..2 {
        let Err(AcquireError::Build(error)) = BAD.acquire(Cost::new()).blocking() else { panic!("admitted") };
        assert_eq!(error.limiter(), "macros::limiter::BAD");
        assert!(matches!(error.problem(), BuildProblem::Declaration { key: "requests", .. }));
        assert!(error.to_string().ends_with("invalid digit found in string"), "{error}");
    }
    assert!(UNSET.init().unwrap_err().to_string().ends_with("environment variable not found"));
}

#[test]
fn the_error_of_a_value_names_its_key() {
    fn seconds(text: &str) -> Result<Duration, std::num::ParseIntError> {
        Ok(Duration::from_secs(text.parse()?))
    }

    fn limit() -> Result<Limit, std::env::VarError> {
        Ok(Limit::new(std::env::var("OPENLIMIT_NO_SUCH_VARIABLE")?, Rate::per_day(1)))
    }

    limiter! {
        static NAME: RateLimiter = { name: std::env::var("OPENLIMIT_NO_SUCH_VARIABLE")?, requests: 1 / minute };
        static BURST: RateLimiter = { requests: 1 / minute, burst: seconds("a while")? };
        static JITTER: RateLimiter = { burst: seconds("1")?, jitter: seconds("none")?, requests: 1 / minute };
        static LIMIT: RateLimiter = { requests: Rate::per_day("9".parse()?), limit: limit()?, images: 1 / day };
        static HEADROOM: RateLimiter = { requests: 1 / minute, headroom: Percent("5 %".parse()?), tokens: 1 / day };
        static REFUNDS: RateLimiter = { requests: 1 / minute, refunds: "maybe".parse()? };
    }

    let limiters = [(&NAME, "name"), (&BURST, "burst"), (&JITTER, "jitter"), (&LIMIT, "limit")];
    for (limiter, wanted) in limiters.into_iter().chain([(&HEADROOM, "headroom"), (&REFUNDS, "refunds")]) {
        let error = limiter.init().unwrap_err();
        let BuildProblem::Declaration { key, .. } = error.problem() else { panic!("{error}") };
        assert_eq!(*key, wanted);
        let text = format!(
            "limiter `macros::limiter::{}` cannot be built: the value of `{wanted}` failed: ",
            wanted.to_uppercase()
        );
        assert!(error.to_string().starts_with(&text), "{error}");
    }
}

#[test]
fn a_failure_is_remembered_and_init_returns_it_early() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static TRIES: AtomicUsize = AtomicUsize::new(0);

    fn rate() -> Result<Rate, String> {
        TRIES.fetch_add(1, Ordering::SeqCst);
        Err("no rate today".into())
    }

    fn start() -> Result<(), Box<dyn std::error::Error>> {
        CHAT.init()?;
        Ok(())
    }

    limiter! {
        static CHAT: RateLimiter = { requests: rate()? };
    }

    assert_eq!(TRIES.load(Ordering::SeqCst), 0);
    let first = start().unwrap_err().to_string();
    for _ in 0..3 {
        assert_eq!(CHAT.try_acquire(1).unwrap_err().to_string(), first);
        assert_eq!(CHAT.acquire(1).blocking().unwrap_err().to_string(), first);
    }
    assert_eq!(TRIES.load(Ordering::SeqCst), 1);
}

#[test]
fn an_invalid_declaration_is_an_error_and_not_a_panic() {
    limiter! {
        static UNLIMITED: RateLimiter = { headroom: Percent(1) };
        static ZERO: RateLimiter = { requests: Rate::per_minute(0) };
    }

    assert!(matches!(UNLIMITED.init().unwrap_err().problem(), BuildProblem::NoLimits));
    assert!(matches!(ZERO.init().unwrap_err().problem(), BuildProblem::ZeroRate(_)));
}

#[test]
fn a_static_in_a_function_is_its_own() {
    fn first() -> &'static RateLimiter {
        metered! { static LIMITER: RateLimiter; }
        &LIMITER
    }

    fn second() -> &'static RateLimiter {
        metered! { static LIMITER: RateLimiter; }
        &LIMITER
    }

    drop(first().try_acquire(5).unwrap());
    assert_eq!((taken(first()), taken(second())), ((1, 5), (0, 0)));
}

/// Stands for a crate that depends on openlimit under another name, or re-exports it.
mod facade {
    pub(super) use openlimit::{RateLimiter as Limits, limiter as declare};
}

#[test]
fn the_crate_may_have_another_name() {
    facade::declare! { static LIMITS: facade::Limits = { requests: 1 / minute }; }
    LIMITS.init().unwrap();
}

#[test]
fn a_declaration_may_come_from_a_macro() {
    macro_rules! limits {
        ($($name:ident: $limiter:ty, $key:ident $amount:literal per $unit:ident, $burst:expr;)+) => {
            limiter! {$(
                static $name: $limiter = { $key: $amount / $unit, burst: $burst };
            )+}
        };
    }
    limits! {
        ONE: RateLimiter, requests 1 per minute, Duration::from_secs(1);
        TWO: RateLimiter, tokens 2 per second, Duration::from_secs(2);
    }

    ONE.init().unwrap();
    TWO.init().unwrap();
}

#[test]
fn names_in_a_value_are_the_users() {
    mod names {
        #![allow(non_upper_case_globals)]

        pub(super) const RATE: openlimit::Rate = openlimit::Rate::per_day(12);
        pub(super) static builder: u64 = 13;
        pub(super) struct Builder;
        pub(super) struct Ok;

        impl Builder {
            pub(super) fn rate(self, _: Ok) -> openlimit::Rate {
                openlimit::Rate::per_day(builder)
            }
        }
    }
    use names::{Builder, Ok, RATE, builder};

    limiter! {
        static LIMITS: RateLimiter = {
            requests: RATE,
            tokens: Builder.rate(Ok),
            images: Rate::per_day(builder + 1),
        };
    }

    drop(LIMITS.try_acquire(Cost::new().requests(12).tokens(13).images(14)).unwrap());
}

#[test]
fn a_limiter_may_have_many_limits() {
    fn every(seconds: u64) -> Rate {
        Rate::new(1, Duration::from_secs(seconds))
    }

    limiter! {
        static MANY: RateLimiter = {
            requests: every(1), requests: every(2), requests: every(3), requests: every(4),
            requests: every(5), requests: every(6), requests: every(7), requests: every(8),
            requests: every(9), requests: every(10), requests: every(11), requests: every(12),
            requests: every(13), requests: every(14), requests: every(15), requests: every(16),
            tokens: every(1), tokens: every(2), tokens: every(3), tokens: every(4),
            tokens: every(5), tokens: every(6), tokens: every(7), tokens: every(8),
            tokens: every(9), tokens: every(10), tokens: every(11), tokens: every(12),
            tokens: every(13), tokens: every(14), tokens: every(15), tokens: every(16),
            images: every(1), images: every(2), images: every(3), images: every(4),
            images: every(5), images: every(6), images: every(7), images: every(8),
            images: every(9), images: every(10), images: every(11), images: every(12),
            images: every(13), images: every(14), images: every(15), images: every(16),
            input_tokens: every(1), input_tokens: every(2), input_tokens: every(3), input_tokens: every(4),
            input_tokens: every(5), input_tokens: every(6), input_tokens: every(7), input_tokens: every(8),
            input_tokens: every(9), input_tokens: every(10), input_tokens: every(11), input_tokens: every(12),
            input_tokens: every(13), input_tokens: every(14), input_tokens: every(15), input_tokens: every(16),
        };
    }

    MANY.init().unwrap();
}

limiter! {
    static OF_ITSELF: RateLimiter = {
        requests: Rate::per_second(OF_ITSELF.cost(7)?.amount(&Dimension::Tokens)),
    };
}

#[test]
fn a_declaration_that_uses_its_own_limiter_is_an_error() {
    for _ in 0..2 {
        let error = OF_ITSELF.init().expect_err("it cannot be built");
        assert!(error.to_string().ends_with(
            "a value of its declaration uses the limiter itself, which is not built yet; take the value from elsewhere"
        ), "{error}");
        assert!(OF_ITSELF.acquire(1).blocking().is_err());
    }
}

/// Lets each of two threads begin with its own declaration before it needs the other's.
static BOTH_HAVE_BEGUN: Barrier = Barrier::new(2);

limiter! {
    static ONE_OF_TWO: RateLimiter = {
        requests: { BOTH_HAVE_BEGUN.wait(); OTHER_OF_TWO.init()?; Rate::per_second(1) },
    };
    static OTHER_OF_TWO: RateLimiter = {
        requests: { BOTH_HAVE_BEGUN.wait(); ONE_OF_TWO.init()?; Rate::per_second(1) },
    };
}

#[test]
fn two_threads_that_build_two_limiters_which_use_each_other_get_errors_and_do_not_hang() {
    let (sender, built) = channel();
    for limiter in [&ONE_OF_TWO, &OTHER_OF_TWO] {
        let sender = sender.clone();
        thread::spawn(move || sender.send(limiter.init()));
    }
    for _ in 0..2 {
        let error = built.recv_timeout(Duration::from_secs(60)).expect("they hang").expect_err("no error");
        assert!(error.to_string().contains("uses the limiter itself"), "{error}");
    }
}
