//! Tools for testing programs that use a limiter: a manual clock and a strict provider.
//!
//! A test should neither sleep for minutes nor call a real API. There are three ways to avoid that.
//! The first two need no real time:
//!
//! - **Manual clock.** Give the limiter a [`ManualClock`] with
//!   [`Builder::clock`](crate::Builder::clock), and move it. Calls are admitted exactly when the
//!   clock reaches their due time.
//! - **Paused time.** Build the limiter inside a tokio runtime whose time is paused
//!   (`#[tokio::test(start_paused = true)]`). It then runs on tokio's time, which jumps ahead when
//!   all tasks wait. A limiter keeps the clock that it was built on, so build one in each test
//!   instead of using a static.
//! - **Strict provider.** Send real requests to a [`Provider`], an HTTP server inside the test's
//!   process that answers like OpenAI's API and refuses every call above its limits. Or ask a
//!   [`ProviderModel`], which is the same without a network: it runs on the two clocks above.

mod provider;

pub use self::provider::{
    Arrival, Dialect, OtherCalls, Provider, ProviderBuilder, ProviderModel, ProviderReply, Windows,
};
pub use crate::time::ManualClock;
