//! Tests of the return value for a refused call. The body does not run.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::{Duration, Instant};

use openlimit::{AcquireError, FromAcquireError, Priority, RateLimiter, rate_limited};
use openlimit_tests::meter::taken;
use openlimit_tests::metered;

metered! { static SMALL: RateLimiter; }

/// More than the amount of a day.
const TOO_MANY: u64 = 86_401;

#[tokio::test]
async fn a_refusal_is_an_error_of_the_functions_own_type() {
    type Short<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

    #[derive(Debug)]
    enum Own {
        Refused(AcquireError),
    }
    impl From<AcquireError> for Own {
        fn from(error: AcquireError) -> Self {
            Self::Refused(error)
        }
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    async fn plain() -> Result<(), AcquireError> {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    async fn own() -> Result<(), Own> {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    fn alias() -> Short<u8> {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    async fn any() -> anyhow::Result<()> {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    async fn generic<E: From<AcquireError>>() -> Result<(), E> {
        unreachable!()
    }

    assert!(matches!(plain().await, Err(AcquireError::TooLarge { cost: TOO_MANY, .. })));
    let Err(Own::Refused(error)) = own().await else { panic!("admitted") };
    assert_eq!(alias().unwrap_err().to_string(), error.to_string());
    assert!(any().await.unwrap_err().is::<AcquireError>());
    assert!(generic::<Own>().await.is_err());
    assert_eq!(taken(&SMALL), (0, 0));
}

#[test]
fn a_type_of_the_users_may_implement_from_acquire_error() {
    #[derive(Debug, PartialEq)]
    struct Status(u16);
    impl FromAcquireError for Status {
        fn from_acquire_error(_: AcquireError) -> Self {
            Self(429)
        }
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY)]
    fn call() -> Status {
        Status(200)
    }

    assert_eq!(call(), Status(429));
}

#[tokio::test]
async fn on_error_decides_what_a_refusal_returns() {
    #[rate_limited(limiter = SMALL, cost = TOO_MANY, on_error = |_| None)]
    async fn option() -> Option<u8> {
        Some(1)
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY, on_error = |error| format!("{name}: {error}"))]
    fn with_an_argument(name: String) -> String {
        name
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY, on_error = drop)]
    async fn nothing() {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY, on_error = |error| Err(error.to_string()))]
    async fn other_error() -> Result<(), String> {
        unreachable!()
    }

    #[rate_limited(limiter = SMALL, cost = TOO_MANY, on_error = |_| Box::new("refused".chars()))]
    fn coerced() -> Box<dyn Iterator<Item = char>> {
        Box::new("x".chars())
    }

    assert_eq!(option().await, None);
    assert!(with_an_argument("chat".to_owned()).starts_with(
        "chat: limiter `macros::attribute::refusals::SMALL` can never admit a call of 86401 tokens"
    ));
    nothing().await;
    assert!(other_error().await.unwrap_err().contains("86401"));
    assert_eq!(coerced().collect::<String>(), "refused");
}

#[tokio::test]
async fn a_timeout_is_a_refusal() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 900, timeout = Duration::from_secs(seconds))]
    async fn call(seconds: u64) -> Result<(), AcquireError> {
        Ok(())
    }

    #[rate_limited(timeout = Duration::ZERO, cost = 900, limiter = CHAT,)]
    fn blocking() -> Result<(), AcquireError> {
        Ok(())
    }

    let everything = CHAT.acquire(86_000).await.unwrap();
    assert!(matches!(call(5).await, Err(AcquireError::Timeout { .. })));
    assert!(matches!(blocking(), Err(AcquireError::Timeout { .. })));
    everything.cancel();
    call(5).await.unwrap();
    blocking().unwrap();
    assert_eq!(taken(&CHAT), (2, 1_800));
}

#[test]
fn a_deadline_is_one_too_and_a_priority_is_none() {
    metered! { static CHAT: RateLimiter; }

    #[rate_limited(limiter = CHAT, cost = 900, deadline = deadline, priority = priority)]
    fn call(deadline: Instant, priority: Priority) -> Result<(), AcquireError> {
        Ok(())
    }

    let soon = Instant::now() + Duration::from_secs(5);
    let everything = CHAT.acquire(86_000).blocking().unwrap();
    assert!(matches!(call(soon, Priority::High), Err(AcquireError::Timeout { .. })));
    everything.cancel();
    call(soon, Priority::Low).unwrap();
    assert_eq!(taken(&CHAT), (1, 900));
}

#[test]
fn a_limiter_that_cannot_be_built_refuses() {
    openlimit::limiter! {
        static BROKEN: RateLimiter = { requests: std::env::var("OPENLIMIT_NO_SUCH_VARIABLE")?.parse::<Never>()?.0 };
    }

    struct Never(openlimit::Rate);
    impl std::str::FromStr for Never {
        type Err = std::fmt::Error;
        fn from_str(_: &str) -> Result<Self, Self::Err> {
            Err(std::fmt::Error)
        }
    }

    #[rate_limited(limiter = BROKEN)]
    fn call() -> Result<(), AcquireError> {
        Ok(())
    }

    assert!(matches!(call(), Err(AcquireError::Build(_))));
}
