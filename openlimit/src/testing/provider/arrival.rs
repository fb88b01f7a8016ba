//! `Arrival`: a call, as the provider records it.
//!
//! It has what the test of a limiter needs to check the limits: the time, and what was asked for.

use std::time::Instant;

/// A call that reached a [`Provider`](crate::testing::Provider). Returned by
/// [`ProviderModel::arrivals`](crate::testing::ProviderModel::arrivals).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The time at which the whole request had been read.
    pub at: Instant,
    /// The path, such as `/v1/chat/completions`.
    pub path: Box<str>,
    /// The status of the reply: 200 if the call was admitted, 429 if a limit refused it, and
    /// another one if it could not be read.
    pub status: u16,
    /// The tokens that it asked for. If it was admitted, it was charged as many when it arrived.
    /// Zero for calls to `/v1/models`, and if it could not be read.
    pub tokens: u64,
}
