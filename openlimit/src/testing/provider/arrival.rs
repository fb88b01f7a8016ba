//! `Arrival`: a call that reached the provider, for tests to look at.

use std::time::Instant;

/// A call that reached a [`Provider`](super::Provider). Returned by [`Provider::arrivals`](super::Provider::arrivals).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Arrival {
    /// The time at which the whole request had been read.
    pub at: Instant,
    /// The path, such as `/v1/chat/completions`.
    pub path: Box<str>,
    /// The status of the reply: 200 if the call was admitted, 429 if a limit refused it.
    pub status: u16,
    /// The tokens that it asked for, and was charged if it was admitted. Zero if it could not be
    /// read.
    pub tokens: u64,
}
