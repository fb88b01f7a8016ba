//! `Link`: where a limiter and its session meet, outside of the limiter's lock.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::flushes::Flushes;
use crate::backend::redis::Slots;

/// The state that a limiter and its session share.
#[derive(Default)]
pub(super) struct Link {
    /// Wakes the session, to look at the limiter.
    pub(super) wake: Arc<Notify>,
    pub(super) flushes: Flushes,
    /// The state of the limiter, once that was dropped.
    pub(super) left: Mutex<Option<Box<Slots>>>,
}
