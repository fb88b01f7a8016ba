//! `UsualTrip`: the usual time of a round trip to the server, for all keys of a limiter.
//!
//! A limiter for a new key has had no reply yet. It takes over what the others know, so it notices
//! that its first reply was held up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The usual time of a round trip, in nanoseconds. Its clones share it.
#[derive(Clone, Debug)]
pub(super) struct UsualTrip(Arc<AtomicU64>);

impl UsualTrip {
    /// Returns the usual time; the largest value before the first reply.
    pub(super) fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    pub(super) fn set(&self, time: u64) {
        self.0.store(time, Relaxed);
    }
}

impl Default for UsualTrip {
    fn default() -> Self {
        Self(Arc::new(u64::MAX.into()))
    }
}
