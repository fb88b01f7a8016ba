//! Testing code that uses openlimit: a manual clock, a limiter without limits, and a strict
//! provider.
//!
//! A test should neither sleep for minutes nor call a real API. Which tool helps depends on what it
//! is about:
//!
//! | the test is about | use |
//! | --- | --- |
//! | what the program does, apart from limits | [`unlimited`], in place of a static |
//! | when calls leave, to the nanosecond, or how they are refused | [`ManualClock`] |
//! | async code that waits | tokio's paused time |
//! | how the program and its client get on with an API | [`Provider`] |
//! | how long a list of calls takes | [`Limiter::plan`](crate::Limiter::plan), which needs no feature |
//!
//! Add the feature for tests only, as it makes each call a little slower:
//! `cargo add --dev openlimit --features testing`.
//!
//! # Without limits
//!
//! A static limiter has the real limits, and all tests of a process share it. So a test puts
//! another one in its place, with [`override_with`](crate::Limiter::override_with). The override
//! lasts until the guard is dropped, and other tests do not see it. That also covers the tasks of
//! `#[tokio::test]`, since they run on the test's thread. For a runtime with several threads there
//! is [`override_during`](crate::Limiter::override_during). A [`Keyed`](crate::Keyed) has an
//! [`override_with`](crate::Keyed::override_with) for all keys.
//!
//! ```
//! use openlimit::{AcquireError, ChatRateLimiter, limiter, rate_limited, testing};
//! use serde_json::{Value, json};
//!
//! limiter! { static CHAT: ChatRateLimiter = { requests: 3 / minute, tokens: 40_000 / minute }; }
//!
//! #[rate_limited(limiter = CHAT, params = request)]
//! async fn chat(request: &Value) -> Result<String, AcquireError> {
//!     Ok("Hello!".into())
//! }
//!
//! # /*
//! #[tokio::test]
//! # */
//! async fn ten_questions_have_ten_answers() {
//!     let _guard = CHAT.override_with(&testing::unlimited());
//!     let question = json!({ "model": "gpt-4o", "messages": [] });
//!     for _ in 0..10 {
//!         assert_eq!(chat(&question).await.unwrap(), "Hello!");
//!     }
//! }
//! # futures_util::FutureExt::now_or_never(ten_questions_have_ten_answers()).unwrap();
//! ```
//!
//! # A clock that the test moves
//!
//! A limiter on a [`ManualClock`] admits calls exactly when the clock reaches their due time. Give
//! it to the limiter with [`Builder::clock`](crate::Builder::clock). It can take the place of a
//! static, too.
//!
//! ```
//! use openlimit::testing::ManualClock;
//! use openlimit::{AcquireError, Rate, RateLimiter, limiter, rate_limited};
//! use std::time::Duration;
//!
//! limiter! { static CHAT: RateLimiter = { requests: 200 / minute }; }
//!
//! #[rate_limited(limiter = CHAT, timeout = Duration::from_secs(1))]
//! fn chat() -> Result<(), AcquireError> {
//!     Ok(())
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = ManualClock::new();
//! let slow = RateLimiter::builder().requests(Rate::per_minute(2)).clock(&clock).build()?;
//! let _guard = CHAT.override_with(&slow);
//!
//! assert!(chat().is_ok());
//! // The next call would have to wait for half a minute, which is longer than its timeout.
//! let error = chat().unwrap_err();
//! assert!(matches!(error, AcquireError::Timeout { .. }));
//! clock.advance(error.retry_after().unwrap());
//! assert!(chat().is_ok());
//! # Ok(())
//! # }
//! ```
//!
//! # Paused time
//!
//! A limiter that is built inside a tokio runtime whose time is paused runs on tokio's time, which
//! jumps ahead when all tasks wait. A limiter keeps the clock that it was built on, so build one in
//! each test, and let it take the place of the static.
//!
//! ```
//! use openlimit::{Cost, Rate, RateLimiter};
//! use std::time::Duration;
//! use tokio::time::Instant;
//!
//! # /*
//! #[tokio::test(start_paused = true)]
//! # */
//! async fn the_third_call_waits_for_two_minutes() {
//!     let limiter = RateLimiter::builder().requests(Rate::per_minute(1)).build().unwrap();
//!     let start = Instant::now();
//!     for _ in 0..3 {
//!         drop(limiter.acquire(Cost::new()).await.unwrap());
//!     }
//!     assert_eq!(start.elapsed().as_secs(), 120);
//! }
//! # let mut runtime = tokio::runtime::Builder::new_current_thread();
//! # let runtime = runtime.enable_time().start_paused(true).build().unwrap();
//! # runtime.block_on(the_third_call_waits_for_two_minutes());
//! ```
//!
//! # Dates
//!
//! Limits that [reset](crate::Rate::resets_at) go by the date. On both clocks it begins at
//! 2026-01-01 00:00 UTC. A test can set it: [`ManualClock::set_date`], and [`set_date`] in paused
//! time.
//!
//! # A strict provider
//!
//! A [`Provider`] is an HTTP server inside the test's process that answers like a real API and
//! refuses every call above its limits. So a test can send what the program sends, and see that
//! nothing was refused. A [`ProviderModel`] is the same without a network, on the clocks above.
//!
//! ```
//! use openlimit::testing::Provider;
//! use openlimit::Rate;
//!
//! # fn main() -> std::io::Result<()> {
//! let provider = Provider::builder()
//!     .requests(Rate::per_minute(600))
//!     .tokens(Rate::per_minute(40_000))
//!     .start()?;
//! let url = provider.url();
//! // ... let the program call `url` ...
//! assert_eq!(provider.refused(), 0);
//! # Ok(())
//! # }
//! ```

mod provider;

pub use self::provider::{
    Arrival, Dialect, OtherCalls, Provider, ProviderBuilder, ProviderModel, ProviderReply, Windows,
};
pub use crate::limiter::{Overridden, Override, unlimited};
pub use crate::time::{ManualClock, set_date};
