//! What tests of rate-limited programs need: a clock moved by hand, and a strict provider.
//!
//! Three ways to test without waiting for real time:
//!
//! - Give the limiter a [`ManualClock`] with [`Builder::clock`](crate::Builder::clock), and move it.
//! - Build the limiter inside a tokio runtime whose time is paused: its waits are then tokio's, and pass at once. A
//!   limiter keeps the time that it was built with, so give each such test a limiter of its own rather than a
//!   static.
//! - Send real requests to a [`Provider`] in your own process.

mod provider;

pub use self::provider::{Arrival, Provider, ProviderBuilder};
pub use crate::time::ManualClock;
