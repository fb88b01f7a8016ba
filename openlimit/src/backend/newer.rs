//! `Newer`: limits that a process takes over from a store, because another one has updated them.

use std::time::Duration;

/// Limits that another process has updated.
#[derive(Debug)]
pub(crate) struct Newer {
    /// The amount and the burst of each limit, by its place.
    pub(crate) limits: Vec<(u64, Duration)>,
    /// The number of updates that led to them.
    pub(crate) version: u64,
}
