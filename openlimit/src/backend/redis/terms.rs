//! `Terms`: how a limiter uses its shared buckets, in nanoseconds.

use super::OnOutage;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms {
    /// How late a call may depart for its slot: half of what is kept back for jitter, as for the timer.
    pub(crate) slack: u64,
    /// How far ahead slots are asked for.
    pub(crate) look_ahead: u64,
    /// What one lease is worth, where calls are not asked for one by one.
    pub(crate) lease: Option<u64>,
    /// How long a call without a time-out of its own waits while Redis is away.
    pub(crate) patience: u64,
    pub(crate) on_outage: OnOutage,
}
